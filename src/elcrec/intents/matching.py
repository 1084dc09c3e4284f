"""Matching of the intents of two models, after a rotation that aligns their items (Procrustes)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class NamedIntents(NamedTuple):
    """What it takes to find another model's intents again among ours.

    Attributes:
        index_S: int64 [S], our indices of the items both know.
        item_SD: [S, D'], their vectors of them.
        center_KD: [K', D'], their centres, unit rows.
        names: Given to theirs, by number.
    """

    index_S: Tensor
    item_SD: Tensor
    center_KD: Tensor
    names: dict[int, str]

    def equals(self, other: NamedIntents | None) -> bool:
        """Whether another says the same."""
        return (
            other is not None
            and self.names == other.names
            and torch.equal(self.index_S, other.index_S)
            and torch.equal(self.item_SD, other.item_SD)
            and torch.equal(self.center_KD, other.center_KD)
        )


def match_centers(
    our_items: Tensor, our_centers: Tensor, their_items: Tensor, their_centers: Tensor
) -> list[tuple[int, int, float]]:
    """Pairs of centres, one to one, with the largest sum of cosines.

    Two trainings agree at best up to a rotation, so theirs is first turned to where their item vectors lie on
    ours (orthogonal Procrustes, exact for spaces of the same width).

    Args:
        our_items: [S, D], vectors of the items both know.
        our_centers: [K, D], unit rows.
        their_items: [S, D'], of the same items.
        their_centers: [K', D'], unit rows.

    Returns:
        (our number, their number, cosine) for min(K, K') pairs.

    Source: Schönemann 1966 (Procrustes); Kuhn 1955 (assignment).
    """
    from scipy.linalg import orthogonal_procrustes  # half a second to import, and few need it
    from scipy.optimize import linear_sum_assignment

    width = max(our_items.shape[1], their_items.shape[1])
    ours, theirs, our_c, their_c = (
        F.pad(x.double(), (0, width - x.shape[1])).numpy() for x in (our_items, their_items, our_centers, their_centers)
    )
    rotation, _ = orthogonal_procrustes(theirs, ours)
    cosine = our_c @ (their_c @ rotation).T
    rows, columns = linear_sum_assignment(cosine, maximize=True)
    return [(int(row), int(column), float(cosine[row, column])) for row, column in zip(rows, columns, strict=True)]
