"""Metrics of baselines on the held-out items or baskets of a log, next to a model's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.evaluation.baselines import BASELINES, OF_EVENTS, OF_PAIRS, OF_SEEN_ITEMS, OF_USERS
from elcrec.evaluation.baselines.training_part import Scorer, TrainingPart
from elcrec.evaluation.metrics import Figures, RankingMetrics, metrics_of, shown_metrics
from elcrec.evaluation.ranks import ranks_of_blocks
from elcrec.process.progress import step

SCORES_AT_ONCE = 2**24
MOST_ROWS = 1024
MOST_SCORES = 2 * 10**9
"""A baseline with more scores, histories times items, is left out: it would take minutes."""
MOST_PAIRS = 2 * 10**8
"""The same of histories times users, where these are compared."""
MOST_ITEM_PAIRS = 3 * 10**8
"""The same of pairs of items in one basket, where these are counted."""
MOST_EVENTS = 2 * 10**7
"""The same of events, where a baseline holds all of them several times: of more it would need more than a training."""


class Compared(NamedTuple):
    """Baselines on one part of a log.

    Attributes:
        metrics: By way (seen items excluded: True, ranked: False), then by baseline: :func:`shown`.
        ranks: The same way: see :meth:`Baselines.ranks`.
        left_out: Why, by baseline.
    """

    metrics: dict[bool, dict[str, Figures]]
    ranks: dict[bool, dict[str, Tensor]]
    left_out: dict[str, str]


class Baselines:
    """Baselines of one training part; each counts when it is first needed, and once."""

    def __init__(self, training: TrainingPart, names: Iterable[str] = BASELINES) -> None:
        """Of a training part; default: all baselines."""
        self.training = training
        self.names = tuple(names)
        self._scorers: dict[str, Scorer] = {}

    def compare(self, histories: HistoryBatch, ways: tuple[bool, ...]) -> Compared:
        """Metrics of the baselines, by the ranks code of the model.

        Args:
            histories: Those before what is held out, of the log of the training part.
            ways: Seen items excluded (True), ranked (False) or both. Baselines of seen items are evaluated only with
                seen items ranked: without, they list popular items.
        """
        histories = on_cpu(histories)
        found: dict[bool, dict[str, Figures]] = {way: {} for way in ways}
        ranks: dict[bool, dict[str, Tensor]] = {way: {} for way in ways}
        left_out = {}
        for name in self.names:
            reason = self._too_large(name, len(histories))
            if reason is not None:
                left_out[name] = reason
                continue
            suitable = tuple(way for way in ways if not (way and name in OF_SEEN_ITEMS))
            with step(name):
                of_ways = ranks_of_blocks(self._blocks(name, histories), histories, suitable)
            for way, rank_X in of_ways.items():
                found[way][name], ranks[way][name] = shown(metrics_of(histories, rank_X)), rank_X
        return Compared(found, ranks, left_out)

    def ranks(self, name: str, histories: HistoryBatch, exclude_seen: bool) -> Tensor:
        """Ranks of what is held out by one baseline; see :func:`elcrec.evaluation.ranks.target_ranks`."""
        histories = on_cpu(histories)
        return ranks_of_blocks(self._blocks(name, histories), histories, (exclude_seen,))[exclude_seen]

    def _blocks(self, name: str, histories: HistoryBatch) -> Iterator[tuple[Tensor, Tensor]]:
        if name not in self._scorers:
            self._scorers[name] = BASELINES[name](self.training)
        for at_B, block in histories.shortest_first(max(1, min(MOST_ROWS, SCORES_AT_ONCE // self._width(name)))):
            yield at_B, self._scorers[name](block)

    def _width(self, name: str) -> int:
        """Numbers that a baseline holds for each history."""
        return 1 + max(self.training.n_items, self.training.split.n_users if name in OF_USERS else 0)

    def _too_large(self, name: str, n_histories: int) -> str | None:
        n_users = self.training.split.n_users
        if name in OF_USERS and n_histories * n_users > MOST_PAIRS:
            return f"too large: {n_histories:,} histories times {n_users:,} users"
        if name in OF_EVENTS and (n_events := int(self.training.learned_N.sum())) > MOST_EVENTS:
            return f"too large: {n_events:,} events"
        if name in OF_PAIRS and (n_pairs := self.training.n_pairs) > MOST_ITEM_PAIRS:
            return f"too large: {n_pairs:,} pairs of items in one basket"
        if n_histories * self.training.n_items > MOST_SCORES:
            return f"too large: {n_histories:,} histories times {self.training.n_items:,} items"
        return None


def on_cpu(histories: HistoryBatch) -> HistoryBatch:
    """The same in main memory."""
    tensors = {name: value.cpu() for name, value in vars(histories).items() if isinstance(value, Tensor)}
    return HistoryBatch(**{**vars(histories), **tensors})


def shown(metrics: RankingMetrics) -> Figures:
    """What tables show of metrics; of baskets the recall too."""
    return {name: float(metrics[name]) for name in shown_metrics([metrics])}  # type: ignore[literal-required]
