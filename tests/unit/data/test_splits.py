"""Cuts in the histories, against naive loops."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, SettingsError, UnknownIdError


def histories_of(lengths: list[int]) -> list[list[int]]:
    """Distinct items throughout, so that an item tells its place."""
    ends = np.cumsum(lengths)
    return [list(range(end - length + 1, end + 1)) for length, end in zip(lengths, ends.tolist(), strict=True)]


def split_of(histories: list[list[int]]) -> Split:
    rows = [(user, item) for user, items in enumerate(histories) for item in items]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    return make_split(log, Vocabulary.of(log.frame["item_id"], 1, "item"), "leave_one_out", 0.1)


def timed(rows: list[tuple[int, int]]) -> tuple[Interactions, Vocabulary]:
    """A log of (user, time) whose items are numbered by row."""
    frame = pl.DataFrame(rows, schema=["user_id", "timestamp"], orient="row").with_row_index("item_id", 1)
    log = Interactions.read(frame)
    return log, Vocabulary.of(log.frame["item_id"], 1, "item")


def part(split: Split, user: int, to: torch.Tensor) -> list[int]:
    return split.item_N[split.start_U[user] : to[user]].tolist()


def test_leave_one_out_agrees_with_the_released_loop() -> None:
    histories = histories_of([3, 4, 5, 9, 60])
    split = split_of(histories)
    for user, items in enumerate(histories):
        learnt = part(split, user, split.train_end_U)
        assert learnt[:-1] == items[:-3]
        assert learnt[1:] == items[1:-2]
        assert part(split, user, split.valid_U) == items[:-2]
        assert split.item_N[split.valid_U[user]] == items[-2]
        assert part(split, user, split.test_U) == items[:-1]
        assert split.item_N[split.test_U[user]] == items[-1]


def test_short_histories_are_only_learnt_from() -> None:
    split = split_of(histories_of([1, 2, 3]))
    assert split.n_users == 3
    assert split.valid_U.tolist() == [-1, -1, 4]
    assert split.test_U.tolist() == [-1, -1, 5]
    assert split.train_end_U.tolist() == [1, 3, 4]
    assert split.learners().tolist() == [1]


def test_everything_is_int64_and_user_by_user() -> None:
    split = split_of(histories_of([2, 5, 1]))
    assert split.item_N.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (split.start_U.tolist(), split.end_U.tolist()) == ([0, 2, 7], [2, 7, 8])
    for tensor in (split.item_N, split.start_U, split.end_U, split.train_end_U, split.valid_U, split.test_U):
        assert tensor.dtype == torch.int64


def test_repeated_items_keep_their_index() -> None:
    assert split_of([[5, 9, 5, 5], [9]]).item_N.tolist() == [1, 2, 1, 1, 2]


@pytest.mark.parametrize(("name", "offset"), [("valid", 2), ("test", 1)])
def test_targets_are_those_who_have_one(name: str, offset: int) -> None:
    split = split_of(histories_of([1, 4, 2, 3]))
    user_Q, at_Q = split.targets(name)  # type: ignore[arg-type]
    assert user_Q.tolist() == [1, 3]
    assert at_Q.tolist() == [5 - offset, 10 - offset]


def test_learners_have_two_items_to_learn_from() -> None:
    assert split_of(histories_of([1, 2, 3, 4])).learners().tolist() == [1, 3]


def test_a_split_moves_as_a_whole() -> None:
    split = replace(split_of(histories_of([4])), newest_N=torch.arange(4))
    moved = split.to(torch.device("meta"))
    tensors = [value for value in vars(moved).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 7
    assert all(tensor.device.type == "meta" for tensor in tensors)


def naive_global_time(rows: list[tuple[int, int]], back: Callable[[int], int]) -> dict[int, tuple[int, int, int]]:
    """Train length, validation place, test place within each user's history (-1: none)."""
    times = sorted(time for _, time in rows)
    first, second = times[back(2)], times[back(1)]
    cuts = {}
    for user in {user for user, _ in rows}:
        mine = sorted(time for who, time in rows if who == user)
        train = [time for time in mine if time < first]
        valid = [time for time in mine if first <= time < second]
        test = [time for time in mine if time >= second]
        cuts[user] = (
            len(train),
            len(train) if train and valid else -1,
            len(train) + len(valid) if test and (train or valid) else -1,
        )
    return cuts


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tenths", [1, 2, 3])
def test_global_time_agrees_with_a_naive_loop(seed: int, tenths: int) -> None:
    random = np.random.default_rng(seed)
    rows = list(zip(random.integers(12, size=90).tolist(), random.integers(60, size=90).tolist(), strict=True))
    log, items = timed(rows)
    split = make_split(log, items, "global_time", tenths / 10)
    expected = naive_global_time(rows, lambda back: 90 * (10 - back * tenths) // 10)
    for user, (train, valid, test) in enumerate(cut for _, cut in sorted(expected.items())):
        start = int(split.start_U[user])
        assert int(split.train_end_U[user]) == start + train
        assert int(split.valid_U[user]) == (-1 if valid < 0 else start + valid)
        assert int(split.test_U[user]) == (-1 if test < 0 else start + test)


@pytest.mark.parametrize("tenths", [1, 2, 3, 4])
def test_global_time_leaves_the_asked_share_behind_each_cut(tenths: int) -> None:
    log, items = timed([(0, time) for time in range(10)])
    split = make_split(log, items, "global_time", tenths / 10)
    cuts = [int(split.train_end_U[0]), int(split.valid_U[0]), int(split.test_U[0])]
    assert cuts == [10 - 2 * tenths, 10 - 2 * tenths, 10 - tenths]


def test_global_time_reads_moments() -> None:
    days = pl.Series(range(10)).cast(pl.Date)
    for times in (days, days.cast(pl.Datetime("us")), days.cast(pl.Datetime("ms", "UTC"))):
        log = Interactions.read(pl.DataFrame({"user_id": [1] * 10, "item_id": range(10), "timestamp": times}))
        split = make_split(log, Vocabulary.of(log.frame["item_id"], 1), "global_time", 0.2)
        assert (split.train_end_U.tolist(), split.valid_U.tolist(), split.test_U.tolist()) == ([6], [6], [8])


def test_global_time_cuts_everybody_at_the_same_two_moments() -> None:
    rows = [(user, 10 * step + user) for user in range(5) for step in range(8)]
    log, items = timed(rows)
    split = make_split(log, items, "global_time", 0.25)
    times = log.frame["timestamp"].to_numpy()
    learnt = [time for a, b in zip(split.start_U, split.train_end_U, strict=True) for time in times[int(a) : int(b)]]
    _, valid_Q = split.targets("valid")
    _, test_Q = split.targets("test")
    assert max(learnt) < min(times[valid_Q])
    assert max(times[valid_Q]) < min(times[test_Q])


def test_global_time_without_times_is_refused() -> None:
    log = Interactions.read(pl.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 3]}))
    with pytest.raises(DataError, match="global_time needs a timestamp column"):
        make_split(log, Vocabulary.of(log.frame["item_id"], 1), "global_time", 0.1)


def test_items_outside_the_vocabulary_are_refused() -> None:
    log = Interactions.read(pl.DataFrame({"user_id": [1, 1], "item_id": ["a", "b"]}))
    with pytest.raises(UnknownIdError, match="unknown item 'b'"):
        make_split(log, Vocabulary.of(pl.Series(["a"]), 1, "item"), "leave_one_out", 0.1)


@pytest.mark.parametrize("name", ["valid", "test"])
def test_nobody_to_ask_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"no user has an item for {name}.*three or more"):
        split_of(histories_of([1, 2])).targets(name)  # type: ignore[arg-type]


def test_nothing_to_learn_is_refused() -> None:
    with pytest.raises(DataError, match=r"two training items: the longest history has 3 items.*global_t"):
        split_of(histories_of([1, 3, 1])).learners()
    with pytest.raises(DataError, match=r"two training items: each user has a single event.*user_column"):
        split_of(histories_of([1, 1])).learners()


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(SettingsError, match="use valid or test"):
        split_of(histories_of([3])).targets("train")


def test_a_share_of_users_is_learnt_from_and_all_are_asked() -> None:
    rows = [(user, item) for user in range(2000) for item in range(1, 6)]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    whole = make_split(log, Vocabulary.of(log.frame["item_id"], 1), "leave_one_out", 0.1)
    part = whole.learning_from(0.25, 1)
    assert 400 < len(part.learners()) < 600
    assert torch.equal(part.targets("test")[1], whole.targets("test")[1])
    assert torch.equal(part.learners(), whole.learning_from(0.25, 1).learners())
    assert not torch.equal(part.learners(), whole.learning_from(0.25, 2).learners())
    assert set(part.learners().tolist()) <= set(whole.learning_from(0.5, 1).learners().tolist())
    assert whole.learning_from(1.0, 1) is whole


def baskets_log(baskets: dict[int, list[list[int]]]) -> Interactions:
    """One user after the other, the items of a basket at one time."""
    timed = [(user, time, items) for user, all_of in baskets.items() for time, items in enumerate(all_of)]
    rows = [(user, item, time) for user, time, items in timed for item in items]
    return Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))


BASKETS = {1: [[1, 2], [3], [4, 5, 6]], 2: [[1], [2, 3]], 3: [[9], [8], [7, 6], [5, 4, 4], [3]]}


def basket_split(ties: str = "shuffle") -> tuple[Split, list[int]]:
    log = baskets_log(BASKETS)
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    return make_split(log, items, "leave_one_basket_out", 0.1, ties), items.ids.to_list()


def test_whole_baskets_are_held_out() -> None:
    split, ids = basket_split()
    for part, back in (("valid", 2), ("test", 1)):
        user_Q, histories = split.held_out(part)
        assert user_Q.tolist() == [0, 2]  # the second user has two baskets
        row_X, item_X = histories.targets
        for place, user in enumerate([1, 3]):
            held_out = BASKETS[user][-back]
            assert sorted(ids[item - 1] for item in item_X[row_X == place].tolist()) == sorted(set(held_out))
            before = [item for basket in BASKETS[user][:-back] for item in basket]
            history, length = histories.at(torch.tensor([place])).items()
            assert [ids[item - 1] for item in history[0, : int(length[0])].tolist()] == before
    assert split.train_end_U.tolist() == [2, 9, 13]


def test_the_newest_event_of_a_basket_is_its_last() -> None:
    split, _ = basket_split()
    assert split.newest_N is not None
    assert split.newest_N.tolist() == [1, 1, 2, 5, 5, 5, 6, 8, 8, 9, 10, 12, 12, 15, 15, 15, 16]
    assert basket_split("file")[0].newest_N is None


def test_shuffling_keeps_each_item_in_its_basket() -> None:
    split, _ = basket_split()
    orders = [split.shuffled_in_baskets(torch.Generator().manual_seed(seed))[0] for seed in range(20)]
    for order in orders:
        for newest in split.newest_N.unique().tolist():
            own = split.newest_N == newest
            assert sorted(order[own].tolist()) == sorted(split.item_N[own].tolist())
    assert len({tuple(order.tolist()) for order in orders}) == 8  # three baskets of two are learned from
    plain = replace(split, newest_N=None)
    generator = torch.Generator().manual_seed(1)
    assert plain.shuffled_in_baskets(generator)[0] is plain.item_N
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(1).get_state())
