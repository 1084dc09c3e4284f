"""Intents of one model are found again in another, whatever way round its space lies."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.intents.matching import match_centers


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def directions(n: int, width: int, seed: int = 1) -> Tensor:
    return F.normalize(draw(n, width, seed=seed), dim=-1)


def turn(width: int, seed: int = 2) -> Tensor:
    """A rotation, or one with a reflection."""
    return torch.linalg.qr(draw(width, width, seed=seed)).Q


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reflected", [False, True])
def test_a_turned_and_permuted_copy_is_matched_exactly(seed: int, reflected: bool) -> None:
    items, centers, turn_DD = draw(40, 8, seed=seed), directions(12, 8, seed=seed + 50), turn(8, seed=seed)
    if (torch.linalg.det(turn_DD) < 0) != reflected:
        turn_DD = turn_DD * torch.tensor([-1.0, *[1.0] * 7])
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    pairs = match_centers(items, centers, items @ turn_DD, (centers @ turn_DD)[order])
    assert [ours for ours, _, _ in pairs] == list(range(12))
    assert [int(order[theirs]) for _, theirs, _ in pairs] == list(range(12))
    assert [cosine for _, _, cosine in pairs] == pytest.approx([1.0] * 12, abs=1e-5)


def test_longer_item_vectors_are_matched_alike() -> None:
    items, centers = draw(40, 8), directions(5, 8)
    pairs = match_centers(items, centers, 7 * items @ turn(8), centers @ turn(8))
    assert [(ours, theirs) for ours, theirs, _ in pairs] == [(k, k) for k in range(5)]
    assert [cosine for _, _, cosine in pairs] == pytest.approx([1.0] * 5, abs=1e-5)


def test_a_model_that_learned_nearly_the_same_is_matched_with_cosines_below_one() -> None:
    items, centers = draw(60, 8), directions(6, 8)
    near_items = items + 0.1 * draw(60, 8, seed=5)
    near_centers = F.normalize(centers + 0.05 * draw(6, 8, seed=6), dim=-1)
    pairs = match_centers(items, centers, near_items @ turn(8), near_centers.flip(0) @ turn(8))
    assert [(ours, theirs) for ours, theirs, _ in pairs] == [(k, 5 - k) for k in range(6)]
    assert all(0.9 < cosine < 0.9999 for _, _, cosine in pairs)


@pytest.mark.parametrize(("ours_width", "theirs_width"), [(6, 10), (10, 6)])
def test_a_copy_in_a_space_of_another_width_is_matched_exactly(ours_width: int, theirs_width: int) -> None:
    items, centers, narrow = draw(40, 6), directions(7, 6), turn(10)[:6]
    wide = items @ narrow, centers.flip(0) @ narrow
    pairs = match_centers(items, centers, *wide) if ours_width < theirs_width else match_centers(*wide, items, centers)
    assert [(ours, theirs) for ours, theirs, _ in pairs] == [(k, 6 - k) for k in range(7)]
    assert [cosine for _, _, cosine in pairs] == pytest.approx([1.0] * 7, abs=1e-5)


@pytest.mark.parametrize(("n_ours", "n_theirs"), [(3, 7), (7, 3), (1, 7), (7, 1)])
def test_the_fewer_centres_are_all_matched_and_none_twice(n_ours: int, n_theirs: int) -> None:
    items, centers = draw(40, 8), directions(7, 8)
    pairs = match_centers(items, centers[:n_ours], items @ turn(8), (centers @ turn(8))[:n_theirs])
    fewer = min(n_ours, n_theirs)
    assert [(ours, theirs) for ours, theirs, _ in pairs] == [(k, k) for k in range(fewer)]
    assert [cosine for _, _, cosine in pairs] == pytest.approx([1.0] * fewer, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_of_all_ways_to_pair_one_to_one_the_sum_of_cosines_is_the_largest(seed: int) -> None:
    items = draw(20, 3)  # the same space on both sides: nothing is turned
    ours, theirs = directions(4, 3, seed=seed), directions(5, 3, seed=seed + 100)
    cosine = (ours.double() @ theirs.double().T).tolist()
    pairs = match_centers(items, ours, items, theirs)
    assert len({mine for mine, _, _ in pairs}) == len({other for _, other, _ in pairs}) == 4
    assert [value for _, _, value in pairs] == pytest.approx([cosine[i][j] for i, j, _ in pairs], abs=1e-5)
    most = max(sum(cosine[i][j] for i, j in enumerate(chosen)) for chosen in itertools.permutations(range(5), 4))
    assert sum(value for _, _, value in pairs) == pytest.approx(most, abs=1e-5)


def test_of_two_that_want_the_same_centre_one_goes_without() -> None:
    centers = torch.tensor([[1.0, 0.0], [0.9, 0.1]])
    theirs = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    items = draw(20, 2)
    pairs = match_centers(items, F.normalize(centers, dim=-1), items, theirs)
    assert [(ours, other) for ours, other, _ in pairs] == [(0, 0), (1, 1)]
