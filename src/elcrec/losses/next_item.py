"""How well the next item is predicted."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_ROWS = 64


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
    hidden_ND: Tensor, items_VD: Tensor, target_N: Tensor, drawn_M: Tensor, expected_M: Tensor
) -> Tensor:
    """Cross-entropy over the target and M drawn items, each weighed by how often it had to be expected.

    ``1/N sum_n [ log( e^(h.e_t) + sum_m e^(h.e_m) / q_m ) - h.e_t ]``, draws that hit the target left out: the sum
    estimates that of the whole catalogue, so the loss tends to :func:`softmax` as M grows.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_N: int64 [N], row of ``items_VD`` that came next.
        drawn_M: int64 [M], rows of ``items_VD``, the same for all positions.
        expected_M: [M], q > 0: how many of the M draws were expected to give that row.

    Returns:
        Scalar, >= 0.

    Source: Bengio and Senecal 2008 (importance sampling); the target is there for certain, so its own logit
    is not corrected.
    """
    target_N1 = (hidden_ND * F.embedding(target_N, items_VD)).sum(dim=1, keepdim=True)
    logit_NM = hidden_ND @ F.embedding(drawn_M, items_VD).T - expected_M.log()
    logit_NM = logit_NM.masked_fill(drawn_M == target_N[:, None], float("-inf"))
    return (torch.cat([target_N1, logit_NM], dim=1).logsumexp(dim=1) - target_N1[:, 0]).mean()


def softmax(hidden_ND: Tensor, items_VD: Tensor, target_N: Tensor) -> Tensor:
    """Cross-entropy of the next item over the whole catalogue.

    ``1/N sum_n [ logsumexp_v(h_n.e_v) - h_n.e_t(n) ]``. Loss and both gradients are computed together,
    ``CHUNK_ROWS`` rows at a time in one reused buffer: the N x V logits never exist. A single row's loss is
    reported as at most 87 (the logarithm of the smallest float32); its gradient is exact beyond.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_N: int64 [N], row of ``items_VD`` that came next.

    Returns:
        Scalar, >= 0.
    """
    loss: Tensor = _FusedSoftmax.apply(hidden_ND, items_VD, target_N)  # type: ignore[no-untyped-call]
    return loss


class _FusedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, items_VD: Tensor, target_N: Tensor) -> Tensor:
        n_rows, n_items = hidden_ND.shape[0], items_VD.shape[0]
        items_DV = items_VD.T.contiguous()
        grad_hidden_ND = torch.empty_like(hidden_ND)
        grad_items_VD = torch.zeros_like(items_VD)
        buffers = hidden_ND.new_empty(2, min(CHUNK_ROWS, n_rows), n_items)
        tiny = torch.finfo(hidden_ND.dtype).tiny
        loss = hidden_ND.new_zeros(())
        for first in range(0, n_rows, CHUNK_ROWS):
            rows = slice(first, first + CHUNK_ROWS)
            hidden_CD, target_C1 = hidden_ND[rows], target_N[rows, None]
            logit_CV, share_CV = buffers[:, : hidden_CD.shape[0]]
            torch.mm(hidden_CD, items_DV, out=logit_CV)
            torch.softmax(logit_CV, dim=1, out=share_CV)
            loss -= share_CV.gather(1, target_C1).clamp_min_(tiny).log_().sum()
            share_CV.scatter_add_(1, target_C1, share_CV.new_full(target_C1.shape, -1.0))
            torch.mm(share_CV, items_VD, out=grad_hidden_ND[rows])
            grad_items_VD.addmm_(share_CV.T, hidden_CD)
        ctx.save_for_backward(grad_hidden_ND.div_(n_rows), grad_items_VD.div_(n_rows))
        return loss / n_rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden_ND, grad_items_VD = ctx.saved_tensors
        return grad_hidden_ND * grads[0], grad_items_VD * grads[0], None
