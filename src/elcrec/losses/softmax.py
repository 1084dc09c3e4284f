"""Softmax over the whole catalogue, whose logits never exist at once."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.losses.prediction import Prediction

CHUNK_ROWS = 512
ROW_STEP = 64
SUM_STRETCH = 256
LARGEST_EXPONENT = 80.0


def softmax(
    hidden_ND: Tensor,
    items_VD: Tensor,
    target_NH: Tensor,
    weight_NH: Tensor,
    products: torch.dtype | None = None,
) -> Tensor:
    """Cross-entropy of the target items over the whole catalogue.

    ``1/N sum_n [ logsumexp_v(h_n.e_v) - sum_h w_nh h_n.e_t(n,h) ]``. The first part and its gradients are computed
    together, ``CHUNK_ROWS`` rows at a time in one buffer: the N x V logits never exist.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_NH: int64 [N, H], rows of ``items_VD`` that came next, after that, ...; any row where the weight is 0.
        weight_NH: [N, H], >= 0; rows sum to 1.
        products: What the N x V part is held and multiplied in; sums are in the type of ``items_VD``. Default:
            that type. In bfloat16 the gradients are off by about .5% in random directions.

    Returns:
        Scalar, >= 0.
    """
    log_sum: Tensor = _LogSumExp.apply(hidden_ND, items_VD, products or items_VD.dtype)  # type: ignore[no-untyped-call]
    target_logit_NH = (F.embedding(target_NH, items_VD) @ hidden_ND[:, :, None]).squeeze(2)
    return log_sum - (weight_NH * target_logit_NH).sum() / len(hidden_ND)


class _LogSumExp(torch.autograd.Function):
    """``1/N sum_n logsumexp_v(h_n.e_v)``, a scalar."""

    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, items_VD: Tensor, products: torch.dtype) -> Tensor:
        n_rows = len(hidden_ND)
        factor_VD = items_VD.to(products)
        factor_DV = factor_VD.T.contiguous()
        grad_hidden_ND, grad_items_VD = torch.empty_like(hidden_ND), torch.zeros_like(items_VD)
        wide = products == items_VD.dtype
        part_VD, wide_VD = (None, None) if wide else (torch.empty_like(factor_VD), torch.empty_like(items_VD))
        # Few different shapes: a library that makes a kernel for each is slow whenever it meets a new one.
        n_padded = -(-n_rows // ROW_STEP) * ROW_STEP
        padded_ND = F.pad(hidden_ND, (0, 0, 0, n_padded - n_rows))
        buffer_CV = factor_VD.new_empty(min(CHUNK_ROWS, n_padded), len(items_VD))
        small = _exponentials_are_finite(hidden_ND, items_VD)
        total = hidden_ND.new_zeros(())
        for first in range(0, n_rows, CHUNK_ROWS):
            hidden_CD = padded_ND[first : first + CHUNK_ROWS]
            n_real = min(len(hidden_CD), n_rows - first)
            power_CV = torch.mm(hidden_CD.to(products), factor_DV, out=buffer_CV[: len(hidden_CD)])
            if not small:
                largest_C1 = power_CV.amax(dim=1, keepdim=True)
                power_CV.sub_(largest_C1)
                total += largest_C1[:n_real].sum(dtype=total.dtype)
            power_CV.exp_()
            sum_C1 = _row_sums(power_CV, total.dtype)
            total += sum_C1[:n_real].log().sum()
            grad_hidden_ND[first : first + n_real] = ((power_CV @ factor_VD) / sum_C1)[:n_real]
            scaled_CD = (hidden_CD / sum_C1).to(products)  # 0 in rows that are padding
            if part_VD is None or wide_VD is None:
                grad_items_VD.addmm_(power_CV.T, scaled_CD)
            else:  # summed in the wider type
                grad_items_VD += wide_VD.copy_(torch.mm(power_CV.T, scaled_CD, out=part_VD))
        ctx.save_for_backward(grad_hidden_ND, grad_items_VD)
        return total / n_rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden_ND, grad_items_VD = ctx.saved_tensors
        share = grads[0] / len(grad_hidden_ND)
        return grad_hidden_ND * share, grad_items_VD * share, None


def _exponentials_are_finite(hidden_ND: Tensor, items_VD: Tensor) -> bool:
    """Whether no logit is so large that the exponentials of a row, as they are, leave the range of float32.

    Then no maximum has to be found and taken off. Not checked on a GPU, which would have to be synchronised.
    """
    if hidden_ND.device.type != "cpu" or len(hidden_ND) == 0:
        return False
    largest = hidden_ND.detach().norm(dim=1).amax() * items_VD.detach().norm(dim=1).amax()
    return float(largest) + math.log(len(items_VD)) < LARGEST_EXPONENT


def _row_sums(power_CV: Tensor, dtype: torch.dtype) -> Tensor:
    """Sums of rows in a wider type, [C, 1], without a copy of the matrix in it: stretches first, then their sums."""
    if power_CV.dtype == dtype:
        return power_CV.sum(dim=1, keepdim=True)
    n_stretches = power_CV.shape[1] // SUM_STRETCH
    whole = n_stretches * SUM_STRETCH
    stretch_CS = power_CV[:, :whole].view(len(power_CV), n_stretches, SUM_STRETCH).sum(dim=2)
    rest_C1 = power_CV[:, whole:].sum(dim=1, keepdim=True, dtype=dtype)
    return stretch_CS.sum(dim=1, keepdim=True, dtype=dtype) + rest_C1


def of_prediction(prediction: Prediction) -> Tensor:
    """The loss of a training step."""
    return softmax(
        prediction.hidden_ND,
        prediction.items_VD,
        prediction.row_NH,
        prediction.weight_NH,
        prediction.products,
    )
