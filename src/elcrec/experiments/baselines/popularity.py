"""Popularity baseline: the same recommendations for all users, the most frequent items."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from elcrec.data.splits import Split

Scorer = Callable[[Tensor, Tensor], Tensor]
"""First positions and ends of histories, int64 [B] each, to scores [B, V + 1]."""


def popularity_scores(split: Split, n_items: int) -> Tensor:
    """How often each item occurs in the training part: float [V + 1], column 0 (padding) is 0."""
    return torch.bincount(split.item_N[split.before(split.train_end_U)], minlength=n_items + 1).float()


def popularity(split: Split, n_items: int) -> Scorer:
    """The same scores whatever the history."""
    score_V = popularity_scores(split, n_items)
    return lambda start_B, end_B: score_V.repeat(len(start_B), 1)
