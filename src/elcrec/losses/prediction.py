"""What a next-item loss can read of a training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from elcrec.config import Settings


@dataclass(frozen=True)
class ExtraScores:
    """What is added to the scores of some pairs of a position and an item, sorted by position, then by item.

    Attributes:
        row_P: int64 [P], the position.
        item_P: int64 [P], the item, as a row of the catalogue (row 0 is item 1); no pair stands twice.
        score_P: [P].
    """

    row_P: Tensor
    item_P: Tensor
    score_P: Tensor

    @classmethod
    def none(cls, like: Tensor) -> ExtraScores:
        """No pairs, on the device and in the type of a tensor."""
        place_P = torch.zeros(0, dtype=torch.int64, device=like.device)
        return cls(place_P, place_P, like.new_zeros(0))

    def between(self, first: int, end: int) -> slice:
        """Where the pairs of positions first .. end - 1 stand."""
        if len(self.row_P) == 0:
            return slice(0, 0)
        low, high = torch.searchsorted(self.row_P, self.row_P.new_tensor([first, end])).tolist()
        return slice(low, high)

    def of(self, item_NH: Tensor, n_items: int) -> Tensor:
        """What is added for given items of each position, [N, H]; 0 for other pairs.

        Args:
            item_NH: int64 [N, H], rows of the catalogue.
            n_items: Size of the catalogue, V.
        """
        if len(self.row_P) == 0:
            return self.score_P.new_zeros(item_NH.shape)
        rows_N1 = torch.arange(len(item_NH), device=item_NH.device)[:, None]
        key_P, key_NH = self.row_P * n_items + self.item_P, rows_N1 * n_items + item_NH
        place_NH = torch.searchsorted(key_P, key_NH).clamp(max=len(key_P) - 1)
        return self.score_P[place_NH] * (key_P[place_NH] == key_NH)


def mean_of(loss_N: Tensor, share_N: Tensor | None) -> Tensor:
    """Mean over positions by their weights, whose mean is 1; None: all count alike."""
    return loss_N.mean() if share_N is None else (loss_N * share_N).mean()


@dataclass(frozen=True)
class Prediction:
    """Positions that predict, and what came next.

    Attributes:
        hidden_ND: [N, D], hidden vectors of the positions.
        table: [rows, D], the item table; row 0 is padding.
        n_items: Size of the catalogue, V.
        target_NH: int64 [N, H], item indices that came next, after that, ...; 0 where there is none.
        weight_NH: [N, H], weight of each target, >= 0; rows sum to 1.
        settings: Settings that a loss may read.
        products: Type to multiply large matrices in: float32, or bfloat16 where it is fast and allowed.
        negative_NM: int64 [N, M], sampled item indices; None unless the loss samples negatives.
        drawn_M: int64 [M], rows of ``items_VD`` drawn for the step; None unless the loss draws items.
        expected_M: [M], expected count of each among the draws; None unless the loss draws items.
        share_N: [N], weight of each position, mean 1; None where all count alike.
        extra: Scores on top of the dot products; None unless the loss is registered with ``extra_scores``.
    """

    hidden_ND: Tensor
    table: Tensor
    n_items: int
    target_NH: Tensor
    weight_NH: Tensor
    settings: Settings
    products: torch.dtype
    negative_NM: Tensor | None = None
    drawn_M: Tensor | None = None
    expected_M: Tensor | None = None
    extra: ExtraScores | None = None
    share_N: Tensor | None = None

    @property
    def items_VD(self) -> Tensor:
        """Vectors of the catalogue, [V, D]."""
        return self.table[1 : self.n_items + 1]

    @property
    def row_NH(self) -> Tensor:
        """Targets as rows of ``items_VD``, int64 [N, H]; any row where there is none."""
        return (self.target_NH - 1).clamp(min=0)

    @property
    def positive_ND(self) -> Tensor:
        """Vectors of the items that came next, [N, D]."""
        return F.embedding(self.target_NH[:, 0], self.table)

    @property
    def negative_NMD(self) -> Tensor:
        """Vectors of the sampled negatives, [N, M, D].

        Raises:
            ValueError: The loss is registered as one without negatives.
        """
        if self.negative_NM is None:
            raise ValueError("register the loss with samples='negatives'")
        return F.embedding(self.negative_NM, self.table)

    @property
    def drawn(self) -> tuple[Tensor, Tensor]:
        """``drawn_M`` and ``expected_M``.

        Raises:
            ValueError: The loss is registered as one without draws.
        """
        if self.drawn_M is None or self.expected_M is None:
            raise ValueError("register the loss with samples='items'")
        return self.drawn_M, self.expected_M
