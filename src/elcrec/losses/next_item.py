"""How well the next item is predicted."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_ROWS = 256


def bce(hidden_ND: Tensor, positive_ND: Tensor, negative_ND: Tensor) -> Tensor:
    """Binary cross-entropy with one negative a position.

    ``-1/N sum_n [ log s(h.p) + log(1 - s(h.n)) ]`` with s the logistic function, 1e-24 inside the
    logarithms as released.

    Args:
        hidden_ND: [N, D], real positions only.
        positive_ND: [N, D], vectors of the items that came next.
        negative_ND: [N, D], vectors of the negatives.

    Returns:
        Scalar, >= 0.

    Source: ELCRec eq. 2 (SASRec eq. 8).
    """
    positive_N = (hidden_ND * positive_ND).sum(dim=1).sigmoid()
    negative_N = (hidden_ND * negative_ND).sum(dim=1).sigmoid()
    return -((positive_N + 1e-24).log() + (1 - negative_N + 1e-24).log()).mean()


def gbce(hidden_ND: Tensor, positive_ND: Tensor, negative_NMD: Tensor, n_items: int, calibration: float) -> Tensor:
    """Binary cross-entropy with M negatives a position, the positive's probability raised to a power.

    ``-1/N sum_n [ b log s(h.p) + sum_m log(1 - s(h.n_m)) ]`` with s the logistic function and
    ``b = a (t (1 - 1/a) + 1/a)``, ``a = M / (V - 1)``: 1 for t = 0 (plain), a for t = 1. It undoes the
    overconfidence that comes from seeing few negatives.

    Args:
        hidden_ND: [N, D], real positions only.
        positive_ND: [N, D], vectors of the items that came next.
        negative_NMD: [N, M, D], vectors of the negatives, M >= 1.
        n_items: Size of the catalogue, V >= 2.
        calibration: t, 0 to 1.

    Returns:
        Scalar, >= 0.

    Source: gSASRec (arXiv 2308.07192) eq. 15 to 17.
    """
    sampled = min(negative_NMD.shape[1] / (n_items - 1), 1.0)
    power = sampled * (calibration * (1 - 1 / sampled) + 1 / sampled)
    positive_N = (hidden_ND * positive_ND).sum(dim=1)
    negative_NM = (negative_NMD @ hidden_ND[:, :, None]).squeeze(2)
    return -(power * F.logsigmoid(positive_N) + F.logsigmoid(-negative_NM).sum(dim=1)).mean()


def sampled_softmax(
    hidden_ND: Tensor, items_VD: Tensor, target_NH: Tensor, weight_NH: Tensor, drawn_M: Tensor, expected_M: Tensor
) -> Tensor:
    """Cross-entropy over the targets and M drawn items, each draw weighed by how often it had to be expected.

    ``1/N sum_n [ log( sum_h e^(h.e_h) + sum_m e^(h.e_m) / q_m ) - sum_h w_h h.e_h ]``, draws that hit a target left
    out: the sums estimate that of the whole catalogue, so the loss tends to :func:`softmax` as M grows.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_NH: int64 [N, H], rows of ``items_VD``, different ones; see :func:`softmax`.
        weight_NH: [N, H]; see :func:`softmax`.
        drawn_M: int64 [M], rows of ``items_VD``, the same for all positions.
        expected_M: [M], q > 0: how many of the M draws were expected to give that row.

    Returns:
        Scalar, >= 0.

    Source: Bengio and Senecal 2008 (importance sampling); the targets are there for certain, so their own logits
    are not corrected.
    """
    target_logit_NH = (F.embedding(target_NH, items_VD) @ hidden_ND[:, :, None]).squeeze(2)
    drawn_logit_NM = hidden_ND @ F.embedding(drawn_M, items_VD).T - expected_M.log()
    hit_NM = (drawn_M == target_NH[:, :, None]).logical_and(weight_NH[:, :, None] > 0).any(dim=1)
    logits = [target_logit_NH.masked_fill(weight_NH == 0, -torch.inf), drawn_logit_NM.masked_fill(hit_NM, -torch.inf)]
    return (torch.cat(logits, dim=1).logsumexp(dim=1) - (weight_NH * target_logit_NH).sum(dim=1)).mean()


def softmax(
    hidden_ND: Tensor,
    items_VD: Tensor,
    target_NH: Tensor,
    weight_NH: Tensor,
    products: torch.dtype | None = None,
) -> Tensor:
    """Cross-entropy of the coming items over the whole catalogue.

    ``1/N sum_n [ logsumexp_v(h_n.e_v) - sum_h w_nh h_n.e_t(n,h) ]``. Loss and both gradients are computed together,
    ``CHUNK_ROWS`` rows at a time in two reused buffers: the N x V logits never exist. A single target's loss is
    reported as at most 87 (the logarithm of the smallest normal float32); its gradient is exact beyond.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_NH: int64 [N, H], rows of ``items_VD`` that came next, after that, ...; any row where the weight is 0.
        weight_NH: [N, H], >= 0; rows sum to 1.
        products: What logits and shares are held and multiplied in; sums are in the type of ``items_VD``. Default:
            that type. In bfloat16 gradients are off by about .5% in random directions.

    Returns:
        Scalar, >= 0.
    """
    loss: Tensor = _FusedSoftmax.apply(  # type: ignore[no-untyped-call]
        hidden_ND, items_VD, target_NH, weight_NH, products or items_VD.dtype
    )
    return loss


class _FusedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, items_VD: Tensor, target_NH: Tensor, weight_NH: Tensor, products: torch.dtype
    ) -> Tensor:
        n_rows, n_items = hidden_ND.shape[0], items_VD.shape[0]
        factor_ND, factor_VD = hidden_ND.to(products), items_VD.to(products)
        factor_DV = factor_VD.T.contiguous()
        chunk_rows = min(CHUNK_ROWS, n_rows)
        buffers = factor_ND.new_empty(2, chunk_rows, n_items)
        grad_hidden_ND, grad_items_VD = torch.empty_like(factor_ND), torch.zeros_like(items_VD)
        part_VD = None if products == items_VD.dtype else torch.empty_like(factor_VD)
        tiny = torch.finfo(products).tiny
        loss = hidden_ND.new_zeros(())
        for first in range(0, n_rows, chunk_rows):
            rows = slice(first, first + chunk_rows)
            factor_CD, target_CH, weight_CH = factor_ND[rows], target_NH[rows], weight_NH[rows]
            logit_CV, share_CV = buffers[:, : factor_CD.shape[0]]
            torch.mm(factor_CD, factor_DV, out=logit_CV)
            torch.softmax(logit_CV, dim=1, out=share_CV)
            share_CH = share_CV.gather(1, target_CH).clamp_min_(tiny).to(loss.dtype)
            loss -= (share_CH.log_() * weight_CH).sum()
            share_CV.scatter_add_(1, target_CH, -weight_CH.to(products))
            torch.mm(share_CV, factor_VD, out=grad_hidden_ND[rows])
            if part_VD is None:
                grad_items_VD.addmm_(share_CV.T, factor_CD)
            else:  # summed in the wider type
                grad_items_VD += torch.mm(share_CV.T, factor_CD, out=part_VD)
        ctx.save_for_backward(grad_hidden_ND.to(hidden_ND.dtype).div_(n_rows), grad_items_VD.div_(n_rows))
        return loss / n_rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_hidden_ND, grad_items_VD = ctx.saved_tensors
        return grad_hidden_ND * grads[0], grad_items_VD * grads[0], None, None, None


def fast_products(device: torch.device) -> torch.dtype:
    """What :func:`softmax` best multiplies in: bfloat16 where the processor has instructions for it, else float32."""
    if device.type == "cuda":
        has_it = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older PyTorch cannot tell
        has_it = bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return torch.bfloat16 if has_it else torch.float32
