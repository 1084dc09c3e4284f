"""Noise: random items inserted into the histories at evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from elcrec.data.splits import Split


def with_noise(split: Split, share: float, seed: int) -> Split:
    """The same items to predict, with uniformly drawn items inserted into the histories before them.

    Args:
        split: A log; all of its users keep their training part.
        share: Probability of an event of the training part to be followed by such an item, 0 to 1.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    asked_U = (split.valid_U >= 0) | (split.test_U >= 0)
    old_N = split.before(split.train_end_U.where(asked_U, split.start_U)).cpu().numpy()
    item_N = split.item_N.cpu().numpy()
    _, first_V = np.unique(item_N, return_index=True)
    item_V = item_N[np.sort(first_V)]  # in the order of their first events, as in earlier results
    followed_N = np.zeros(len(item_N), dtype=np.int64)
    followed_N[old_N] = random.random(int(old_N.sum())) < share
    drawn = item_V[random.integers(len(item_V), size=int(followed_N.sum()))]
    inserted = np.flatnonzero(followed_N) + 1
    whole = np.insert(item_N, inserted, drawn)
    before_N1 = torch.from_numpy(np.concatenate([[0], np.cumsum(followed_N)])).to(split.item_N.device)

    def moved(at_U: Tensor) -> Tensor:
        return at_U.where(at_U < 0, at_U + before_N1[at_U])

    return replace(
        split,
        item_N=torch.from_numpy(whole).to(split.item_N.device),
        start_U=moved(split.start_U),
        end_U=moved(split.end_U),
        train_end_U=moved(split.train_end_U),
        valid_U=moved(split.valid_U),
        test_U=moved(split.test_U),
        newest_N=None,
        weight_N=_with_zeros(split.weight_N, inserted),
        judged_N=_with_zeros(split.judged_N, inserted),
        event_N=_with_zeros(split.event_N, inserted),
    )


def _with_zeros(value_N: Tensor | None, places: np.ndarray) -> Tensor | None:
    """Values with 0 at inserted places: such events are input only, and nothing is known of them."""
    return None if value_N is None else torch.from_numpy(np.insert(value_N.cpu().numpy(), places, 0)).to(value_N.device)
