"""The items' vectors: what the encoder looks up, and what scores are products with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ItemTable(nn.Embedding):
    """A vector for each item; row 0 is padding, row i the item with index i.

    Attributes:
        weight: [rows, D].
        neighbours: While training with embedding propagation the sparse matrix A, [rows, rows]; else None. It is no
            part of the weights.
    """

    def __init__(self, n_rows: int, embedding_dim: int, train_row_0: bool = True) -> None:
        """Fresh weights.

        Args:
            n_rows: Padding row 0, the items, and what the recipe adds.
            embedding_dim: Width, D.
            train_row_0: Whether row 0 gets a gradient.
        """
        super().__init__(n_rows, embedding_dim, padding_idx=None if train_row_0 else 0)
        self.neighbours: Tensor | None = None

    def vectors(self) -> Tensor:
        """The items' vectors, [rows, D]: ``E``, or ``E + A E`` where :attr:`neighbours` holds a matrix A.

        So an item with few events of its own has the vector of what people took around it. Once trained, the sum
        is the table: nothing after training knows of A.

        Source: embedding propagation as in LightGCN (arXiv 2002.02126), one hop.
        """
        if self.neighbours is None:
            return self.weight
        propagated: Tensor = _Propagate.apply(self.neighbours, self.weight)  # type: ignore[no-untyped-call]
        return propagated

    def rows(self, item_X: Tensor) -> Tensor:
        """The vectors of different items as a table of its own, [X, D]; the gradient is sparse."""
        return F.embedding(item_X, self.weight, sparse=True)

    @contextmanager
    def propagated(self) -> Iterator[None]:
        """In here the weights are those that a trained model has: the table holds :meth:`vectors`."""
        raw, neighbours = self.weight.data, self.neighbours
        self.weight.data, self.neighbours = self.vectors().detach(), None
        try:
            yield
        finally:
            self.weight.data, self.neighbours = raw, neighbours

    @torch.no_grad()
    def undo_propagation(self, smoothing: float) -> None:
        """Prepare a trained table for another training with neighbours of this weight.

        The table before the sum is not kept. An item's neighbours resemble it, so the sum is about ``1 + smoothing``
        times the table that it was made of.
        """
        self.weight.div_(1 + smoothing)


class _Propagate(torch.autograd.Function):
    """``x + A x`` for a symmetric sparse A, whose gradient is ``g + A g``."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, x: Tensor) -> Tensor:
        ctx.matrix = matrix
        return torch.addmm(x, matrix, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        return None, torch.addmm(grads[0], ctx.matrix, grads[0])
