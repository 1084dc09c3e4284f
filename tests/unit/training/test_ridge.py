"""Ridge regression on item features: the values of scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Theirs

from elcrec.data.features import Features
from elcrec.training.ridge import Ridge


def features(random: np.random.Generator, n_rows: int, n_features: int, n_dimensions: int) -> Features:
    """Up to four features of each row, and vectors; some rows have neither."""
    length_R = random.integers(0, 5, n_rows)
    offset_R = torch.from_numpy(np.concatenate([[0], length_R.cumsum()]))
    chosen = [random.choice(n_features, length, replace=False) for length in length_R]
    weight_Z = random.random(length_R.sum()).astype(np.float32) + 0.1
    vector_RP = random.normal(size=(n_rows, n_dimensions)).astype(np.float32) * (length_R > 0)[:, None]
    return Features(
        offset_R, torch.from_numpy(np.concatenate(chosen)), torch.from_numpy(weight_Z), torch.from_numpy(vector_RP)
    )


@pytest.mark.parametrize("n_dimensions", [0, 8])
@pytest.mark.parametrize("alpha", [1.0, 100.0])
def test_the_solution_is_that_of_scikit_learn(n_dimensions: int, alpha: float) -> None:
    random = np.random.default_rng(1)
    known, new = (features(random, n_rows, 30, n_dimensions) for n_rows in (400, 50))
    matrix, matrix_of_new = (
        np.hstack([one.matrix(30).toarray(), one.vector_RP.numpy()]).astype(np.float64) for one in (known, new)
    )
    target_ND = matrix @ random.normal(size=(30 + n_dimensions, 6)) + random.normal(size=(400, 6)) + 3.0
    found = Ridge.fit(known, 30, torch.from_numpy(target_ND.astype(np.float32)), alpha).predict(new)
    expected = Theirs(alpha).fit(matrix, target_ND).predict(matrix_of_new)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=2e-3)


def test_rows_of_one_value_give_that_value() -> None:
    known = features(np.random.default_rng(1), 20, 5, 3)
    found = Ridge.fit(known, 5, torch.full((20, 2), 7.0), 1.0).predict(known)
    assert torch.equal(found, torch.full((20, 2), 7.0))
