"""From cuts to tokens, negatives and steps, against naive loops."""

import math
from itertools import accumulate, product
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from elcrec.config import Settings, resolve
from elcrec.data.batches import ItemSampler, NegativeSampler, Padding, TokenBatch, histories, lay_out, shuffled
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.training.steps import StepSource

VIEWS = {"instance_weight": 0.1, "intent_weight": 0.1}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ragged(seed: int, n_rows: int, longest: int) -> tuple[torch.Tensor, torch.Tensor, list[list[int]]]:
    """Rows of random lengths, all items distinct, as a matrix, lengths and lists."""
    lengths = np.random.default_rng(seed).integers(1, longest + 1, size=n_rows)
    matrix = torch.arange(1, n_rows * longest + 1).reshape(n_rows, longest)
    length_B = torch.from_numpy(lengths)
    matrix = matrix * (torch.arange(longest) < length_B[:, None])
    return matrix, length_B, [row[:n].tolist() for row, n in zip(matrix, lengths, strict=True)]


Layout = tuple[Padding, bool]
LAYOUTS: list[Layout] = [("skip", False), ("skip", True), ("encode", False)]


def slices_of(batch: TokenBatch) -> list[slice]:
    """Where the tokens of each of the caller's rows lie, real ones only."""
    ends = (batch.last_B + 1).tolist()
    return [slice(end - n, end) for end, n in zip(ends, batch.length_B.tolist(), strict=True)]


def test_histories_agree_with_slices() -> None:
    item_N = torch.arange(1, 21)
    cuts = [(0, 1), (3, 9), (5, 20), (19, 20), (0, 20)]
    start_B, end_B = torch.tensor(cuts).T
    for limit in (None, 1, 4, 50):
        item_BW, length_B = histories(item_N, start_B, end_B, limit)
        expected = [item_N[start:end].tolist()[-(limit or 100) :] for start, end in cuts]
        assert length_B.tolist() == [len(row) for row in expected]
        assert item_BW.shape == (5, max(map(len, expected)))
        assert item_BW.tolist() == [row + [0] * (item_BW.shape[1] - len(row)) for row in expected]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("max_seq_len", [1, 2, 5, 6, 7, 16, 50])
@pytest.mark.parametrize("seed", range(3))
def test_the_layout_holds_the_newest_items_of_each_row(layout: Layout, max_seq_len: int, seed: int) -> None:
    item_BW, length_B, lists = ragged(seed, 17, 23)
    padding, packed = layout
    batch = lay_out(item_BW, length_B, max_seq_len, padding, packed)
    n_tokens = sum(rows * width for rows, width in batch.blocks)
    ends = list(accumulate(width for rows, width in batch.blocks for _ in range(rows)))
    assert n_tokens == batch.item_T.numel()
    filled_T = torch.ones(n_tokens, dtype=torch.bool)
    for number, (where, history) in enumerate(zip(slices_of(batch), lists, strict=True)):
        newest = history[-max_seq_len:]
        n = len(newest)
        assert batch.length_B[number] == n
        assert batch.item_T[where].tolist() == newest
        assert batch.real_T[where].all()
        assert batch.position_T[where].tolist() == list(range(max_seq_len - n, max_seq_len))
        assert batch.sequence_T[where].unique().tolist() == [number]
        assert (
            batch.column_T[where].tolist()
            == list(range(max_seq_len - n if padding == "encode" else 0, max_seq_len))[:n]
        )
        assert not any(where.start < end < where.stop for end in ends)  # in one row
        filled_T[where] = False
    assert not batch.item_T[filled_T].any()
    assert not batch.real_T[filled_T].any()
    if padding == "encode":
        assert batch.sequence_T.view(len(lists), max_seq_len).tolist() == [
            [row] * max_seq_len for row in range(len(lists))
        ]
        assert batch.position_T.tolist() == list(range(max_seq_len)) * len(lists)
    else:
        assert batch.sequence_T[filled_T].unique().tolist() in ([-1], [])
    assert batch.padding == padding


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_matrix_can_be_laid_out_alike(layout: Layout) -> None:
    item_BW, length_B, lists = ragged(1, 9, 12)
    batch = lay_out(item_BW, length_B, 7, *layout)
    other = (item_BW * 10).flatten()[batch.source_T]
    assert other[batch.real_T].tolist() == (batch.item_T[batch.real_T] * 10).tolist()
    assert int(batch.real_T.sum()) == sum(min(7, len(row)) for row in lists)
    assert 0 <= int(batch.source_T.min()) <= int(batch.source_T.max()) < item_BW.numel()


def test_skipped_padding_is_laid_out_by_width_with_little_waste() -> None:
    item_BW, length_B, _ = ragged(2, 200, 50)
    batch = lay_out(item_BW, length_B, 50, "skip")
    widths = [width for _, width in batch.blocks]
    assert widths == sorted(set(widths))
    assert sum(rows for rows, _ in batch.blocks) == 200
    assert set(range(1, 7)) & set(length_B.tolist()) <= set(widths)
    assert len(batch.item_T) <= 1.2 * length_B.sum()


def test_packed_rows_have_the_width_of_the_longest_and_hardly_a_place_is_free() -> None:
    lengths = np.random.default_rng(0).geometric(0.15, size=256).clip(1, 50)
    length_B = torch.tensor([50, *lengths.tolist()])
    batch = lay_out(torch.ones(257, 50, dtype=torch.int64), length_B, 50, "skip", packed=True)
    assert [width for _, width in batch.blocks] == [50]
    assert len(batch.item_T) - int(length_B.sum()) < 50


def test_short_sequences_are_not_packed_with_long_ones() -> None:
    length_B = torch.tensor([900, 3, 60, 5, 40, 200])
    batch = lay_out(torch.ones(6, 900, dtype=torch.int64), length_B, 900, "skip", packed=True)
    assert batch.blocks == ((2, 60), (1, 200), (1, 900))


def test_encoded_padding_is_one_block_in_the_callers_order() -> None:
    item_BW, length_B, _ = ragged(3, 8, 9)
    batch = lay_out(item_BW, length_B, 20, "encode")
    assert batch.blocks == ((8, 20),)


def test_a_masked_item_is_real_where_padding_is_skipped_and_hidden_where_it_is_encoded() -> None:
    item_BW, length_B = torch.tensor([[5, 0, 7]]), torch.tensor([3])
    assert lay_out(item_BW, length_B, 4, "skip").real_T.tolist() == [True, True, True]
    assert lay_out(item_BW, length_B, 4, "encode").real_T.tolist() == [False, True, False, True]


def test_all_users_are_drawn_once_in_an_order_of_the_seed() -> None:
    user_M = torch.arange(100, 123)
    parts = list(shuffled(user_M, 5, seeded(1)))
    assert [len(part) for part in parts] == [5, 5, 5, 5, 3]
    order = torch.cat(parts).tolist()
    assert sorted(order) == user_M.tolist()
    assert order != user_M.tolist()
    assert order == torch.cat(list(shuffled(user_M, 5, seeded(1)))).tolist()
    assert order != torch.cat(list(shuffled(user_M, 5, seeded(2)))).tolist()


TOP = 6
SUBSETS = [[item for item in range(1, TOP + 1) if bits[item - 1]] for bits in product((0, 1), repeat=TOP)]


def sampler_of(excluded: list[list[int]], top: int, repeats: int = 1) -> NegativeSampler:
    pairs = [(user, item) for user, items in enumerate(excluded) for item in items] * repeats
    user_N, item_N = (torch.tensor([pair[at] for pair in pairs], dtype=torch.int64) for at in (0, 1))
    return NegativeSampler(item_N, user_N, len(excluded), top)


@pytest.mark.parametrize("repeats", [1, 3])
def test_every_allowed_item_is_equally_likely_for_every_set_of_exclusions(
    monkeypatch: pytest.MonkeyPatch, repeats: int
) -> None:
    points = math.lcm(*range(1, TOP + 1))
    grid = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    sampler = sampler_of(SUBSETS, TOP, repeats)
    monkeypatch.setattr(torch, "rand", lambda *args, **kwargs: grid)
    for user, excluded in enumerate(SUBSETS):
        drawn = torch.bincount(sampler.draw(torch.full((points,), user), seeded()), minlength=TOP + 1).tolist()
        allowed = [item for item in range(1, TOP + 1) if item not in excluded]
        if allowed:
            assert drawn == [points // len(allowed) if item in allowed else 0 for item in range(TOP + 1)]
        else:
            assert drawn[TOP] == points


def test_negatives_pass_a_chi_square_test() -> None:
    excluded = [[1, 2, 3, 50], [], [7], list(range(1, 41))]
    sampler = sampler_of(excluded, 50)
    n = 20_000
    drawn_T = sampler.draw(torch.arange(4).repeat(n), seeded()).reshape(n, 4)
    for user, items in enumerate(excluded):
        counts = torch.bincount(drawn_T[:, user], minlength=51).double()
        assert counts[[0, *items]].sum() == 0
        free = 50 - len(items)
        expected = n / free
        chi2 = float(((counts - expected) ** 2 / expected).sum()) - expected * (51 - free)
        assert abs(chi2 - (free - 1)) < 4 * math.sqrt(2 * (free - 1))


@pytest.mark.parametrize("seed", range(5))
def test_no_excluded_item_is_drawn_from_a_large_catalogue(seed: int) -> None:
    random = np.random.default_rng(seed)
    excluded = [random.integers(1, 3001, size=n).tolist() for n in random.integers(0, 400, size=50)]
    sampler = sampler_of(excluded, 3000)
    user_T = torch.from_numpy(random.integers(50, size=20_000))
    drawn_T = sampler.draw(user_T, seeded(seed))
    assert drawn_T.dtype == torch.int64
    assert 1 <= int(drawn_T.min()) <= int(drawn_T.max()) <= 3000
    sets = [set(items) for items in excluded]
    assert not any(item in sets[user] for user, item in zip(user_T.tolist(), drawn_T.tolist(), strict=True))


def test_a_user_with_one_item_left_always_gets_it() -> None:
    sampler = sampler_of([[1, 2, 4, 5], [2, 3, 4, 5], [1, 2, 3, 4]], 5)
    assert sampler.draw(torch.tensor([0, 1, 2] * 20), seeded()).tolist() == [3, 1, 5] * 20


def test_a_user_with_every_item_gets_the_last_and_disturbs_nobody() -> None:
    sampler = sampler_of([[1, 2, 3], [1, 2, 3], [1]], 3)
    drawn = sampler.draw(torch.tensor([0, 1, 2] * 50), seeded()).reshape(50, 3)
    assert drawn[:, :2].unique().tolist() == [3]
    assert drawn[:, 2].unique().tolist() == [2, 3]


def test_without_any_exclusion_all_items_are_drawn() -> None:
    drawn = sampler_of([[], []], 4).draw(torch.tensor([0, 1] * 100), seeded())
    assert drawn.unique().tolist() == [1, 2, 3, 4]


def world(seed: int = 0, longest: int = 70) -> tuple[Split, list[list[int]], int]:
    """A split, the histories as item indices, and the size of the catalogue."""
    random = np.random.default_rng(seed)
    lengths = [1, 2, 3, 4, 5, longest, *random.integers(1, 30, size=20).tolist()]
    rows = [(user, int(item)) for user, n in enumerate(lengths) for item in random.integers(300, size=n)]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    items = Vocabulary.of(log.frame["item_id"], 1, "item")
    known = dict(zip(items.ids.to_list(), range(1, len(items) + 1), strict=True))
    lists: list[list[int]] = [[] for _ in lengths]
    for user, item in rows:
        lists[user].append(known[item])
    return make_split(log, items, "leave_one_out", 0.1), lists, len(items)


def learnt(items: list[int]) -> tuple[list[int], list[int]]:
    """Input and target of the released program; histories too short to hold out are learnt from whole."""
    return (items[:-3], items[1:-2]) if len(items) >= 3 else (items[:-1], items[1:])


def step_settings(recipe: str, **overrides: Any) -> Settings:
    return resolve(recipe, {"max_seq_len": 20, "batch_size": 8, "epoch_steps": 1, **overrides})


RECIPES = ["default", "paper"]


@pytest.mark.parametrize("views", [True, False])
@pytest.mark.parametrize(("recipe", "horizon"), [("default", 1), ("default", 3), ("default", 30), ("paper", 1)])
def test_a_step_reads_the_inputs_and_targets_of_a_naive_loop(recipe: str, horizon: int, views: bool) -> None:
    split, lists, n_items = world()
    weights = VIEWS if views else dict.fromkeys(VIEWS, 0.0)
    source = StepSource(split, step_settings(recipe, horizon=horizon, **weights), n_items)
    users = [user for user, items in enumerate(lists) if learnt(items)[0]]
    assert source.user_M.tolist() == users
    longest_last = sorted(users, key=lambda user: len(lists[user]))
    user_B = torch.tensor(longest_last)
    step = source.step(torch.tensor([users.index(user) for user in longest_last]), seeded())
    assert step.n_sequences == len(users)
    assert len(step.tokens.length_B) == len(users) * (3 if views else 1)
    predicted_T = torch.zeros_like(step.tokens.real_T)
    for user, where in zip(user_B.tolist(), slices_of(step.tokens), strict=False):
        inputs, targets = learnt(lists[user])
        assert step.tokens.item_T[where].tolist() == inputs[-20:]
        padded = targets + [0] * horizon
        ahead = [padded[at : at + horizon] for at in range(len(targets))]
        assert step.targets.item_TH[where].tolist() == ahead[-20:]
        predicted_T[where] = True
    assert step.targets.item_TH.shape == (len(predicted_T), horizon)
    assert step.targets.item_TH[~predicted_T].unique().tolist() in ([0], [])


@pytest.mark.parametrize("recipe", RECIPES)
def test_views_are_made_of_what_is_learnt_from(recipe: str) -> None:
    split, lists, n_items = world()
    source = StepSource(split, step_settings(recipe, **VIEWS), n_items)
    user_B = source.user_M
    step = source.step(torch.arange(len(user_B)), seeded())
    slices = slices_of(step.tokens)[step.n_sequences :]
    for user, where in zip(user_B.repeat(2).tolist(), slices, strict=True):
        inputs = learnt(lists[user])[0]
        kept = inputs[-20:] if recipe == "default" else inputs
        view = step.tokens.item_T[where].tolist()
        assert 1 <= len(view) <= min(20, len(kept))
        assert all(view.count(item) <= kept.count(item) for item in view if item)
    first, second = slices[: len(user_B)], slices[len(user_B) :]
    items = step.tokens.item_T
    assert any(items[a].tolist() != items[b].tolist() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("views", [True, False])
@pytest.mark.parametrize(
    ("recipe", "negatives"), [("paper", "unseen_ever"), ("default", "unseen_in_training"), ("default", "unseen_ever")]
)
def test_negatives_of_a_step_avoid_what_the_user_has(recipe: str, negatives: str, views: bool) -> None:
    split, lists, n_items = world()
    weights = VIEWS if views else dict.fromkeys(VIEWS, 0.0)
    overrides = {"next_item_loss": "bce", "horizon": 1, "negatives": negatives, **weights}
    source = StepSource(split, step_settings(recipe, **overrides), n_items)
    top = n_items + (recipe == "paper")
    drawn = set()
    for seed in range(40):
        step = source.step(torch.arange(len(source.user_M)), seeded(seed))
        assert step.negative_TM is not None
        for user, where in zip(source.user_M.tolist(), slices_of(step.tokens), strict=False):
            items = lists[user]
            mine = items if negatives == "unseen_ever" or len(items) < 3 else items[:-2]
            negative = step.negative_TM[where].flatten().tolist()
            assert not set(negative) & set(mine)
            drawn.update(negative)
    assert drawn == set(range(1, top + 1))


def test_held_out_items_may_be_negatives_unless_asked_otherwise() -> None:
    log = Interactions.read(pl.DataFrame({"user_id": [1] * 4, "item_id": [1, 2, 3, 4]}))
    split = make_split(log, Vocabulary.of(log.frame["item_id"], 1), "leave_one_out", 0.1)
    user_B = torch.zeros(1, dtype=torch.int64)

    def drawn(negatives: str) -> set[int]:
        settings = step_settings("default", next_item_loss="bce", horizon=1, negatives=negatives)
        source = StepSource(split, settings, 5)
        steps = [source.step(user_B, seeded(seed)) for seed in range(50)]
        return {int(step.negative_TM[0]) for step in steps if step.negative_TM is not None}

    assert drawn("unseen_in_training") == {3, 4, 5}
    assert drawn("unseen_ever") == {5}


def test_softmax_needs_no_negatives() -> None:
    split, _, n_items = world()
    source = StepSource(split, step_settings("default", next_item_loss="softmax"), n_items)
    assert source.step(torch.arange(len(source.user_M)), seeded()).negative_TM is None


def test_gbce_gets_many_negatives_a_position() -> None:
    split, lists, n_items = world()
    source = StepSource(split, step_settings("default", next_item_loss="gbce", horizon=1, n_negatives=7), n_items)
    step = source.step(torch.arange(len(source.user_M)), seeded())
    assert step.negative_TM is not None
    assert step.negative_TM.shape == (len(step.targets.item_TH), 7)
    for user, where in zip(source.user_M.tolist(), slices_of(step.tokens), strict=False):
        assert not set(step.negative_TM[where].flatten().tolist()) & set(learnt(lists[user])[0])


def test_draws_for_the_sampled_softmax_come_as_often_as_they_say() -> None:
    item_N = torch.tensor([1] * 6 + [2] * 3 + [4])
    drawn_M, expected_M = ItemSampler(item_N, 5).draw(100_000, seeded())
    shares = torch.bincount(drawn_M, minlength=5) / len(drawn_M)
    torch.testing.assert_close(shares, torch.tensor([0.4, 0.25, 0.1, 0.15, 0.1]), atol=0.01, rtol=0)
    for row, chance in enumerate([0.4, 0.25, 0.1, 0.15, 0.1]):
        assert expected_M[drawn_M == row].unique().tolist() == pytest.approx([100_000 * chance])


@pytest.mark.parametrize("n_draws", [1, 2, 3, 5, 8])
def test_the_sampled_sum_over_the_catalogue_is_right_on_average(n_draws: int) -> None:
    """``E sum_m e^l_m / q_m = sum_v e^l_v``, whatever number is drawn; items 3, 5 and 6 never occur."""
    sampler, generator = ItemSampler(torch.tensor([1] * 6 + [2] * 3 + [4]), 6), seeded()
    power_V = torch.randn(6, generator=generator).exp().double()
    drawn = [sampler.draw(n_draws, generator) for _ in range(8000)]
    assert all(len(drawn_M) == len(expected_M) == n_draws for drawn_M, expected_M in drawn)
    sums = torch.stack([(power_V[drawn_M] / expected_M).sum() for drawn_M, expected_M in drawn])
    error = float(sums.std()) / len(sums) ** 0.5
    assert float(sums.mean()) == pytest.approx(float(power_V.sum()), abs=4 * error)
    counts = torch.zeros(6).index_add_(0, torch.cat([d for d, _ in drawn]), torch.ones(8000 * n_draws))
    chances = 0.5 / 6 + 0.5 * torch.tensor([0.6, 0.3, 0, 0.1, 0, 0])
    torch.testing.assert_close(counts / counts.sum(), chances, atol=0.012, rtol=0)


def test_an_even_number_of_draws_is_drawn_as_ever() -> None:
    drawn_M, _ = ItemSampler(torch.tensor([1] * 6 + [2] * 3 + [4]), 6).draw(6, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    uniform, place = (torch.randint(most, (3,), generator=generator) for most in (6, 10))
    assert drawn_M.tolist() == [*uniform.tolist(), *(torch.tensor([1] * 6 + [2] * 3 + [4])[place] - 1).tolist()]


def test_held_out_items_have_no_say_in_what_the_sampled_softmax_draws() -> None:
    log = Interactions.read(pl.DataFrame({"user_id": [1] * 4, "item_id": [1, 2, 3, 4]}))
    split = make_split(log, Vocabulary.of(log.frame["item_id"], 1), "leave_one_out", 0.1)
    source = StepSource(split, step_settings("default", next_item_loss="sampled_softmax", n_negatives=50), 4)
    step = source.step(torch.arange(len(source.user_M)), seeded())
    assert step.drawn_M is not None
    assert step.expected_M is not None
    expected = dict(zip(step.drawn_M.tolist(), step.expected_M.tolist(), strict=True))
    assert expected == pytest.approx({0: 18.75, 1: 18.75, 2: 6.25, 3: 6.25})


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_epoch_reads_every_learner_once(recipe: str) -> None:
    split, lists, n_items = world()
    source = StepSource(split, step_settings(recipe), n_items)
    steps = list(source.epoch(seeded()))
    assert len(steps) == source.n_steps == math.ceil(len(source.user_M) / 8)
    seen = []
    for step in steps:
        seen += [step.tokens.item_T[where].tolist() for where in slices_of(step.tokens)[: step.n_sequences]]
    expected = [learnt(lists[user])[0][-20:] for user in source.user_M.tolist()]
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_epoch_follows_from_its_seed(recipe: str) -> None:
    split, _, n_items = world()
    source = StepSource(split, step_settings(recipe, next_item_loss="bce", horizon=1, **VIEWS), n_items)

    def tokens(seed: int) -> list[int]:
        steps = source.epoch(seeded(seed))
        drawn = [each for step in steps for each in (step.tokens.item_T, step.negative_TM) if each is not None]
        return [value for each in drawn for value in each.flatten().tolist()]

    assert tokens(1) == tokens(1)
    assert tokens(1) != tokens(2)
