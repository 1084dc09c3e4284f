"""Users near each other in behaviour are near each other on the plane, in the unit square."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.intents import user_map as module
from elcrec.intents.user_map import Points, user_map


def clusters(n_clusters: int, each: int, seed: int = 0) -> tuple[Tensor, np.ndarray]:
    """Users about orthogonal directions, shuffled; and whose is whose."""
    generator = torch.Generator().manual_seed(seed)
    own_U = torch.arange(n_clusters).repeat(each)
    own_U = own_U[torch.randperm(len(own_U), generator=generator)]
    return torch.eye(12)[own_U] + 0.15 * torch.randn(len(own_U), 12, generator=generator), own_U.numpy()


def shapeless(n_users: int, width: int = 6) -> Tensor:
    return torch.randn(n_users, width, generator=torch.Generator().manual_seed(0))


def assert_in_unit_square(point_U2: Points, n_users: int) -> None:
    assert point_U2.shape == (n_users, 2)
    assert np.isfinite(point_U2).all()
    assert point_U2.min() >= 0
    assert point_U2.max() <= 1


def share_with_neighbours(point_U2: Points, own_U: np.ndarray, n_neighbours: int = 5) -> float:
    """Of the nearest on the plane, how many are of the same cluster, on average."""
    shares = []
    for user, point in enumerate(point_U2):
        nearest = np.argsort(((point_U2 - point) ** 2).sum(axis=1))
        nearest = nearest[nearest != user][:n_neighbours]
        shares.append(np.mean(own_U[nearest] == own_U[user]))
    return float(np.mean(shares))


@pytest.mark.parametrize("n_users", [1, 2, 3, 5, 8, 9, 10, 31, 120])
def test_any_number_of_users_has_places_in_the_unit_square(n_users: int) -> None:
    point_U2 = user_map(shapeless(n_users), 0)
    assert_in_unit_square(point_U2, n_users)
    assert len(np.unique(point_U2.round(6), axis=0)) == n_users


@pytest.mark.parametrize("n_users", [2, 40])
def test_places_reach_from_one_side_to_the_other(n_users: int) -> None:
    point_U2 = user_map(shapeless(n_users), 0)
    assert point_U2[:, 0].min() == pytest.approx(0.01)
    assert point_U2[:, 0].max() == pytest.approx(0.99)


@pytest.mark.parametrize("n_landmarks", [1500, 30])
def test_the_seed_decides(n_landmarks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANDMARKS", n_landmarks)
    behaviour_UD = shapeless(60)
    first = user_map(behaviour_UD, 3)
    np.testing.assert_array_equal(user_map(behaviour_UD, 3), first)
    assert not np.array_equal(user_map(behaviour_UD, 4), first)


def test_the_length_of_behaviour_does_not_matter() -> None:
    behaviour_UD = shapeless(40)
    scale_U1 = 2.0 ** torch.randint(-4, 5, (40, 1), generator=torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(user_map(behaviour_UD * scale_U1, 0), user_map(behaviour_UD, 0))


@pytest.mark.parametrize("seed", range(2))
def test_clusters_stay_together(seed: int) -> None:
    behaviour_UD, own_U = clusters(5, 40, seed)
    assert share_with_neighbours(user_map(behaviour_UD, seed), own_U) > 0.95


@pytest.mark.parametrize("seed", range(2))
def test_clusters_stay_together_where_most_users_are_placed_amid_others(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LANDMARKS", 60)
    behaviour_UD, own_U = clusters(4, 100, seed)
    point_U2 = user_map(behaviour_UD, seed)
    assert_in_unit_square(point_U2, 400)
    assert share_with_neighbours(point_U2, own_U) > 0.9
    assert len(np.unique(point_U2.round(9), axis=0)) == 400


def test_users_taken_in_parts_are_placed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANDMARKS", 30)
    behaviour_UD, _ = clusters(3, 30)
    whole = user_map(behaviour_UD, 0)
    monkeypatch.setattr(module, "ROWS", 7)
    np.testing.assert_allclose(user_map(behaviour_UD, 0), whole, atol=1e-4)


def test_users_who_behave_alike_do_not_hide_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANDMARKS", 30)
    point_U2 = user_map(shapeless(15).repeat(8, 1), 0)
    assert len(np.unique(point_U2.round(6), axis=0)) == 120


def test_a_handful_of_users_lie_as_their_principal_components_do() -> None:
    behaviour_UD = shapeless(8)
    unit_UD = F.normalize(behaviour_UD, dim=-1).double()
    left_UU, size_U, _ = torch.linalg.svd(unit_UD - unit_UD.mean(dim=0), full_matrices=False)
    for found, expected in zip(user_map(behaviour_UD, 0).T, (left_UU * size_U).T.numpy()[:2], strict=True):
        scaled = 0.01 + 0.98 * (expected - expected.min()) / np.ptp(expected)
        upside = min(scaled, 1 - scaled, key=lambda axis: float(np.abs(axis - found).max()))  # the sign is free
        np.testing.assert_allclose(found, upside, atol=1e-5)


@pytest.mark.parametrize("n_landmarks", [1, 2, 5])
def test_fewer_landmarks_than_neighbours_are_enough(n_landmarks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANDMARKS", n_landmarks)
    assert_in_unit_square(user_map(shapeless(20), 0), 20)


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("n_users", [2, 5, 40, 90])
def test_identical_users_have_places(n_users: int, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANDMARKS", 50)
    assert_in_unit_square(user_map(torch.full((n_users, 4), value), 0), n_users)


def test_two_kinds_of_identical_users_lie_apart() -> None:
    own_U = np.arange(60) % 2
    behaviour_UD = torch.eye(4)[torch.from_numpy(own_U)]
    assert share_with_neighbours(user_map(behaviour_UD, 0), own_U) == 1


def test_embeddings_of_width_one_have_places() -> None:
    assert user_map(torch.randn(20, 1), 0).shape == (20, 2)
