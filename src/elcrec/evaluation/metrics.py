"""Metrics of one relevant item a user, from its rank among all items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict, cast

import polars as pl
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch

CUTOFFS = (1, 5, 10, 20, 50)
SELECTION_METRIC: Final = "ndcg@20"
Shown = Literal["hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20"]
SHOWN_METRICS: tuple[Shown, ...] = ("hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20")
SHOWN_OF_BASKETS = tuple(f"{metric}@{cutoff}" for cutoff in (5, 10, 20) for metric in ("hit_rate", "recall", "ndcg"))
"""The same of baskets: recall stands next to the hit rate."""

# What a terminal of 80 columns has room for.
PRINTED_METRICS = ("hit_rate@5", "hit_rate@10", "ndcg@10", "ndcg@20")
PRINTED_OF_BASKETS = ("hit_rate@10", "recall@10", "ndcg@10", "ndcg@20")

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


RecallMetrics = TypedDict(
    "RecallMetrics",
    {
        "recall@1": float,
        "recall@5": float,
        "recall@10": float,
        "recall@20": float,
        "recall@50": float,
    },
    total=False,
)
ByChance = TypedDict("ByChance", {"chance@10": float}, total=False)


class BasketMetrics(RankingMetrics, RecallMetrics):
    """Metrics of whole baskets; of one item a user, recall is the hit rate."""


def shown_metrics(found: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The metrics that a table of these rows shows: recall where it was measured for all, as it is for baskets."""
    rows = list(found)
    of_baskets = bool(rows) and all(row.keys() >= set(SHOWN_OF_BASKETS) for row in rows)
    return SHOWN_OF_BASKETS if of_baskets else SHOWN_METRICS


def printed_metrics(found: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Those that a terminal of 80 columns has room for, of :func:`shown_metrics`."""
    return PRINTED_OF_BASKETS if shown_metrics(found) == SHOWN_OF_BASKETS else PRINTED_METRICS


Figures = dict[str, float]
"""The metrics that tables show, of one baseline."""


class OtherWay(TypedDict, total=False):
    """The model (``model``) and the baselines with seen items ranked where the model excludes them, or the reverse.

    Attributes:
        exclude_seen: Whether they are excluded here.
        valid: Figures by name.
        test: Figures by name.
    """

    exclude_seen: bool
    valid: dict[str, Figures]
    test: dict[str, Figures]


class Verdict(TypedDict):
    """A model next to the best baseline, by the metric of each user.

    Attributes:
        baseline: Name of the best baseline.
        metric: What they are compared by.
        model: The model's, 0 to 1.
        best: The baseline's, 0 to 1.
        ratio: The model's over the baseline's; None where the baseline finds nothing.
        mean: Mean difference over users; above 0 the model is better.
        low: Lower end of its 95% interval.
        high: Upper end.
        p: See :class:`elcrec.evaluation.significance.Difference`.
        significant: Whether p is below 0.05.
    """

    baseline: str
    metric: str
    model: float
    best: float
    ratio: float | None
    mean: float
    low: float
    high: float
    p: float
    significant: bool


class BaselineMetrics(TypedDict, total=False):
    """The baselines on the parts of a log, evaluated as the model is.

    Attributes:
        valid: Figures by name of the baseline.
        test: Figures by name of the baseline.
        other_way: The same the other way, where held-out items repeat.
        left_out: Why, by name of the baseline.
        verdicts: The model next to the best baseline, by part.
    """

    valid: dict[str, Figures]
    test: dict[str, Figures]
    other_way: OtherWay
    left_out: dict[str, str]
    verdicts: dict[str, Verdict]


class NextToBaselines(TypedDict, total=False):
    """What is there where baselines were evaluated too."""

    baselines: BaselineMetrics


class Metrics(RankingMetrics, CoverageMetrics, RecallMetrics, ByChance, NextToBaselines):
    """All that is measured on a part of a log, ``valid`` or ``test``; :meth:`elcrec.ELCRec.evaluate` explains it."""

    repeats: float
    ceiling: float
    n_users: int
    n_items: int
    split: str


class Results(TypedDict, total=False):
    """Metrics of the held-out items of a log, as far as it has such items, and its sizes.

    Attributes:
        valid: Of the validation items.
        test: Of the test items.
        n_users: Of the log.
        n_items: Of the catalogue.
        baselines: What baselines reach on the same items.
        best_epoch: Of the training: the one whose weights were kept, from 1.
        epochs: Of the training: number of epochs.
    """

    valid: Metrics
    test: Metrics
    n_users: int
    n_items: int
    baselines: BaselineMetrics
    best_epoch: int
    epochs: int


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


def basket_metrics(row_X: Tensor, rank_X: Tensor, cutoffs: tuple[int, ...] = CUTOFFS) -> BasketMetrics:
    """Hit rate, recall, NDCG and MRR at each cutoff, of several relevant items a user.

    With n relevant items at ranks r_1 < r_2 < ...: ``hit = [r_1 <= k]``, ``recall = #{i: r_i <= k} / n``, ``ndcg =
    sum_{r_i <= k} 1 / log2(1 + r_i) / sum_{i <= min(k, n)} 1 / log2(1 + i)``, ``mrr = [r_1 <= k] / r_1``, averaged over
    users.

    Args:
        row_X: int64 [X], the user of each relevant item, ascending, from 0 without gaps.
        rank_X: int64 [X], ranks from 1.
        cutoffs: Each k.

    Returns:
        ``hit_rate@k``, ``recall@k``, ``ndcg@k``, ``mrr@k``, each in [0, 1].

    Source: Järvelin and Kekäläinen 2002 for DCG.
    """
    count_Q = torch.bincount(row_X)
    n_users = len(count_Q)
    rank = rank_X.double()
    best_Q = torch.full((n_users,), torch.inf, dtype=torch.float64, device=rank.device)
    best_Q = best_Q.scatter_reduce(0, row_X, rank, "amin")
    discount = 1 / torch.log2(1 + torch.arange(1, max(cutoffs) + 1, device=rank.device, dtype=torch.float64))
    metrics: dict[str, float] = {}
    for k in cutoffs:
        inside = (rank <= k).double()
        found_Q = inside.new_zeros(n_users).index_add(0, row_X, inside)
        gain_Q = inside.new_zeros(n_users).index_add(0, row_X, inside / torch.log2(1 + rank))
        hit_Q = (best_Q <= k).double()
        metrics[f"hit_rate@{k}"] = hit_Q.mean().item()
        metrics[f"recall@{k}"] = (found_Q / count_Q).mean().item()
        metrics[f"ndcg@{k}"] = (gain_Q / discount.cumsum(0)[count_Q.clamp(max=k) - 1]).mean().item()
        metrics[f"mrr@{k}"] = (hit_Q / best_Q).mean().item()
    return cast("BasketMetrics", metrics)


def metrics_of(histories: HistoryBatch, rank_X: Tensor) -> RankingMetrics:
    """Metrics of ranks, int64 [X], of what follows histories: of items, or of whole baskets."""
    return ranking_metrics(rank_X) if histories.until_Q is None else basket_metrics(histories.targets[0], rank_X)


def by_chance(histories: HistoryBatch, n_items: int) -> ByChance:
    """Of baskets, the hit rate of ten items drawn at random: ``1 - C(V - n, 10) / C(V, 10)``, averaged over users.

    Args:
        histories: Those before the baskets, of n distinct items.
        n_items: V.

    Returns:
        ``chance@10``, in [0, 1]; nothing where one item a user is predicted: its chance is ``10 / V``.
    """
    if histories.until_Q is None:
        return {}
    count_Q = torch.bincount(histories.targets[0], minlength=len(histories))
    drawn_K = torch.arange(min(10, n_items), device=count_Q.device)
    missed_QK = (n_items - count_Q[:, None] - drawn_K).clamp(min=0).double() / (n_items - drawn_K)
    return {"chance@10": 1 - missed_QK.prod(dim=1).mean().item()}
