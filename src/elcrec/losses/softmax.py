"""Softmax over the whole catalogue, whose logits never exist at once."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.losses.prediction import ExtraScores, Prediction

CHUNK_ROWS = 512
ROW_STEP = 64
SUM_STRETCH = 256
LARGEST_EXPONENT = 80.0


# reason: what a row counts, and what is added to scores, are given apart
def softmax(
    hidden_ND: Tensor,
    items_VD: Tensor,
    target_NH: Tensor,
    weight_NH: Tensor,
    products: torch.dtype | None = None,
    extra: ExtraScores | None = None,
    share_N: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the target items over the whole catalogue.

    ``1/N sum_n w_n [ logsumexp_v(s_nv) - sum_h w_nh s_nt(n,h) ]`` with ``s_nv = h_n.e_v`` and, where there are extra
    scores, their sum with those. The first part and its gradients are computed
    together, ``CHUNK_ROWS`` rows at a time in one buffer: the N x V logits never exist.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_NH: int64 [N, H], rows of ``items_VD`` that came next, after that, ...; any row where the weight is 0.
        weight_NH: [N, H], >= 0; rows sum to 1.
        products: What the N x V part is held and multiplied in; sums are in the type of ``items_VD``. Default:
            that type. In bfloat16 the gradients are off by about .5% in random directions.
        extra: What is added to the scores of some pairs of a row and an item.
        share_N: [N], weight of each row, mean 1; default: 1.

    Returns:
        Scalar, >= 0.
    """
    extra = ExtraScores.none(hidden_ND) if extra is None else extra
    log_sum = mean_log_sum(hidden_ND, items_VD, products or items_VD.dtype, extra, share_N)
    target_NH1 = F.embedding(target_NH, items_VD) @ hidden_ND[:, :, None]
    target_score_NH = target_NH1.squeeze(2) + extra.of(target_NH, len(items_VD))
    weight_NH = weight_NH if share_N is None else weight_NH * share_N[:, None]
    return log_sum - (weight_NH * target_score_NH).sum() / len(hidden_ND)


def mean_log_sum(
    hidden_ND: Tensor, items_VD: Tensor, products: torch.dtype, extra: ExtraScores | None, share_N: Tensor | None
) -> Tensor:
    """``1/N sum_n w_n logsumexp_v(s_nv)``, a scalar; the arguments are those of :func:`softmax`."""
    extra = ExtraScores.none(hidden_ND) if extra is None else extra
    pairs = (extra.row_P, extra.item_P, extra.score_P, share_N)
    log_sum: Tensor = _LogSumExp.apply(hidden_ND, items_VD, products, *pairs)  # type: ignore[no-untyped-call]
    return log_sum


class _LogSumExp(torch.autograd.Function):
    """``1/N sum_n w_n logsumexp_v(s_nv)``, a scalar."""

    @staticmethod
    # reason: every tensor with a gradient is an argument of its own
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        items_VD: Tensor,
        products: torch.dtype,
        row_P: Tensor,
        item_P: Tensor,
        score_P: Tensor,
        share_N: Tensor | None,
    ) -> Tensor:
        extra, grad_P = ExtraScores(row_P, item_P, score_P), torch.empty_like(score_P)
        n_rows = len(hidden_ND)
        factor_VD = items_VD.to(products)
        factor_DV = factor_VD.T.contiguous()
        grad_hidden_ND, grad_items_VD = torch.empty_like(hidden_ND), torch.zeros_like(items_VD)
        sums = _Sums(grad_items_VD, products)
        # Few different shapes: a library that makes a kernel for each is slow whenever it meets a new one.
        n_padded = -(-n_rows // ROW_STEP) * ROW_STEP
        padded_ND = F.pad(hidden_ND, (0, 0, 0, n_padded - n_rows))
        buffer_CV = factor_VD.new_empty(min(CHUNK_ROWS, n_padded), len(items_VD))
        small = _exponentials_are_finite(hidden_ND, items_VD, extra)
        total = hidden_ND.new_zeros(())
        for first in range(0, n_rows, CHUNK_ROWS):
            hidden_CD = padded_ND[first : first + CHUNK_ROWS]
            n_real = min(len(hidden_CD), n_rows - first)
            power_CV = torch.mm(hidden_CD.to(products), factor_DV, out=buffer_CV[: len(hidden_CD)])
            part = extra.between(first, first + n_real)
            at = (row_P[part] - first, item_P[part])
            power_CV[at] += score_P[part].to(products)
            if not small:
                largest_C1 = power_CV.amax(dim=1, keepdim=True)
                power_CV.sub_(largest_C1)
                total += _total(largest_C1[:n_real], share_N, first)
            power_CV.exp_()
            sum_C1 = _row_sums(power_CV, total.dtype)
            total += _total(sum_C1[:n_real].log(), share_N, first)
            if share_N is not None:
                sum_C1[:n_real] /= share_N[first : first + n_real, None]
            grad_hidden_ND[first : first + n_real] = ((power_CV @ factor_VD) / sum_C1)[:n_real]
            grad_P[part] = power_CV[at] / sum_C1[at[0], 0]
            sums.add_product(power_CV.T, (hidden_CD / sum_C1).to(products))  # 0 in rows that are padding
        ctx.save_for_backward(grad_hidden_ND, grad_items_VD, grad_P)
        return total / n_rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden_ND, grad_items_VD, grad_P = ctx.saved_tensors
        share = grads[0] / len(grad_hidden_ND)
        return grad_hidden_ND * share, grad_items_VD * share, None, None, None, grad_P * share, None


def _total(value_C1: Tensor, share_N: Tensor | None, first: int) -> Tensor:
    """Sum over the rows from ``first`` on, weighed by their shares, in the type of the shares or float32."""
    if share_N is None:
        return value_C1.sum(dtype=torch.promote_types(value_C1.dtype, torch.float32))
    return (value_C1[:, 0] * share_N[first : first + len(value_C1)]).sum()


class _Sums:
    """A sum of matrix products, kept in its own type where the products are of a narrower one."""

    def __init__(self, sum_VD: Tensor, products: torch.dtype) -> None:
        self._sum_VD = sum_VD
        self._product_VD = None if products == sum_VD.dtype else torch.empty_like(sum_VD, dtype=products)
        self._wide_VD = torch.empty_like(sum_VD) if self._product_VD is not None else sum_VD

    def add_product(self, left_VC: Tensor, right_CD: Tensor) -> None:
        if self._product_VD is None:
            self._sum_VD.addmm_(left_VC, right_CD)
        else:
            self._sum_VD += self._wide_VD.copy_(torch.mm(left_VC, right_CD, out=self._product_VD))


def _exponentials_are_finite(hidden_ND: Tensor, items_VD: Tensor, extra: ExtraScores) -> bool:
    """Whether no logit is so large that the exponentials of a row, as they are, leave the range of float32.

    Then no maximum has to be found and taken off. Not checked on a GPU, which would have to be synchronised.
    """
    if hidden_ND.device.type != "cpu" or len(hidden_ND) == 0:
        return False
    largest = hidden_ND.detach().norm(dim=1).amax() * items_VD.detach().norm(dim=1).amax()
    if len(extra.score_P):
        largest = largest + extra.score_P.detach().abs().amax()
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
        prediction.extra,
        prediction.share_N,
    )
