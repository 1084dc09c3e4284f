"""Metrics of one relevant item a user, from its rank among all items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypedDict, cast

import polars as pl
import torch
from torch import Tensor

CUTOFFS = (1, 5, 10, 20, 50)
SELECTION_METRIC: Final = "ndcg@20"
Shown = Literal["hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20"]
SHOWN_METRICS: tuple[Shown, ...] = ("hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20")

RankingMetrics = TypedDict(
    "RankingMetrics",
    {
        "hit_rate@1": float,
        "ndcg@1": float,
        "mrr@1": float,
        "hit_rate@5": float,
        "ndcg@5": float,
        "mrr@5": float,
        "hit_rate@10": float,
        "ndcg@10": float,
        "mrr@10": float,
        "hit_rate@20": float,
        "ndcg@20": float,
        "mrr@20": float,
        "hit_rate@50": float,
        "ndcg@50": float,
        "mrr@50": float,
    },
)

CoverageMetrics = TypedDict(
    "CoverageMetrics",
    {
        "coverage@1": float,
        "coverage@5": float,
        "coverage@10": float,
        "coverage@20": float,
        "coverage@50": float,
    },
)


class Metrics(RankingMetrics, CoverageMetrics):
    """All that is measured on a part of a log, ``valid`` or ``test``; :meth:`elcrec.ELCRec.evaluate` explains it."""

    repeats: float
    ceiling: float
    n_users: int
    n_items: int
    split: str


class Results(TypedDict, total=False):
    """Metrics of the held-out items of a log, as far as it has such items, and its sizes."""

    valid: Metrics
    test: Metrics
    n_users: int
    n_items: int


def measured_parts(results: Results) -> dict[str, Metrics]:
    """Metrics by part of the log, ``valid`` and ``test``; only parts that have held-out items."""
    parts = {"valid": results.get("valid"), "test": results.get("test")}
    return {part: metrics for part, metrics in parts.items() if metrics is not None}


@dataclass(frozen=True)
class Evaluation:
    """What ranking the held-out items gave.

    Attributes:
        metrics: Means over users.
        ranks: ``user_id``, ``item_id``, ``rank`` (from 1; null: not ranked).
    """

    metrics: Metrics
    ranks: pl.DataFrame


def ranking_metrics(rank_Q: Tensor, cutoffs: tuple[int, ...] = CUTOFFS) -> RankingMetrics:
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
    return cast("RankingMetrics", metrics)
