"""Calibrated lists against a greedy loop over lists of floats."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from elcrec.intents import calibration
from elcrec.intents.calibration import KEPT_SHARE, calibrate
from elcrec.intents.item_intents import ItemIntents

NOTHING = -float("inf")


class Mixes(ItemIntents):
    """``P(k | i)`` from a table."""

    def __init__(self, mix_VK: Tensor) -> None:
        self.mix_VK = mix_VK

    def given_item(self, item_N: Tensor) -> Tensor:
        return self.mix_VK[item_N]


def a_world(
    n_rows: int = 12, n_candidates: int = 8, n_intents: int = 4, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor, Mixes]:
    """Candidates with falling scores, users' mixes, and items that lean to one intent or another."""
    generator = torch.Generator().manual_seed(seed)
    n_items = 3 * n_candidates
    item_QN = torch.stack([1 + torch.randperm(n_items, generator=generator)[:n_candidates] for _ in range(n_rows)])
    score_QN = torch.randn(n_rows, n_candidates, generator=generator, dtype=torch.float64)
    wanted_QK = torch.randn(n_rows, n_intents, generator=generator, dtype=torch.float64).softmax(dim=1)
    mix_VK = (2 * torch.randn(n_items + 1, n_intents, generator=generator, dtype=torch.float64)).softmax(dim=1)
    return item_QN, score_QN.sort(dim=1, descending=True).values, wanted_QK, Mixes(mix_VK)


def with_empty(item_QN: Tensor, score_QN: Tensor, n_real: list[int]) -> tuple[Tensor, Tensor]:
    """So many real candidates in each row, empty ones behind."""
    empty_QN = torch.arange(item_QN.shape[1]) >= torch.tensor(n_real)[:, None]
    return item_QN.masked_fill(empty_QN, 0), score_QN.masked_fill(empty_QN, NOTHING)


def kl(wanted: list[float], mixes: list[list[float]]) -> float:
    """``KL(p || q)`` of a list with these mixes, 1% of p mixed in."""
    total = 0.0
    for intent, p in enumerate(wanted):
        mean = sum(mix[intent] for mix in mixes) / len(mixes)
        total += p * math.log(p / ((1 - KEPT_SHARE) * mean + KEPT_SHARE * p))
    return total


def naive_row(items: list[int], scores: list[float], wanted: list[float], mixes: Mixes, dial: float, k: int) -> list:
    """Columns chosen, one by one, each the best of all that are left."""
    real = [column for column, item in enumerate(items) if item > 0]
    low, high = min(scores[column] for column in real), max(scores[column] for column in real)
    relevance = {column: (scores[column] - low) / (high - low) if high > low else 0.0 for column in real}
    mix = {column: mixes.mix_VK[items[column]].tolist() for column in real}
    chosen: list[int] = []
    while len(chosen) < min(k, len(real)):

        def worth(column: int, before: tuple[int, ...] = tuple(chosen)) -> float:
            listed = [*before, column]
            mean_relevance = sum(relevance[other] for other in listed) / len(listed)
            return (1 - dial) * mean_relevance - dial * kl(wanted, [mix[other] for other in listed])

        chosen.append(max((column for column in real if column not in chosen), key=worth))
    return chosen


def divergences(item_Qk: Tensor, wanted_QK: Tensor, mixes: Mixes) -> list[float]:
    return [
        kl(wanted, mixes.mix_VK[items[items > 0]].tolist())
        for items, wanted in zip(item_Qk, wanted_QK.tolist(), strict=True)
    ]


@pytest.mark.parametrize("dial", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("k", [1, 4, 8])
def test_every_pick_is_that_of_the_greedy_loop(k: int, dial: float) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    item_QN, score_QN = with_empty(item_QN, score_QN, [8, 8, 5, 3, 1, 2, 8, 8, 7, 4, 6, 8])
    item_Qk, score_Qk = calibrate(item_QN, score_QN, wanted_QK, mixes, dial, k)
    assert item_Qk.shape == score_Qk.shape == (12, k)
    for row, (items, scores) in enumerate(zip(item_QN.tolist(), score_QN.tolist(), strict=True)):
        columns = naive_row(items, scores, wanted_QK[row].tolist(), mixes, dial, k)
        assert item_Qk[row, : len(columns)].tolist() == [items[column] for column in columns]
        assert score_Qk[row, : len(columns)].tolist() == [scores[column] for column in columns]


def test_half_and_half_by_hand() -> None:
    """Two tastes, half each: the best item, then the best of the other taste, and so on in turn."""
    pure = Mixes(torch.tensor([[0.5, 0.5], *[[1.0, 0.0]] * 4, *[[0.0, 1.0]] * 2]))
    scores = torch.tensor([[6.0, 5, 4, 3, 2, 1]])
    half = torch.tensor([[0.5, 0.5]])
    item_Qk, score_Qk = calibrate(torch.tensor([[1, 2, 3, 4, 5, 6]]), scores, half, pure, 0.9, 4)
    assert item_Qk.tolist() == [[1, 5, 2, 6]]
    assert score_Qk.tolist() == [[6, 2, 5, 1]]


@pytest.mark.parametrize("k", [1, 5, 8])
def test_dial_zero_keeps_the_order_of_scores(k: int) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    item_Qk, score_Qk = calibrate(item_QN, score_QN, wanted_QK, mixes, 0.0, k)
    assert torch.equal(item_Qk, item_QN[:, :k])
    assert torch.equal(score_Qk, score_QN[:, :k])


def test_dial_one_does_not_look_at_scores() -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    ours, _ = calibrate(item_QN, score_QN, wanted_QK, mixes, 1.0, 4)
    others, _ = calibrate(item_QN, score_QN.flip(1), wanted_QK, mixes, 1.0, 4)
    assert torch.equal(ours, others)


def test_the_scale_of_scores_does_not_matter() -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    ours, _ = calibrate(item_QN, score_QN, wanted_QK, mixes, 0.4, 5)
    others, _ = calibrate(item_QN, 100 * score_QN - 7, wanted_QK, mixes, 0.4, 5)
    assert torch.equal(ours, others)


@pytest.mark.parametrize("seed", range(4))
def test_dial_one_comes_closer_to_the_wanted_mix_than_the_best_scores_do(seed: int) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world(n_rows=60, n_candidates=60, seed=seed)
    item_Qk, _ = calibrate(item_QN, score_QN, wanted_QK, mixes, 1.0, 10)
    ours = divergences(item_Qk, wanted_QK, mixes)
    plain = divergences(item_QN[:, :10], wanted_QK, mixes)
    assert all(near <= far for near, far in zip(ours, plain, strict=True))
    assert sum(ours) < 0.1 * sum(plain)


@pytest.mark.parametrize("seed", range(3))
def test_the_further_the_dial_the_nearer_the_mix_and_the_lower_the_scores(seed: int) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world(n_rows=60, n_candidates=60, seed=seed)
    apart, scored = [], []
    for dial in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
        item_Qk, score_Qk = calibrate(item_QN, score_QN, wanted_QK, mixes, dial, 10)
        apart.append(sum(divergences(item_Qk, wanted_QK, mixes)) / 60)
        scored.append(score_Qk.mean().item())
    for falling in (apart, scored):
        assert all(later <= earlier + 1e-3 for earlier, later in pairwise(falling))
    assert apart[-1] < 0.1 * apart[0]
    assert scored[-1] < scored[0] - 0.5


@pytest.mark.parametrize("dial", [0.0, 0.5, 1.0])
def test_fewer_candidates_than_wanted_are_all_listed_once(dial: float) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    item_Qk, score_Qk = calibrate(item_QN, score_QN, wanted_QK, mixes, dial, 50)
    assert item_Qk.shape == score_Qk.shape == item_QN.shape
    assert torch.equal(item_Qk.sort(dim=1).values, item_QN.sort(dim=1).values)
    assert torch.equal(score_Qk.sort(dim=1, descending=True).values, score_QN)


@pytest.mark.parametrize("dial", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("k", [3, 8, 20])
def test_empty_candidates_stand_behind_all_real_ones_and_none_is_repeated(k: int, dial: float) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    n_real = [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 8]
    item_QN, score_QN = with_empty(item_QN, score_QN, n_real)
    item_Qk, score_Qk = calibrate(item_QN, score_QN, wanted_QK, mixes, dial, k)
    for row, real in enumerate(n_real):
        listed = item_Qk[row].tolist()
        score_of = dict(zip(item_QN[row].tolist(), score_QN[row].tolist(), strict=True))
        n_listed = min(real, k)
        assert all(item > 0 for item in listed[:n_listed])
        assert len(set(listed[:n_listed])) == n_listed
        assert not any(listed[n_listed:])
        assert score_Qk[row].tolist() == [score_of[item] for item in listed]


@pytest.mark.parametrize("dial", [0.0, 0.5, 1.0])
def test_candidates_that_score_alike_are_all_listed_once(dial: float) -> None:
    item_QN, score_QN, wanted_QK, mixes = a_world()
    item_Qk, score_Qk = calibrate(item_QN, torch.zeros_like(score_QN), wanted_QK, mixes, dial, 8)
    assert torch.equal(item_Qk.sort(dim=1).values, item_QN.sort(dim=1).values)
    assert score_Qk.tolist() == [[0.0] * 8] * 12


def test_an_item_with_nothing_of_a_wanted_intent_is_not_infinitely_bad() -> None:
    pure = Mixes(torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
    item_Qk, _ = calibrate(torch.tensor([[2, 1]]), torch.tensor([[2.0, 1.0]]), torch.tensor([[0.0, 1.0]]), pure, 0.5, 2)
    assert item_Qk.tolist() == [[2, 1]]


def test_rows_taken_in_parts_get_the_same_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = calibrate(*a_world(), 0.5, 5)
    monkeypatch.setattr(calibration, "ROWS", 5)
    parts = calibrate(*a_world(), 0.5, 5)
    assert torch.equal(parts[0], whole[0])
    assert torch.equal(parts[1], whole[1])
