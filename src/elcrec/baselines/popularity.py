"""The same list for everybody: what was bought most."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.data.splits import Split


def popularity_scores(split: Split, n_items: int) -> Tensor:
    """How often each item occurs in the training part: float [V + 1], column 0 (padding) is 0."""
    learnt_N = torch.arange(split.item_N.numel()) < split.train_end_U[split.user_N]
    return torch.bincount(split.item_N[learnt_N], minlength=n_items + 1).float()
