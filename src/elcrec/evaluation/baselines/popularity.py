"""Popularity baselines: no history is looked at."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.splits import Split
from elcrec.evaluation.baselines.training_part import Floats, Scorer, TrainingPart

HALF_LIFE = 0.02
"""Half-life of popularity, as a share of the time that the middle 90% of the events span."""
HALF_LIFE_EVENTS = 10
"""The same in a log without times: in later events of the same user."""
MOST_HALF_LIVES = 1000.0


def popularity_scores(split: Split, n_items: int) -> Tensor:
    """How often each item occurs in the training part: float [V + 1], column 0 (padding) is 0.

    Where one kind of event is predicted, its events count alone.
    """
    counts_N = split.before(split.train_end_U)
    if split.judged_N is not None:
        counts_N &= split.judged_N
    return torch.bincount(split.item_N[counts_N], minlength=n_items + 1).float()


def popularity(training: TrainingPart) -> Scorer:
    """The most frequent items, the same for all users."""
    score_V = popularity_scores(training.split, training.n_items)
    return lambda histories: score_V.repeat(len(histories), 1)


def popularity_recent(training: TrainingPart) -> Scorer:
    """The most frequent items of late: an event counts half as much after each half-life.

    With times, ``score(v) = sum .5^((t - t_e) / h)`` over the events e of item v before the time t of what is to be
    predicted; h is a fiftieth of the time that the middle 90% of the events span, in whatever unit. Without times,
    t - t_e is the number of events that followed in the training part of the event's user, and h = 10.

    Source: DecayPop of Ji, Sun, Zhang and Li, "A re-visit of the popularity baseline in recommender systems" (SIGIR
    2020, arXiv 2005.13829), which counts by months; popularity at the time of each prediction is theirs too.
    """
    if training.time_N is None or not training.target_N.any():
        return _recent_in_position(training)
    return _RecentInTime(training, training.time_N)


def _recent_in_position(training: TrainingPart) -> Scorer:
    split = training.split
    after_N = (split.train_end_U[split.user_N] - 1).numpy() - np.arange(len(split.item_N))
    score_V = torch.from_numpy(training.popular(0.5 ** (after_N[training.target_N] / HALF_LIFE_EVENTS)))
    return lambda histories: score_V.repeat(len(histories), 1)


class _RecentInTime:
    """Decayed counts before any moment; all times are in half-lives."""

    def __init__(self, training: TrainingPart, time_N: Floats) -> None:
        early, late = np.quantile(time_N[training.target_N], [0.05, 0.95])
        self._time_N = (time_N - early) / max(HALF_LIFE * (late - early), np.finfo(float).tiny)
        time_M = self._time_N[training.target_N]
        order_M = time_M.argsort(kind="stable")
        self._time_M = time_M[order_M]
        self._item_M = training.split.item_N.numpy()[training.target_N][order_M]
        self._n_columns = training.n_items + 1

    def __call__(self, histories: HistoryBatch) -> Tensor:
        """Scores of histories that something follows, each row at most 1."""
        now_B = self._time_N[histories.end_Q.numpy()]
        order_B = now_B.argsort(kind="stable")
        now_B = now_B[order_B]
        until_B = self._time_M.searchsorted(now_B)  # events strictly before
        row_M = np.repeat(np.arange(len(now_B)), np.diff(until_B, prepend=0))
        weight_M = 0.5 ** (now_B[-1] - self._time_M[: len(row_M)]).clip(max=MOST_HALF_LIVES)
        cell_M = row_M * self._n_columns + self._item_M[: len(row_M)]
        added_BV = np.bincount(cell_M, weight_M, minlength=len(now_B) * self._n_columns)
        # Counts of nothing are whole numbers.
        score_BV = added_BV.reshape(len(now_B), -1).cumsum(axis=0, dtype=np.float64)
        score_BV /= np.maximum(score_BV.max(axis=1, keepdims=True), np.finfo(float).tiny)
        return torch.from_numpy(score_BV[order_B.argsort()])
