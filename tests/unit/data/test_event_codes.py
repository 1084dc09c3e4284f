"""Codes of events against plain loops, and where they are refused."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from elcrec import Interactions
from elcrec.config import Settings
from elcrec.data.dataset import Dataset
from elcrec.data.event_codes import N_GAPS, event_codes, gap_codes, gaps_in, kinds_in, packed, with_input_kinds
from elcrec.errors import DataError

LIMITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400}
CPU = torch.device("cpu")


def naive_gaps(users: list[str], seconds: list[float]) -> list[int]:
    codes = []
    for place, (user, when) in enumerate(zip(users, seconds, strict=True)):
        if place == 0 or users[place - 1] != user:
            codes.append(0)
        elif when == seconds[place - 1]:
            codes.append(1)
        else:
            codes.append(2 + sum(when - seconds[place - 1] >= limit for limit in LIMITS.values()))
    return codes


def random_log(seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    length = 300
    gaps = random.choice([0, 1, 59, 60, 61, 3599, 3600, 86_399, 86_400, 604_799, 604_800, 2_591_999, 2_592_000], length)
    users = np.sort(random.integers(0, 12, length))
    start = datetime(2020, 1, 1)
    return pl.DataFrame(
        {
            "user_id": [f"u{user:02}" for user in users],
            "item_id": [f"i{item}" for item in random.integers(0, 9, length)],
            "timestamp": [start + timedelta(seconds=int(passed)) for passed in gaps.cumsum()],
            "event": random.choice(["view", "cart", "buy"], length, p=[0.6, 0.3, 0.1]),
        }
    )


@pytest.mark.parametrize("unit", ["datetime", "s", "ms", "ns", "float"])
def test_gaps_are_those_of_a_loop(unit: str) -> None:
    log = random_log(1)
    if unit != "datetime":
        times = log["timestamp"].dt.epoch("ns" if unit == "ns" else "ms" if unit == "ms" else "s")
        log = log.with_columns(times.cast(pl.Float64) if unit == "float" else times)
    read = Interactions.read(log, kinds=True)
    settings = with_input_kinds(Settings(event_inputs="both"), read)
    assert settings.input_kinds == ("view", "cart", "buy")
    codes = event_codes(read, settings)
    assert codes is not None
    moments = random_log(1).sort("user_id", "timestamp", maintain_order=True)
    seconds = moments["timestamp"].dt.epoch("s").to_list()
    gaps = naive_gaps(moments["user_id"].to_list(), seconds)
    kinds = [1 + settings.input_kinds.index(kind) for kind in moments["event"]]
    assert codes.tolist() == [kind * N_GAPS + gap for kind, gap in zip(kinds, gaps, strict=True)]
    assert set(gaps) == set(range(N_GAPS))
    for only, expected in (("gap", gaps), ("kind", [kind * N_GAPS for kind in kinds])):
        alone = event_codes(read, with_input_kinds(Settings(event_inputs=only), read))
        assert alone is not None
        assert alone.tolist() == expected


def test_dates_have_gaps_of_days() -> None:
    days = np.array([0, 0, 1, 7, 8, 38, 100])
    assert gap_codes(days, 86_400.0).tolist() == [0, 1, 5, 5, 5, 7, 7]
    assert gap_codes(np.array([0, 7]), 86_400.0).tolist() == [0, 6]


def test_kinds_without_an_embedding_are_unknown() -> None:
    log = Interactions.read(random_log(2), kinds=True)
    codes = event_codes(log, Settings(event_inputs="kind", input_kinds=("buy",)))
    assert codes is not None
    assert (codes > 0).tolist() == (log.frame["event"] == "buy").to_list()


@pytest.mark.parametrize(
    ("columns", "inputs", "complaint"),
    [
        ({"timestamp": list(range(4))}, "gap", "no times that are moments"),
        ({}, "gap", "no times that are moments"),
        ({"timestamp": [date(2020, 1, day) for day in range(1, 5)], "event": ["view"] * 4}, "both", "has one"),
    ],
)
def test_what_the_log_lacks_is_refused(columns: dict[str, Any], inputs: str, complaint: str) -> None:
    log = pl.DataFrame({"user_id": ["u", "u", "v", "v"], "item_id": ["a", "b", "a", "b"], **columns})
    with pytest.raises(DataError, match=complaint):
        with_input_kinds(Settings(event_inputs=inputs), Interactions.read(log, kinds="event" in columns))


def test_codes_are_packed_and_unpacked_alike_as_tensors_and_arrays() -> None:
    kind_N, gap_N = (part.flatten() for part in np.mgrid[:4, :N_GAPS])
    code_N = packed(kind_N, gap_N)
    assert code_N.tolist() == list(range(4 * N_GAPS))
    assert (kinds_in(code_N).tolist(), gaps_in(code_N).tolist()) == (kind_N.tolist(), gap_N.tolist())
    code_T = packed(torch.from_numpy(kind_N), torch.from_numpy(gap_N))
    assert (kinds_in(code_T).tolist(), gaps_in(code_T).tolist()) == (kind_N.tolist(), gap_N.tolist())


def test_kinds_that_the_log_does_not_have_are_refused() -> None:
    with pytest.raises(DataError, match="input_kinds: no event is of the kind 'rent'"):
        with_input_kinds(
            Settings(event_inputs="kind", input_kinds=("view", "rent")), Interactions.read(random_log(2), kinds=True)
        )


def test_baskets_are_shuffled_with_their_kinds_and_keep_the_time_before_them() -> None:
    log = Interactions.read(random_log(3), kinds=True)
    settings = with_input_kinds(Settings(event_inputs="both", ties="shuffle"), log)
    split = Dataset.of(log, settings, CPU).split
    assert split.event_N is not None
    item_N, event_N, _ = split.shuffled_in_baskets(torch.Generator().manual_seed(1))
    assert event_N is not None
    assert not item_N.equal(split.item_N)
    assert gaps_in(event_N).equal(gaps_in(split.event_N))
    assert split.newest_N is not None
    for newest in split.newest_N.unique():
        at = split.newest_N == newest
        pairs = [
            sorted(zip(items[at], kinds_in(codes)[at], strict=True))
            for items, codes in ((item_N.numpy(), event_N.numpy()), (split.item_N.numpy(), split.event_N.numpy()))
        ]
        assert pairs[0] == pairs[1]
