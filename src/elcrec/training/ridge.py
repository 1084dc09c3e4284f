"""Ridge regression on item features, of many columns at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elcrec.data.features import Features
from elcrec.model.features import FeatureRows

MOST_STEPS = 200
TOLERANCE = 1e-4
"""Steps end where the residual of each column is smaller than this share of what it began with."""


@dataclass(frozen=True)
class Ridge:
    """``x W + c`` of features x: weights, [F + P, D], and what rows without features have, [D].

    F features are a sparse matrix, P columns of vectors a dense one: neither is copied.
    """

    weight_XD: Tensor
    constant_D: Tensor

    @classmethod
    def fit(cls, features: Features, n_features: int, target_ND: Tensor, alpha: float) -> Ridge:
        """Least squares with ``alpha`` times the squared weights; the constant is free.

        The normal equations of all columns are solved together by conjugate gradients.

        Args:
            features: Of N rows, N > 0.
            n_features: F.
            target_ND: [N, D].
            alpha: > 0.
        """
        matrix = _Matrix.of(features, n_features)
        mean_D = target_ND.mean(dim=0)
        residual_XD = matrix.transposed(target_ND - mean_D)
        weight_XD, way_XD = torch.zeros_like(residual_XD), residual_XD
        size_D = first_D = residual_XD.square().sum(dim=0)
        for _ in range(MOST_STEPS):
            if (size_D <= TOLERANCE**2 * first_D).all():
                break
            image_XD = matrix.transposed(matrix.times(way_XD)) + alpha * way_XD
            step_D = size_D / (way_XD * image_XD).sum(dim=0).clamp(min=1e-30)
            weight_XD = weight_XD + step_D * way_XD
            residual_XD = residual_XD - step_D * image_XD
            before_D, size_D = size_D, residual_XD.square().sum(dim=0)
            way_XD = residual_XD + (size_D / before_D.clamp(min=1e-30)) * way_XD
        return cls(weight_XD, mean_D - matrix.mean_X @ weight_XD)

    def predict(self, features: Features) -> Tensor:
        """Values of rows, [rows, D]."""
        n_features = len(self.weight_XD) - features.vector_RP.shape[1]
        return _product(FeatureRows.of(features, n_features), self.weight_XD) + self.constant_D


@dataclass(frozen=True)
class _Matrix:
    """Features of N rows, [N, F + P], less their means, which are never taken off the sparse part."""

    rows: FeatureRows
    mean_X: Tensor

    @classmethod
    def of(cls, features: Features, n_features: int) -> _Matrix:
        rows = FeatureRows.of(features, n_features)
        mean_1 = features.vector_RP.new_full((features.n_rows, 1), 1 / features.n_rows)
        return cls(rows, _transposed_product(rows, mean_1)[:, 0])

    def times(self, x_XD: Tensor) -> Tensor:
        return _product(self.rows, x_XD) - self.mean_X @ x_XD

    def transposed(self, y_ND: Tensor) -> Tensor:
        return _transposed_product(self.rows, y_ND) - torch.outer(self.mean_X, y_ND.sum(dim=0))


def _product(rows: FeatureRows, x_XD: Tensor) -> Tensor:
    n_features = rows.sparse_RF.shape[1]
    return torch.addmm(rows.sparse_RF @ x_XD[:n_features], rows.features.vector_RP, x_XD[n_features:])


def _transposed_product(rows: FeatureRows, y_ND: Tensor) -> Tensor:
    return torch.cat([rows.sparse_FR @ y_ND, rows.features.vector_RP.T @ y_ND])
