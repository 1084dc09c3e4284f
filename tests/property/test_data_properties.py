"""What holds for every log: ids, order, cuts and layouts."""

import tempfile
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from elcrec.data import interactions
from elcrec.data.batches import NegativeSampler, lay_out
from elcrec.data.check import check_log
from elcrec.data.interactions import Interactions
from elcrec.data.layout import Layout
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary, natural_order
from elcrec.errors import DataError

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
NUMBERED = st.from_regex(r"[a-c_]{0,2}[0-9]{0,3}[a-c]{0,1}", fullmatch=True)
TEXT = st.one_of(NUMBERED, st.text(max_size=6))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
IDS = st.one_of(st.lists(TEXT, min_size=1, max_size=30), st.lists(INTEGERS, min_size=1, max_size=30))
LOGS = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12), st.integers(0, 25)), min_size=1, max_size=60)


def shuffled(values: list[Any], seed: int) -> list[Any]:
    return [values[at] for at in np.random.default_rng(seed).permutation(len(values))]


def log_of(rows: list[tuple[Any, ...]]) -> Interactions:
    return Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))


def split_of(log: Interactions, method: str, share: float = 0.1) -> Split:
    return make_split(log, Vocabulary.of(log.frame["item_id"], 1, "item"), method, share)


def cuts_of(split: Split) -> list[list[int]]:
    """Start, end, training end, validation and test position of each user."""
    cuts = (split.start_U, split.end_U, split.train_end_U, split.valid_U, split.test_U)
    return torch.stack(cuts, 1).tolist()


@QUICK
@given(IDS, st.integers(0, 3))
def test_ids_survive_the_way_to_indices_and_back(ids: list[Any], first: int) -> None:
    vocabulary = Vocabulary.of(pl.Series(ids), first)
    index = vocabulary.indices(ids)
    assert vocabulary.ids_of(index).to_list() == ids
    assert sorted(set(index.tolist())) == list(range(first, first + len(set(ids))))
    assert vocabulary.indices([str(value) for value in ids]).tolist() == index.tolist()


@QUICK
@given(IDS, IDS)
def test_known_ids_keep_their_index_among_unknown_ones(ids: list[Any], others: list[Any]) -> None:
    vocabulary = Vocabulary.of(pl.Series(ids))
    known = {str(value): number for number, value in enumerate(vocabulary.ids.to_list())}
    found = vocabulary.indices([*others, *ids], unknown="skip").tolist()
    assert found == [known.get(str(value), -1) for value in [*others, *ids]]


@QUICK
@given(IDS, st.integers(0, 2**32))
def test_numbering_does_not_depend_on_the_order_of_rows(ids: list[Any], seed: int) -> None:
    vocabulary = Vocabulary.of(pl.Series(ids))
    assert Vocabulary.of(pl.Series(shuffled(ids, seed))).ids.to_list() == vocabulary.ids.to_list()


@QUICK
@given(st.lists(TEXT, unique=True, min_size=1, max_size=25), st.integers(0, 2**32))
def test_natural_order_is_one_total_order(ids: list[str], seed: int) -> None:
    order = natural_order(pl.Series(ids)).to_list()
    assert sorted(order) == sorted(ids)
    assert natural_order(pl.Series(shuffled(ids, seed))).to_list() == order
    for before, after in pairwise(order):
        assert natural_order(pl.Series([after, before])).to_list() == [before, after]
    assert natural_order(pl.Series([order[-1], order[0]])).to_list() == [order[0], order[-1]]


@QUICK
@given(st.from_regex(r"[a-z]{0,3}", fullmatch=True), st.integers(0, 10**9), st.integers(0, 10**9))
def test_natural_order_counts(stem: str, low: int, high: int) -> None:
    assume(low < high)
    assert natural_order(pl.Series([f"{stem}{high}", f"{stem}{low}"])).to_list() == [f"{stem}{low}", f"{stem}{high}"]


@QUICK
@given(st.lists(st.sampled_from(["a1", "a2", "a10", "b"]), min_size=1, max_size=20))
def test_natural_order_keeps_repeats(ids: list[str]) -> None:
    rank = {"a1": 0, "a2": 1, "a10": 2, "b": 3}
    assert natural_order(pl.Series(ids)).to_list() == sorted(ids, key=rank.__getitem__)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 5), NUMBERED.filter(bool)), min_size=1, max_size=40), st.integers(0, 2**32))
def test_shuffled_rows_with_times_give_the_same_log(pairs: list[tuple[int, str]], seed: int) -> None:
    rows = [(*pair, time) for time, pair in enumerate(pairs)]
    assert log_of(shuffled(rows, seed)).frame.equals(log_of(rows).frame)


@QUICK
@given(LOGS)
def test_a_log_is_its_rows_by_user_and_time_in_order_of_arrival(rows: list[tuple[int, int, int]]) -> None:
    assert log_of(rows).frame.rows() == sorted(rows, key=lambda row: (row[0], row[2]))


@QUICK
@given(LOGS, st.booleans(), st.booleans(), st.integers(1, 60))
def test_rows_that_equal_an_earlier_one_are_counted_and_said(
    rows: list[tuple[int, int, int]], crowded: bool, timed: bool, block: int
) -> None:
    rows = [(user % 3, item % 3, time % 3) for user, item, time in rows] if crowded else rows
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    frame = frame if timed else frame.drop("timestamp")
    expected = len(rows) - len(set(rows)) if timed else 0  # without times a row more is one more of an item
    with patch.object(interactions, "ROWS_AT_ONCE", block), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert Interactions.read(frame).copies() == expected
    said = [str(one.message) for one in caught if "of an earlier one" in str(one.message)]
    checked = check_log(frame, Layout())
    assert said == [note for note in checked["warnings"] if "of an earlier one" in note]
    assert checked["duplicates"] == expected
    assert [int(note.split()[0]) for note in said] == ([expected] if expected else [])


@QUICK
@given(st.lists(st.text("abcé ,;\"'#-", min_size=1, max_size=5).filter(str.strip), min_size=1, max_size=12))
def test_text_ids_come_back_from_every_format(ids: list[str]) -> None:
    named = [one.strip() for one in ids]  # no interface tells blanks around an id
    frame = pl.DataFrame({"user_id": ids, "item_id": ids})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        frame.write_csv(path / "log.csv")
        frame.write_csv(path / "log.tsv", separator="\t")
        frame.write_parquet(path / "log.parquet")
        frame.write_ndjson(path / "log.jsonl")
        for name in ("log.csv", "log.tsv", "log.parquet", "log.jsonl"):
            log = Interactions.read(path / name)
            assert sorted(log.frame["user_id"].to_list()) == sorted(named)
            assert sorted(log.frame["item_id"].to_list()) == sorted(named)


@QUICK
@given(st.lists(st.lists(st.integers(1, 10**18 - 1), min_size=1, max_size=9), min_size=1, max_size=9))
def test_the_text_format_is_read_as_written(histories: list[list[int]]) -> None:
    lines = "".join(f"{user} {' '.join(map(str, items))}\n" for user, items in enumerate(histories, 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.txt"
        path.write_text(lines)
        log = Interactions.read(path, "text")
    assert log.frame.rows() == [(user, item) for user, items in enumerate(histories, 1) for item in items]


def complaint(path: Path) -> str | None:
    try:
        Interactions.read(path)
    except DataError as error:
        return str(error)
    return None


@settings(QUICK, max_examples=200)
@given(
    st.one_of(st.binary(min_size=1, max_size=200), st.text('ui12_,:{}"\n\t \r\ufeff-.', min_size=1).map(str.encode)),
    st.sampled_from(["", ".txt", ".csv", ".tsv", ".parquet", ".jsonl"]),
    st.sampled_from([b"", b"user,item\n", b"user\titem\n", b"1 2 3\n", b'{"user": 1, "item": 2}\n', b"\xef\xbb\xbf"]),
)
def test_any_bytes_give_a_log_or_one_line_that_says_what_is_wrong(content: bytes, ending: str, head: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"log{ending}"
        path.write_bytes(head + content)
        message = complaint(path)
    assert message is None or (message and "\n" not in message)


@QUICK
@given(LOGS, st.integers(1, 4))
def test_a_k_core_is_the_largest_part_where_everything_is_frequent(rows: list[tuple[int, ...]], k: int) -> None:
    log = log_of(rows)
    core, before = log.frame.rows(), None
    while core != before:
        before = core
        users, items = ([row[at] for row in core] for at in (0, 1))
        core = [row for row in core if users.count(row[0]) >= k and items.count(row[1]) >= k]
    try:
        assert log.filtered(k_core=k).frame.rows() == core
    except DataError:
        assert core == []


@QUICK
@given(LOGS)
def test_leave_one_out_parts_each_history(rows: list[tuple[int, int, int]]) -> None:
    split = split_of(log_of(rows), "leave_one_out")
    assert split.start_U.tolist() == [0, *split.end_U.tolist()][:-1]
    assert split.end_U[-1] == split.item_N.numel() == len(rows)
    for start, end, train_end, valid, test in cuts_of(split):
        held_out = [at for at in (valid, test) if at >= 0]
        assert [*range(start, train_end), *held_out] == list(range(start, end))
        assert len(held_out) == (2 if end - start >= 3 else 0)


@QUICK
@given(LOGS, st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.3, 0.45]))
def test_global_time_never_learns_from_the_future(rows: list[tuple[int, int, int]], share: float) -> None:
    log = log_of(rows)
    split = split_of(log, "global_time", share)
    times = log.frame["timestamp"].to_list()
    learnt, valid, test = [], [], []
    for start, end, train_end, valid_at, test_at in cuts_of(split):
        assert start <= train_end <= end
        assert valid_at == -1 or start < valid_at == train_end < end
        assert test_at == -1 or max(start + 1, train_end, valid_at + 1) <= test_at < end
        learnt += times[start:train_end]
        valid += [times[valid_at]] if valid_at >= 0 else []
        test += [times[test_at]] if test_at >= 0 else []
    assert max(learnt, default=-1) < min(valid + test, default=99)
    assert max(learnt + valid, default=-1) < min(test, default=99)


@QUICK
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(1, 30),
    st.sampled_from([("skip", False), ("skip", True), ("encode", False)]),
)
def test_a_layout_holds_every_newest_item_once(lengths: list[int], max_seq_len: int, layout: Any) -> None:
    width = max(lengths)
    item_BW = 1 + torch.arange(len(lengths) * width).reshape(len(lengths), width)
    length_B = torch.tensor(lengths)
    item_BW = item_BW * (torch.arange(width) < length_B[:, None])
    batch = lay_out(item_BW, length_B, max_seq_len, *layout)
    newest = [row[:n][-max_seq_len:].tolist() for row, n in zip(item_BW, lengths, strict=True)]
    assert sorted(batch.item_T[batch.real_T].tolist()) == sorted(item for row in newest for item in row)
    assert batch.item_T[~batch.real_T].unique().tolist() in ([], [0])
    assert batch.length_B.tolist() == [len(row) for row in newest]
    for end, row in zip(batch.last_B.tolist(), newest, strict=True):
        assert batch.item_T[end + 1 - len(row) : end + 1].tolist() == row
        assert batch.position_T[end + 1 - len(row) : end + 1].tolist() == list(range(max_seq_len))[-len(row) :]


@QUICK
@given(st.lists(st.sets(st.integers(1, 9)), min_size=1, max_size=6), st.integers(0, 2**32))
def test_negatives_are_what_the_user_does_not_have(excluded: list[set[int]], seed: int) -> None:
    pairs = [(user, item) for user, items in enumerate(excluded) for item in items]
    user_N, item_N = (torch.tensor([pair[at] for pair in pairs], dtype=torch.int64) for at in (0, 1))
    sampler = NegativeSampler(item_N, user_N, len(excluded), 9)
    user_T = torch.arange(len(excluded)).repeat(300)
    drawn_T = sampler.draw(user_T, torch.Generator().manual_seed(seed))
    for user, items in enumerate(excluded):
        assert set(drawn_T[user_T == user].tolist()) == (set(range(1, 10)) - items or {9})
