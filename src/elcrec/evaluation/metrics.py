"""Metrics of one relevant item a user, from its rank among all items."""

from __future__ import annotations

import torch
from torch import Tensor

CUTOFFS = (1, 5, 10, 20, 50)


def ranking_metrics(rank_Q: Tensor, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, float]:
    """Hit rate, NDCG and MRR at each cutoff.

    With one relevant item at rank r: ``hit = [r <= k]``, ``ndcg = [r <= k] / log2(1 + r)``,
    ``mrr = [r <= k] / r``, averaged over users.

    Args:
        rank_Q: int64 [Q], ranks from 1; Q >= 1.
        cutoffs: Each k.

    Returns:
        ``hit_rate@k``, ``ndcg@k``, ``mrr@k``, each in [0, 1] with mrr <= ndcg <= hit_rate.

    Source: Järvelin and Kekäläinen 2002 (DCG, log2), ideal DCG 1 with one relevant item.
    """
    rank = rank_Q.double()
    gain, inverse = 1 / torch.log2(1 + rank), 1 / rank
    metrics: dict[str, float] = {}
    for k in cutoffs:
        hit = (rank <= k).double()
        metrics[f"hit_rate@{k}"] = hit.mean().item()
        metrics[f"ndcg@{k}"] = (hit * gain).mean().item()
        metrics[f"mrr@{k}"] = (hit * inverse).mean().item()
    return metrics
