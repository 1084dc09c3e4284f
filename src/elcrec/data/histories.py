"""Histories to encode, score or explain: one type for all components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from elcrec.data.batches import histories


@dataclass(frozen=True)
class HistoryBatch:
    """Q histories: of history q the items at positions ``start_Q[q] .. end_Q[q] - 1`` of ``item_N``, oldest first.

    Attributes:
        item_N: int64 [N], item indices.
        start_Q: int64 [Q], first position of each history.
        end_Q: int64 [Q], position after its last, > start. Where an item is predicted, it is the one at this position.
        ids: [Q], the caller's name for each: user ids, or numbers of histories; None where they are not needed.
    """

    item_N: Tensor
    start_Q: Tensor
    end_Q: Tensor
    ids: pl.Series | None = None

    @classmethod
    def joined(cls, item_N: Tensor, length_Q: Tensor, ids: pl.Series | None = None) -> HistoryBatch:
        """Histories that lie end to end in ``item_N``, of lengths int64 [Q]."""
        end_Q = length_Q.cumsum(0)
        return cls(item_N, end_Q - length_Q, end_Q, ids)

    def __len__(self) -> int:
        return len(self.start_Q)

    @property
    def target_Q(self) -> Tensor:
        """The items that follow the histories, int64 [Q]."""
        return self.item_N[self.end_Q]

    @property
    def named(self) -> pl.Series:
        """``ids``; numbers from 0 where there are none."""
        return pl.Series("history", range(len(self)), dtype=pl.Int64) if self.ids is None else self.ids

    def at(self, at_X: Tensor) -> HistoryBatch:
        """Those at some places, int64 [X]."""
        ids = None if self.ids is None else self.ids.gather(at_X.cpu().numpy())
        return HistoryBatch(self.item_N, self.start_Q[at_X], self.end_Q[at_X], ids)

    def blocks(self, rows: int) -> Iterator[HistoryBatch]:
        """All of them, so many at a time, in their order; one empty block where there are none."""
        for at_B in torch.arange(len(self), device=self.start_Q.device).split(rows):
            yield self.at(at_B)

    def shortest_first(self, rows: int) -> Iterator[Tensor]:
        """Places of the histories, so many at a time, those of similar lengths together: int64 [B] each."""
        yield from (self.end_Q - self.start_Q).argsort(stable=True).split(rows)

    def items(self, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Items of each history, int64 [Q, W], padded with 0 on the right, and lengths, int64 [Q].

        Args:
            limit: Only so many of the newest.
        """
        return histories(self.item_N, self.start_Q, self.end_Q, limit)
