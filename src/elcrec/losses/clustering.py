"""Losses that pull behaviour embeddings and intent centres together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def separation(centers_KD: Tensor) -> Tensor:
    """``-1/K^2 sum_ij |c_i - c_j|^2 = 2 |m|^2 - 2 mean |c|^2`` with m the mean centre, in O(KD).

    Returns:
        Scalar, <= 0.

    Source: ELCRec eq. 5, which divides by K(K-1); the released program by K^2.
    """
    return 2 * centers_KD.mean(dim=0).square().sum() - 2 * centers_KD.square().sum(dim=1).mean()


def alignment(behaviour_BD: Tensor, centers_KD: Tensor) -> Tensor:
    """``1/(BK) sum_ij |h_i - c_j|^2 = mean |h|^2 + mean |c|^2 - 2 mean(h).mean(c)``, in O((B+K)D).

    Returns:
        Scalar, >= 0.

    Source: ELCRec eq. 6.
    """
    return (
        behaviour_BD.square().sum(dim=1).mean()
        + centers_KD.square().sum(dim=1).mean()
        - 2 * behaviour_BD.mean(dim=0) @ centers_KD.mean(dim=0)
    )


def printed_cluster_loss(behaviour_BD: Tensor, centers_KD: Tensor) -> Tensor:
    """The paper's cluster loss: :func:`separation` plus :func:`alignment`.

    For unit rows it sees the centres only through their mean, so it cannot keep them apart: see
    docs/fidelity.md.

    Args:
        behaviour_BD: [B, D], unit rows.
        centers_KD: [K, D], unit rows.

    Returns:
        Scalar.

    Source: ELCRec eq. 7.
    """
    return separation(centers_KD) + alignment(behaviour_BD, centers_KD)


def balanced_cluster_loss(behaviour_BD: Tensor, centers_KD: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of the assignment of behaviours to centres against a balanced assignment of the batch.

    ``-1/B sum_i sum_k q_ik log softmax_k(cos(h_i, c_k) / t)`` where q is the transport plan that gives every
    centre the same share of the batch (:func:`balanced_assignment`), held fixed.

    Args:
        behaviour_BD: [B, D].
        centers_KD: [K, D].
        temperature: t > 0.

    Returns:
        Scalar, >= 0.

    Source: the assignment of SwAV (arXiv 2006.09882) eq. 2-3, in place of ELCRec eq. 7.
    """
    cosine_BK = F.normalize(behaviour_BD, dim=-1) @ F.normalize(centers_KD, dim=-1).T
    target_BK = balanced_assignment(cosine_BK.detach())
    return -(target_BK * F.log_softmax(cosine_BK / temperature, dim=-1)).sum(dim=1).mean()


@torch.no_grad()
def balanced_assignment(score_BK: Tensor, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Soft assignment in which every row sums to 1 and every centre gets about the same total.

    Args:
        score_BK: [B, K], higher is closer.
        epsilon: Entropy of the plan; small is hard.
        iterations: Rounds of Sinkhorn-Knopp.

    Returns:
        [B, K], rows sum to 1.

    Source: Sinkhorn-Knopp as in SwAV (arXiv 2006.09882) section 3.1.
    """
    log_plan = score_BK / epsilon
    for _ in range(iterations):
        log_plan = log_plan - log_plan.logsumexp(dim=0, keepdim=True)
        log_plan = log_plan - log_plan.logsumexp(dim=1, keepdim=True)
    return log_plan.exp()
