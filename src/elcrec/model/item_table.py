"""The items' vectors: what the encoder looks up, and what scores are products with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elcrec.data.features import Features
from elcrec.model.features import FeatureEmbedding, FeatureRows


class ItemTable(nn.Embedding):
    """A vector for each item; row 0 is padding, row i the item with index i.

    Attributes:
        weight: [rows, D].
        neighbours: While training with embedding propagation the sparse matrix A, [rows, rows]; else None. It is no
            part of the weights.
        feature_rows: While training with item features those of each row, X; else None.
        feature_shares: Those of them that are predicted of the next item.
        of_features: Embeddings of item features, G; None: the model knows none.
    """

    def __init__(
        self, n_rows: int, embedding_dim: int, train_row_0: bool = True, of_features: FeatureEmbedding | None = None
    ) -> None:
        """Fresh weights.

        Args:
            n_rows: Padding row 0, the items, and what the recipe adds.
            embedding_dim: Width, D.
            train_row_0: Whether row 0 gets a gradient.
            of_features: Embeddings of item features.
        """
        super().__init__(n_rows, embedding_dim, padding_idx=None if train_row_0 else 0)
        self.neighbours: Tensor | None = None
        self.feature_rows: FeatureRows | None = None
        self.feature_shares: Features | None = None
        self.of_features = of_features

    def vectors(self) -> Tensor:
        """The items' vectors, [rows, D]: ``E + A E + X G``, in training; without neighbours or features less.

        So an item with few events of its own has the vector of what people took around it, and of what is known about
        it. Once trained, the sum is the table: nothing after training knows of A and X.

        Source: embedding propagation as in LightGCN (arXiv 2002.02126), one hop.
        """
        vectors = self.weight
        if self.neighbours is not None:
            vectors = _Propagate.apply(self.neighbours, self.weight)  # type: ignore[no-untyped-call]
        return vectors if self.feature_rows is None else vectors + self.feature_part(self.feature_rows)

    def learn_from(self, features: Features) -> None:
        """Take the features of items, rows 0 .. V, into the sum; rows beyond have none."""
        if self.of_features is None:
            raise ValueError("this model knows no item features")
        features = features.padded(self.num_embeddings)
        self.feature_rows = self.of_features.rows_of(features)
        self.feature_shares = features.shares(self.of_features.n_predicted)

    def feature_part(self, rows: FeatureRows) -> Tensor:
        """What items have from their features, [rows, D].

        Raises:
            ValueError: The model knows no features.
        """
        if self.of_features is None:
            raise ValueError("this model knows no item features")
        part: Tensor = self.of_features(rows)
        return part

    def rows(self, item_X: Tensor) -> Tensor:
        """The vectors of different items as a table of its own, [X, D]; the gradients of E and G are sparse."""
        vectors = F.embedding(item_X, self.weight, sparse=True)
        return vectors if self.feature_rows is None else vectors + self.feature_part(self.feature_rows.at(item_X))

    @contextmanager
    def baked(self) -> Iterator[None]:
        """In here the weights are those that a trained model has: the table holds :meth:`vectors`."""
        raw, inputs = self.weight.data, (self.neighbours, self.feature_rows)
        self.weight.data = self.vectors().detach()
        self.neighbours, self.feature_rows = None, None
        try:
            yield
        finally:
            self.weight.data, (self.neighbours, self.feature_rows) = raw, inputs

    @torch.no_grad()
    def unbake(self, smoothing: float) -> None:
        """Prepare a trained table for another training with neighbours of this weight, and with its features.

        The table before the sum is not kept. An item's neighbours resemble it, so without the part of the features the
        sum is about ``1 + smoothing`` times the table that it was made of.
        """
        if self.feature_rows is not None:
            self.weight.sub_(self.feature_part(self.feature_rows))
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
