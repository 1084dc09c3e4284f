"""How items of a history occur, against a loop over each history."""

import math

import pytest
import torch
from torch import Tensor

from elcrec.data import seen as seen_module
from elcrec.data.histories import HistoryBatch
from elcrec.data.seen import HALF_LIVES, LEAST_DECAYED, N_FEATURES, seen_items


def naive(items: list[int], ages: list[int]) -> dict[int, list[float]]:
    """Features of each distinct item of one history."""
    found = {}
    for item in sorted(set(items)):
        own = [age for one, age in zip(items, ages, strict=True) if one == item]
        count, newest, oldest = len(own), min(own), max(own)
        gap = (oldest - newest) / (count - 1) if count > 1 else 0.0
        overdue = min(3.0, max(-3.0, math.log(newest / (gap + 0.5)))) if count > 1 else 0.0
        decayed = [math.log(sum(0.5 ** (age / half) for age in own) + LEAST_DECAYED) for half in HALF_LIVES]
        found[item] = [
            math.log1p(count),
            count / len(items),
            float(count > 1),
            math.log(newest),
            math.log(oldest),
            math.log1p(gap),
            overdue,
            math.log1p(len(items)),
            *decayed,
        ]
    return found


def check(histories: HistoryBatch, items: list[list[int]], ages: list[list[int]]) -> None:
    found = seen_items(histories, 50)
    expected = [naive(one, age) for one, age in zip(items, ages, strict=True)]
    pairs = [(row, item) for row, of_items in enumerate(expected) for item in of_items]
    assert list(zip(found.row_P.tolist(), found.item_P.tolist(), strict=True)) == pairs
    wanted = torch.tensor([expected[row][item] for row, item in pairs])
    assert found.feature_PF.shape == (len(pairs), N_FEATURES)
    torch.testing.assert_close(found.feature_PF, wanted, rtol=1e-4, atol=1e-4)


def log(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    end_Q = torch.tensor(lengths).cumsum(0)
    item_N = torch.randint(1, 9, (int(end_Q[-1]),), generator=torch.Generator().manual_seed(seed))
    return item_N, end_Q - torch.tensor(lengths), end_Q


def test_features_are_those_of_a_loop() -> None:
    item_N, start_Q, end_Q = log([1, 7, 2, 30])
    items = [item_N[a:b].tolist() for a, b in zip(start_Q.tolist(), end_Q.tolist(), strict=True)]
    check(HistoryBatch(item_N, start_Q, end_Q), items, [list(range(len(one), 0, -1)) for one in items])


def test_items_of_one_basket_are_equally_old() -> None:
    item_N = torch.tensor([5, 3, 3, 5, 2, 9])
    newest_N = torch.tensor([1, 1, 3, 3, 4, 5])  # baskets 5 3, 3 5, 2, 9
    histories = HistoryBatch(item_N, torch.tensor([0]), torch.tensor([5]), newest_N=newest_N)
    check(histories, [[5, 3, 3, 5, 2]], [[4, 4, 2, 2, 1]])
    swapped = HistoryBatch(item_N[[1, 0, 3, 2, 4, 5]], torch.tensor([0]), torch.tensor([5]), newest_N=newest_N)
    assert torch.equal(seen_items(histories, 50).feature_PF, seen_items(swapped, 50).feature_PF)


def test_only_the_newest_events_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "SEEN_EVENTS", 5)
    item_N, start_Q, end_Q = log([12, 3])
    items = [item_N[7:12].tolist(), item_N[12:].tolist()]
    check(HistoryBatch(item_N, start_Q, end_Q), items, [[5, 4, 3, 2, 1], [3, 2, 1]])
