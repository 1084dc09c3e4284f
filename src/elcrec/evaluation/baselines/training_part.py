"""What baselines count in, and the events of histories as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy  # which loads scipy.sparse when it is first used
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Scorer = Callable[[HistoryBatch], Tensor]
"""B histories of a log to the scores of all items, float [B, V + 1] in main memory: column 0 (padding) is 0."""


@dataclass(frozen=True)
class TrainingPart:
    """The events of a log that may be learned from.

    Attributes:
        split: The log, in main memory.
        n_items: Size of the catalogue, V.
        time_N: float64 [N], when each event happened, in any unit; None for a log without times.
    """

    split: Split
    n_items: int
    time_N: Floats | None = None

    @classmethod
    def of(cls, log: Interactions, split: Split, n_items: int) -> TrainingPart:
        """Of a log and its split."""
        frame = log.frame
        times = frame["timestamp"].to_physical().cast(pl.Float64).to_numpy() if "timestamp" in frame.columns else None
        return cls(split.to(torch.device("cpu")), n_items, times)

    @cached_property
    def learned_N(self) -> npt.NDArray[np.bool_]:
        """Which events may be learned from: bool [N]."""
        return self.split.before(self.split.train_end_U).numpy()

    @cached_property
    def target_N(self) -> npt.NDArray[np.bool_]:
        """Which of them count as what follows, or is popular: those that could be held out: bool [N].

        They are of the kind that is predicted, and weigh more than 0.
        """
        judged_N = self.split.judged_N
        return self.learned_N if judged_N is None else self.learned_N & judged_N.numpy()

    @property
    def n_pairs(self) -> int:
        """Number of pairs of events in one basket, each with itself, too; about that of pairs in one and the next."""
        newest_N = self.split.newest_N
        if newest_N is None:
            return int(self.learned_N.sum())
        return int((np.bincount(newest_N.numpy()[self.learned_N]) ** 2).sum())

    def popular(self, weight_M: Floats | None = None) -> Floats:
        """Popularity by item, of the events in ``target_N``: their number, or the sum of their weights; [V + 1]."""
        item_M = self._item_N[self.target_N]
        return np.bincount(item_M, weight_M, minlength=self.n_items + 1).astype(np.float64)

    @property
    def decider_V(self) -> Floats:
        """Popularity from 0 to below 1, which decides between equal whole numbers: float64 [V + 1]."""
        count_V = self.popular()
        below_1_V: Floats = count_V / (count_V.max() + 1)
        return below_1_V

    @property
    def _item_N(self) -> Ints:
        item_N: Ints = self.split.item_N.numpy()
        return item_N

    @property
    def users(self) -> HistoryBatch:
        """The part of each user, in their order; empty where nothing may be learned from."""
        split = self.split
        return HistoryBatch(split.item_N, split.start_U, split.train_end_U, newest_N=split.newest_N)

    def user_of(self, histories: HistoryBatch) -> Ints:
        """Whose each history is: int64 [B]."""
        return np.searchsorted(self.split.start_U.numpy(), histories.start_Q.numpy())


class Events(NamedTuple):
    """The events of histories, history by history, oldest first.

    Attributes:
        row_X: int64 [X], the history.
        item_X: int64 [X], the item.
        age_X: int64 [X], how many baskets of the history came after the event's; a log without baskets has one for each
            event.
        baskets_B: int64 [B], number of baskets of each history.
    """

    row_X: Ints
    item_X: Ints
    age_X: Ints
    baskets_B: Ints

    @classmethod
    def of(cls, histories: HistoryBatch) -> Events:
        """Of histories in main memory."""
        row_X, at_X = (one_X.numpy() for one_X in histories.events)
        basket_X = at_X if histories.newest_N is None else histories.newest_N.numpy()[at_X]
        begins_X = (np.diff(basket_X, prepend=-1) != 0) | (np.diff(row_X, prepend=-1) != 0)
        baskets_B = np.bincount(row_X, begins_X, minlength=len(histories)).astype(np.int64)
        age_X = baskets_B.cumsum()[row_X] - begins_X.cumsum()
        return cls(row_X, histories.item_N.numpy()[at_X], age_X, baskets_B)

    def once_a_basket(self) -> Events:
        """The same without an item's further events in one basket, in another order within histories."""
        age_X, item_X = self.age_X, self.item_X
        order_X = np.lexsort((item_X, age_X, self.row_X))
        keys = (self.row_X[order_X], age_X[order_X], item_X[order_X])
        first_X = np.any([np.diff(key, prepend=-1) != 0 for key in keys], axis=0)
        row_Y, age_Y, item_Y = (key[first_X] for key in keys)
        return Events(row_Y, item_Y, age_Y, self.baskets_B)

    def of_newest(self, n: int) -> Events:
        """Those of the newest n baskets."""
        newest_X = self.age_X < n
        return Events(self.row_X[newest_X], self.item_X[newest_X], self.age_X[newest_X], self.baskets_B)

    def matrix(self, weight_X: Floats, n_items: int) -> scipy.sparse.csr_array:
        """Sums of weights by history and item: sparse float64 [B, V + 1]."""
        shape = (len(self.baskets_B), n_items + 1)
        return scipy.sparse.coo_array((weight_X, (self.row_X, self.item_X)), shape=shape).tocsr()


def dense(score_BV: scipy.sparse.csr_array) -> Tensor:
    """Scores as a tensor, float32."""
    return torch.from_numpy(score_BV.astype(np.float32).toarray())
