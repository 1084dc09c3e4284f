"""What holds for every view of every history."""

import math
from dataclasses import dataclass

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elcrec.data.augment import crop, draw_view, mask, reorder

QUICK = settings(max_examples=80, deadline=None, derandomize=True)
SHARES = st.floats(0, 1)
TINY = st.floats(2**-30, 1)


@dataclass(frozen=True)
class Rows:
    """Rows of distinct items with the chance that decides about them."""

    item_BW: torch.Tensor
    length_B: torch.Tensor
    place_B: torch.Tensor
    noise_BW: torch.Tensor

    @property
    def lists(self) -> list[list[int]]:
        return [row[:n].tolist() for row, n in zip(self.item_BW, self.length_B.tolist(), strict=True)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows_of(lengths: list[int], spare: int, seed: int) -> Rows:
    width, generator = max(lengths) + spare, seeded(seed)
    length_B = torch.tensor(lengths)
    item_BW = 1 + torch.randperm(len(lengths) * width, generator=generator).reshape(len(lengths), width)
    return Rows(
        item_BW * (torch.arange(width) < length_B[:, None]),
        length_B,
        torch.rand(len(lengths), generator=generator),
        torch.rand(len(lengths), width, generator=generator),
    )


ROWS = st.builds(
    rows_of,
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    st.integers(0, 5),
    st.integers(0, 2**32),
)


def contiguous(part: list[int], whole: list[int]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def window_of(n: int, span: int, place: float) -> range:
    start = int(place * max(n - span, 1))
    return range(start, start + span)


@QUICK
@given(ROWS, TINY)
def test_a_crop_is_a_run_of_the_history(rows: Rows, keep: float) -> None:
    view_BW, length_B = crop(rows.item_BW, rows.length_B, rows.place_B, keep)
    assert view_BW.shape == rows.item_BW.shape
    for view, n, history in zip(view_BW.tolist(), length_B.tolist(), rows.lists, strict=True):
        assert n == max(1, math.floor(keep * len(history)))
        assert contiguous(view[:n], history)
        assert view[n:] == [0] * (len(view) - n)


@QUICK
@given(st.integers(1, 40), TINY)
def test_a_crop_begins_anywhere_but_at_the_last_place(n: int, keep: float) -> None:
    span = math.floor(keep * n)
    places = (torch.arange(997) + 0.5) / 997
    item_BW = torch.arange(1, n + 1).repeat(997, 1)
    view_BW, _ = crop(item_BW, torch.full((997,), n), places, keep)
    assert set(view_BW[:, 0].tolist()) == set(range(1, 1 + max(n - span, 1)))


@QUICK
@given(ROWS, SHARES)
def test_a_mask_blanks_exactly_its_share_those_of_least_noise(rows: Rows, share: float) -> None:
    view_BW = mask(rows.item_BW, rows.length_B, rows.noise_BW, share)
    for view, history, noise in zip(view_BW.tolist(), rows.lists, rows.noise_BW.tolist(), strict=True):
        n = len(history)
        least = sorted(range(n), key=lambda at, noise=noise: noise[at])[: math.floor(share * n)]
        expected = [0 if at in least else item for at, item in enumerate(history)]
        assert view == expected + [0] * (len(view) - n)


@QUICK
@given(ROWS, SHARES)
def test_a_reordering_shuffles_one_window_and_nothing_else(rows: Rows, share: float) -> None:
    view_BW = reorder(rows.item_BW, rows.length_B, rows.place_B, rows.noise_BW, share)
    for view, history, place in zip(view_BW.tolist(), rows.lists, rows.place_B.tolist(), strict=True):
        n = len(history)
        window = window_of(n, math.floor(share * n), place)
        assert window.stop <= n
        assert all(view[at] == history[at] for at in range(n) if at not in window)
        assert sorted(view[at] for at in window) == sorted(history[at] for at in window)
        assert view[n:] == [0] * (len(view) - n)


@QUICK
@given(st.integers(3, 12), st.integers(0, 2**32))
def test_a_reordering_reaches_every_order_of_its_window(n: int, seed: int) -> None:
    draws = 300
    noise_BW = torch.rand(draws, n, generator=seeded(seed))
    item_BW = torch.arange(n).repeat(draws, 1)
    share = 3.5 / n if n > 3 else 1.0
    view_BW = reorder(item_BW, torch.full((draws,), n), torch.zeros(draws), noise_BW, share)
    assert len({tuple(view[:3]) for view in view_BW.tolist()}) == 6


@QUICK
@given(ROWS, SHARES)
def test_a_row_does_not_depend_on_the_others_nor_on_the_width(rows: Rows, share: float) -> None:
    cropped_BW, cropped_B = crop(rows.item_BW, rows.length_B, rows.place_B, share)
    masked_BW = mask(rows.item_BW, rows.length_B, rows.noise_BW, share)
    reordered_BW = reorder(rows.item_BW, rows.length_B, rows.place_B, rows.noise_BW, share)
    for row, n in enumerate(rows.length_B.tolist()):
        only = slice(row, row + 1)
        item_1W, length_1, place_1, noise_1W = (
            rows.item_BW[only, :n],
            rows.length_B[only],
            rows.place_B[only],
            rows.noise_BW[only, :n],
        )
        alone_1W, alone_1 = crop(item_1W, length_1, place_1, share)
        assert (alone_1W[0].tolist(), alone_1.item()) == (cropped_BW[row, :n].tolist(), cropped_B[row].item())
        assert mask(item_1W, length_1, noise_1W, share)[0].tolist() == masked_BW[row, :n].tolist()
        alone_1W = reorder(item_1W, length_1, place_1, noise_1W, share)
        assert alone_1W[0].tolist() == reordered_BW[row, :n].tolist()


@QUICK
@given(ROWS, st.integers(0, 2**32), TINY, SHARES, SHARES)
def test_a_view_is_a_crop_a_mask_or_a_reordering(
    rows: Rows, seed: int, keep: float, blank: float, shuffle: float
) -> None:
    view_BW, length_B = draw_view(rows.item_BW, rows.length_B, seeded(seed), keep, blank, shuffle)
    for view, n, history in zip(view_BW.tolist(), length_B.tolist(), rows.lists, strict=True):
        kept = view[:n]
        changed = [at for at in range(n) if kept[at] != history[at]]
        cropped = n == max(1, math.floor(keep * len(history))) and contiguous(kept, history)
        masked = n == len(history) and kept.count(0) == math.floor(blank * n) and all(kept[at] == 0 for at in changed)
        spread = changed[-1] - changed[0] + 1 if changed else 0
        reordered = sorted(kept) == sorted(history) and spread <= math.floor(shuffle * n)
        assert cropped or masked or reordered
        assert view[n:] == [0] * (len(view) - n)


@QUICK
@given(ROWS, st.integers(0, 2**32))
def test_a_view_follows_from_the_seed_and_leaves_the_history_alone(rows: Rows, seed: int) -> None:
    before = rows.item_BW.clone(), rows.length_B.clone()
    first, second = (draw_view(rows.item_BW, rows.length_B, seeded(seed)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(rows.item_BW, before[0])
    assert torch.equal(rows.length_B, before[1])


def test_the_three_kinds_are_equally_frequent_and_drawn_per_row() -> None:
    n_rows = 6000
    item_BW = torch.arange(1, 21).repeat(n_rows, 1)
    view_BW, length_B = draw_view(item_BW, torch.full((n_rows,), 20), seeded(0), 0.5, 0.5, 1.0)
    crops = int((length_B == 10).sum())
    masks = int((((view_BW == 0).sum(1) == 10) & (length_B == 20)).sum())
    reorders = int((view_BW > 0).all(1).sum())
    assert crops + masks + reorders == n_rows
    assert all(abs(count - n_rows / 3) < 4 * math.sqrt(n_rows * 2 / 9) for count in (crops, masks, reorders))


def test_another_seed_gives_other_views() -> None:
    item_BW, length_B = torch.arange(1, 641).reshape(32, 20), torch.full((32,), 20)
    views = [draw_view(item_BW, length_B, seeded(seed))[0] for seed in range(2)]
    assert not torch.equal(*views)
