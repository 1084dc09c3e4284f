"""Histories to encode, score or explain: one type for all components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl
import torch
from torch import Tensor

from elcrec.data.batches import histories
from elcrec.data.features import Features


@dataclass(frozen=True)
class HistoryBatch:
    """Q histories: of history q the items at positions ``start_Q[q] .. end_Q[q] - 1`` of ``item_N``, oldest first.

    Attributes:
        item_N: int64 [N], item indices.
        start_Q: int64 [Q], first position of each history.
        end_Q: int64 [Q], position after its last, > start. Where an item is predicted, it is the one at this position.
        ids: [Q], the caller's name for each: user ids, or numbers of histories; None where they are not needed.
        newest_N: int64 [N], position of the last event of each event's basket, the events of one user at one time;
            None where each event is a basket of its own.
        until_Q: int64 [Q], position after the last item to predict, > end; None where one item is predicted.
        judged_N: bool [N], which events are items to predict, of those before ``until_Q``; None: all.
        event_N: int64 [N], codes of the events (:mod:`elcrec.data.event_codes`); None where none are known.
        user_features: Of whose histories these are, a row each; None where nothing is known of any user.
    """

    item_N: Tensor
    start_Q: Tensor
    end_Q: Tensor
    ids: pl.Series | None = None
    newest_N: Tensor | None = None
    until_Q: Tensor | None = None
    judged_N: Tensor | None = None
    event_N: Tensor | None = None
    user_features: Features | None = None

    @classmethod
    def joined(cls, item_N: Tensor, length_Q: Tensor, ids: pl.Series | None = None) -> HistoryBatch:
        """Histories that lie end to end in ``item_N``, of lengths int64 [Q]."""
        end_Q = length_Q.cumsum(0)
        return cls(item_N, end_Q - length_Q, end_Q, ids)

    def __len__(self) -> int:
        return len(self.start_Q)

    @property
    def target_Q(self) -> Tensor:
        """The item that follows each history, int64 [Q]; of a basket to predict the first."""
        return self.item_N[self.end_Q]

    @property
    def targets(self) -> tuple[Tensor, Tensor]:
        """The distinct items to predict: which history, int64 [X], ascending, and which item, int64 [X]."""
        if self.until_Q is None:
            return torch.arange(len(self), device=self.start_Q.device), self.target_Q
        row_X, at_X = ranges(self.end_Q, self.until_Q)
        if self.judged_N is not None:
            judged_X = self.judged_N[at_X]
            row_X, at_X = row_X[judged_X], at_X[judged_X]
        item_X = self.item_N[at_X]
        n_keys = int(item_X.max()) + 1 if len(item_X) else 1
        key_X = torch.unique(row_X * n_keys + item_X)
        return key_X // n_keys, key_X % n_keys

    @property
    def events(self) -> tuple[Tensor, Tensor]:
        """All events: which history, int64 [X], ascending, and which position in ``item_N``, int64 [X]."""
        return ranges(self.start_Q, self.end_Q)

    @property
    def named(self) -> pl.Series:
        """``ids``; numbers from 0 where there are none."""
        return pl.Series("history", range(len(self)), dtype=pl.Int64) if self.ids is None else self.ids

    def at(self, at_X: Tensor) -> HistoryBatch:
        """Those at some places, int64 [X]."""
        ids = None if self.ids is None else self.ids.gather(at_X.cpu().numpy())
        until_X = None if self.until_Q is None else self.until_Q[at_X]
        features = None if self.user_features is None else self.user_features.at(at_X)
        start_X, end_X = self.start_Q[at_X], self.end_Q[at_X]
        return replace(self, start_Q=start_X, end_Q=end_X, ids=ids, until_Q=until_X, user_features=features)

    def blocks(self, rows: int) -> Iterator[HistoryBatch]:
        """All of them, so many at a time, in their order; one empty block where there are none."""
        if len(self) <= rows:
            yield self
            return
        for at_B in torch.arange(len(self), device=self.start_Q.device).split(rows):
            yield self.at(at_B)

    def shortest_first(self, rows: int) -> Iterator[tuple[Tensor, HistoryBatch]]:
        """The histories, so many at a time, those of similar lengths together.

        Args:
            rows: Histories a block.

        Yields:
            Their places, int64 [B], and the histories, without ids and without what is known of users.
        """
        unnamed = replace(self, ids=None, user_features=None)
        for at_B in (self.end_Q - self.start_Q).argsort(stable=True).split(rows):
            yield at_B, unnamed.at(at_B)

    def items(self, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Items of each history, int64 [Q, W], padded with 0 on the right, and lengths, int64 [Q].

        Args:
            limit: Only so many of the newest.
        """
        return histories(self.item_N, self.start_Q, self.end_Q, limit)

    def events_of_items(self, limit: int | None = None) -> Tensor | None:
        """Codes of the events that :meth:`items` gives the items of, int64 [Q, W]; None where none are known."""
        return None if self.event_N is None else histories(self.event_N, self.start_Q, self.end_Q, limit)[0]


def ranges(start_Q: Tensor, end_Q: Tensor) -> tuple[Tensor, Tensor]:
    """The positions ``start .. end - 1`` of each range, end to end: which range, int64 [X], and which, int64 [X]."""
    length_Q = end_Q - start_Q
    row_X = torch.repeat_interleave(torch.arange(len(length_Q), device=length_Q.device), length_Q)
    return row_X, torch.arange(len(row_X), device=row_X.device) + (end_Q - length_Q.cumsum(0))[row_X]
