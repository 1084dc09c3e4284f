"""The items that a history holds already: how often each came, how long ago and in which rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch, ranges

SEEN_EVENTS = 1024
"""Older events of a history are not looked at."""
HALF_LIVES = (8.0, 32.0, 128.0, 512.0)
N_FEATURES = 8 + len(HALF_LIVES)
LEAST_DECAYED = 1e-2
LONGEST_DELAY = 3.0


@dataclass(frozen=True)
class SeenItems:
    """The distinct items of Q histories, as P pairs of a history and an item, sorted by history, then by item.

    Attributes:
        row_P: int64 [P], the history, 0 .. Q - 1.
        item_P: int64 [P], the item's index, from 1.
        feature_PF: [P, F], how the item occurs in the history; see :func:`seen_items`.
    """

    row_P: Tensor
    item_P: Tensor
    feature_PF: Tensor


def seen_items(histories: HistoryBatch, n_items: int) -> SeenItems:
    """The distinct items of histories and how they occur.

    An event's age is the number of events since its basket, itself included, so 1 in the newest. With ``c`` the count
    of an item in a history of ``n`` events, ``a`` and ``b`` the ages of its newest and oldest event and
    ``g = (b - a) / (c - 1)`` the mean gap (0 where c = 1), the features are: ``log(1 + c)``, ``c / n``, ``[c > 1]``,
    ``log a``, ``log b``, ``log(1 + g)``, ``log(a / (g + .5))`` (how overdue it is, within -3 and 3; 0 where c = 1),
    ``log(1 + n)``, and for each half-life of 8, 32, 128 and 512 events the logarithm of the decayed count.

    Args:
        histories: Q histories; of long ones the newest 1,024 events are read.
        n_items: Size of the catalogue, V.

    Returns:
        The pairs, with finite features.
    """
    length_Q = (histories.end_Q - histories.start_Q).clamp(max=SEEN_EVENTS)
    row_X, at_X = ranges(histories.end_Q - length_Q, histories.end_Q)
    newest_X = at_X if histories.newest_N is None else histories.newest_N[at_X]
    age_X = (histories.end_Q[row_X] - newest_X).clamp(min=1).float()

    key_P, pair_X = torch.unique(row_X * (n_items + 1) + histories.item_N[at_X], return_inverse=True)
    row_P, item_P = key_P // (n_items + 1), key_P % (n_items + 1)
    zero_P = age_X.new_zeros(len(key_P))

    def total(value_X: Tensor) -> Tensor:
        return zero_P.index_add(0, pair_X, value_X)

    count_P, n_P = total(torch.ones_like(age_X)), length_Q[row_P].float()
    newest_P = zero_P.scatter_reduce(0, pair_X, age_X, "amin", include_self=False)
    oldest_P = zero_P.scatter_reduce(0, pair_X, age_X, "amax", include_self=False)
    again_P = (count_P > 1).float()
    gap_P = (oldest_P - newest_P) / (count_P - 1).clamp(min=1)
    overdue_P = (newest_P / (gap_P + 0.5)).log().clamp(-LONGEST_DELAY, LONGEST_DELAY) * again_P
    decayed = [(total(0.5 ** (age_X / half_life)) + LEAST_DECAYED).log() for half_life in HALF_LIVES]
    features = [count_P.log1p(), count_P / n_P, again_P, newest_P.log(), oldest_P.log(), gap_P.log1p(), overdue_P]
    return SeenItems(row_P, item_P, torch.stack([*features, n_P.log1p(), *decayed], dim=1))
