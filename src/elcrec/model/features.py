"""Embeddings of the features of items and users."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elcrec.data.features import Features, FeatureSpace


@dataclass(frozen=True)
class FeatureRows:
    """Features of the rows of an item table as matrices.

    Attributes:
        features: Of each row.
        sparse_RF: Their weights as a sparse matrix, [rows, F].
        sparse_FR: Its transpose.
        feature_X: The columns of both, where they are only some features, int64 [X] ascending; None: all.
    """

    features: Features
    sparse_RF: Tensor
    sparse_FR: Tensor
    feature_X: Tensor | None = None

    @classmethod
    def of(cls, features: Features, n_features: int) -> FeatureRows:
        """Of features, whose numbers are 0 .. n_features - 1."""
        offset_R, feature_Z, weight_Z, _ = features
        row_Z = torch.repeat_interleave(torch.arange(features.n_rows, device=feature_Z.device), offset_R.diff())
        order_Z = feature_Z.argsort(stable=True)
        count_F = torch.bincount(feature_Z, minlength=n_features)
        offset_F = torch.cat([count_F.new_zeros(1), count_F.cumsum(0)])
        sparse_RF = _csr(offset_R, feature_Z, weight_Z, (features.n_rows, n_features))
        sparse_FR = _csr(offset_F, row_Z[order_Z], weight_Z[order_Z], (n_features, features.n_rows))
        return cls(features, sparse_RF, sparse_FR)

    def at(self, row_X: Tensor) -> FeatureRows:
        """Those of some rows, int64 [X]; their columns are only the features that these rows have."""
        features = self.features.at(row_X)
        feature_X, column_Z = features.feature_Z.unique(return_inverse=True)
        rows = FeatureRows.of(features._replace(feature_Z=column_Z), len(feature_X))
        return replace(rows, features=features, feature_X=feature_X)


class FeatureEmbedding(nn.Module):
    """What an item, or a user, has from its features: ``sum_a w_ia g_a + v_i P`` over features a and its vector v.

    Attributes:
        weight: [F, D], a vector for each feature, g.
        projection: [P, D], a map of the vectors that the caller brings; P may be 0.
        touched: Whether the gradient of ``weight`` is sparse: it holds only the features that a step touches.
    """

    def __init__(self, space: FeatureSpace, embedding_dim: int, touched: bool = False, spread: float = 0.02) -> None:
        """Fresh weights.

        Args:
            space: F features and vectors of length P.
            embedding_dim: D.
            touched: See the class.
            spread: Standard deviation of the weights.
        """
        super().__init__()
        self.touched = touched
        n_features, vector_size, self.n_predicted = space.n_features, space.vector_size, space.n_predicted
        self.weight = nn.Parameter(torch.empty(n_features, embedding_dim).normal_(0.0, spread))
        self.projection = nn.Parameter(torch.empty(vector_size, embedding_dim).normal_(0.0, spread))

    def predicted(self) -> Tensor:
        """Vectors of the features that are predicted of the next item, the first: [predicted, D]."""
        if not self.touched:
            return self.weight[: self.n_predicted]
        return F.embedding(torch.arange(self.n_predicted, device=self.weight.device), self.weight, sparse=True)

    def rows_of(self, features: Features) -> FeatureRows:
        """Features of items, or users, as matrices."""
        return FeatureRows.of(features, len(self.weight))

    @torch.no_grad()
    def parts(self, features: Features) -> Tensor:
        """What items, or users, have from their features once the model is trained: [rows, D]."""
        part_RD: Tensor = self(self.rows_of(features))
        return part_RD

    def means(self, shares: Features, predicted_FD: Tensor) -> Tensor:
        """Means of the vectors of features, by their shares: [rows, D].

        Args:
            shares: Of features that are predicted.
            predicted_FD: What :meth:`predicted` gave.
        """
        weight = predicted_FD if self.touched else self.weight
        return _sums(FeatureRows.of(shares, len(weight)), weight)

    def forward(self, rows: FeatureRows) -> Tensor:
        """The part of each item: [rows, D]; 0 without features."""
        some = rows.feature_X
        part_RD = _sums(rows, self.weight if some is None else F.embedding(some, self.weight, sparse=True))
        return torch.addmm(part_RD, rows.features.vector_RP, self.projection) if len(self.projection) else part_RD


def _sums(rows: FeatureRows, weight_FD: Tensor) -> Tensor:
    """Sums of the vectors of features, by their weights: [rows, D]."""
    sum_RD: Tensor = _Product.apply(rows.sparse_RF, rows.sparse_FR, weight_FD)  # type: ignore[no-untyped-call]
    return sum_RD


class _Product(torch.autograd.Function):
    """``X g`` for a sparse X whose transpose is given, too."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transpose: Tensor, x: Tensor) -> Tensor:
        ctx.transpose = transpose
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transpose @ grads[0]


def _csr(offset_R: Tensor, column_Z: Tensor, value_Z: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():  # that PyTorch's matrices of this layout are in beta
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(offset_R, column_Z, value_Z, shape, check_invariants=False)
