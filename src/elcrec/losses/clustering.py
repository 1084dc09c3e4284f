"""Cluster losses: they bring behaviour embeddings and intent centres together."""

from __future__ import annotations

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


BALANCE = 0.01


def nearest_cluster_loss(
    behaviour_BD: Tensor,
    centers_KD: Tensor,
    users_K: Tensor,
    balance: float = BALANCE,
    cosine_BK: Tensor | None = None,
) -> Tensor:
    """How far behaviours are from their centre: ``1 - 1/B sum_i cos(h_i, c_a(i))``.

    ``a(i) = argmax_k cos(h_i, c_k) - s log((n_k + 1) / (mean n + 1))``: the objective of spherical k-means, but
    large intents give way to small ones, so that none dies and none takes over.
    Gradients flow into behaviours and centres; the assignment is held fixed.

    Args:
        behaviour_BD: [B, D].
        centers_KD: [K, D].
        users_K: [K], users of each intent so far, n; >= 0.
        balance: s, >= 0, strength of the load-balancing bias: the cosine that an intent e times larger than the
            average gives away.
        cosine_BK: [B, K], cosines of behaviours and centres, where they are known already.

    Returns:
        Scalar, 0 to 2.

    Source: spherical k-means (Dhillon and Modha 2001) with a conscience (DeSieno 1988), in place of ELCRec
    eq. 7. docs/intents.md compares it with other losses.
    """
    if cosine_BK is None:
        cosine_BK = F.normalize(behaviour_BD.detach(), dim=-1) @ F.normalize(centers_KD.detach(), dim=-1).T
    users_K = users_K.to(cosine_BK.dtype)
    bias_K = balance * ((users_K + 1) / (users_K.mean() + 1)).log()
    assigned_B = (cosine_BK - bias_K).max(dim=1).indices  # several times faster than argmax
    return 1 - F.cosine_similarity(behaviour_BD, F.embedding(assigned_B, centers_KD), dim=1, eps=1e-12).mean()
