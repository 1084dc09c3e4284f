"""New events onto a log: its types, its unit, each event once."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from elcrec import DataError, Interactions
from elcrec.data.clock import Clock
from elcrec.data.joining import is_id

NOON = datetime(2024, 3, 9, 12)
IN_UTC = NOON.replace(tzinfo=UTC)
SECONDS = 1_709_985_600


def log(users: Any, items: Any, times: Any = None, ids: Any = None) -> Interactions:
    columns = {"user_id": users, "item_id": items, "timestamp": times, "event_id": ids}
    frame = pl.DataFrame({name: values for name, values in columns.items() if values is not None})
    return Interactions.read(frame, event_ids=True)


def of_type(values: list[Any], kind: pl.DataType) -> pl.Series:
    return pl.Series(values).cast(kind)


def test_what_occurs_more_often_in_either_occurs_so_often() -> None:
    old = log([1] * 5, [1, 1, 2, 3, 3], [5, 5, 5, 6, 6])
    new = log([1] * 6, [1, 2, 2, 2, 4, 4], [5, 5, 5, 5, 7, 7])
    assert old.joined(new).frame.rows() == [
        *[(1, 1, 5)] * 2,
        (1, 2, 5),
        *[(1, 2, 5)] * 2,
        *[(1, 3, 6)] * 2,
        *[(1, 4, 7)] * 2,
    ]
    both = old.joined(new)
    assert both.joined(new).frame.equals(both.frame)
    assert both.joined(old).frame.equals(both.frame)
    assert both.joined(both).frame.equals(both.frame)


def test_events_with_one_id_are_one() -> None:
    old = log([1], [1], [5])
    new = log([1, 1, 1], [2, 2, 2], [7, 7, 7], ["a", "b", "a"])
    assert old.joined(new).frame.rows() == [(1, 1, 5), (1, 2, 7), (1, 2, 7)]
    with pytest.raises(DataError, match="event_id 'view' names several events"):
        old.joined(log([1, 2], [2, 2], [7, 8], ["view", "view"]))


def test_without_times_the_id_tells_what_is_here() -> None:
    old = log([1, 1], [1, 2])
    first = log([1, 1, 2], [2, 3, 1], ids=["a", "b", None])
    both = old.joined(first)
    assert both.frame.rows() == [(1, 1, None), (1, 2, None), (1, 2, "a"), (1, 3, "b"), (2, 1, None)]
    second = log([1, 1, 1], [2, 3, 2], ids=["a", "b", "c"])
    assert both.joined(second).frame.rows() == [*both.frame.rows()[:4], (1, 2, "c"), both.frame.row(4)]
    assert len(both.joined(second).joined(second)) == 6


@pytest.mark.parametrize("given", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("own", ["s", "ms", "us", "ns"])
def test_numbers_become_those_of_the_unit_of_the_log(own: str, given: str) -> None:
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    old = log([1, 1], [1, 2], [SECONDS * per[own], (SECONDS + 1) * per[own]])
    new = log([1, 1], [2, 3], [(SECONDS + 1) * per[given], (SECONDS + 2) * per[given]])
    assert old.joined(new).frame["timestamp"].to_list() == [(SECONDS + step) * per[own] for step in range(3)]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("given", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
@pytest.mark.parametrize("own", ["ms", "us", "ns"])
def test_numbers_since_1970_become_moments_of_a_log_with_a_time_zone(
    own: Any, zone: str, given: str, whole: bool
) -> None:
    """As a server takes them; an event that the log holds is known by the number, too."""
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[given]
    moments = [datetime.fromtimestamp(SECONDS + step, UTC) for step in range(3)]
    times = of_type(moments, pl.Datetime(own, "UTC")).dt.convert_time_zone(zone).alias("timestamp")
    numbers = [(SECONDS + step) * per for step in (1, 2)]
    new = log([1, 1], [2, 3], pl.Series(numbers, dtype=pl.Int64 if whole else pl.Float64))
    joined = log([1, 1], [1, 2], times.head(2)).joined(new)
    assert joined.frame["timestamp"].equals(times)
    clock = Clock.of(times)
    assert [clock.time_of(clock.kept(number)) for number in numbers] == times.to_physical().tail(2).to_list()


@pytest.mark.parametrize("given", [pl.Date(), *(pl.Datetime(unit) for unit in ("ms", "us", "ns"))])
@pytest.mark.parametrize("own", [pl.Date(), *(pl.Datetime(unit) for unit in ("ms", "us", "ns"))])
def test_moments_become_those_of_the_unit_of_the_log(own: Any, given: Any) -> None:
    days = [datetime(2024, 3, 8), datetime(2024, 3, 9), datetime(2024, 3, 10)]
    new = log([1, 1], [2, 3], of_type(days[1:], given))
    joined = log([1, 1], [1, 2], of_type(days[:2], own)).joined(new)
    assert joined.frame["timestamp"].equals(of_type(days, own).alias("timestamp"))


def test_a_moment_is_of_its_day() -> None:
    old = log([1], [1], [date(2024, 3, 9)])
    assert old.joined(log([1, 1], [1, 2], [NOON, NOON])).frame.rows() == [
        (1, 1, date(2024, 3, 9)),
        (1, 2, date(2024, 3, 9)),
    ]
    before = log([1], [1], [datetime(1969, 12, 30, 23, 0, 0, 1)])
    assert log([1], [1], [date(1969, 12, 30)]).joined(before).frame.height == 1


@pytest.mark.parametrize(("zoned", "remedy"), [(True, "write a zone in the new events"), (False, "without one")])
def test_a_zone_in_one_alone_is_refused_with_what_to_write(zoned: bool, remedy: str) -> None:
    bare, in_utc = log([1], [1], [NOON]), log([1], [1], of_type([NOON], pl.Datetime("us", "UTC")))
    old, new = (in_utc, bare) if zoned else (bare, in_utc)
    with pytest.raises(DataError, match=f"do not fit the log: their timestamps have .*{remedy}"):
        old.joined(new)


def test_zones_are_those_of_the_log() -> None:
    here = of_type([NOON], pl.Datetime("us")).dt.replace_time_zone("UTC")
    old = log([1], [1], here.dt.convert_time_zone("Europe/Paris"))
    assert old.joined(log([1], [1], here.cast(pl.Datetime("ns", "UTC")))).frame.equals(old.frame)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([SECONDS], [5, 6], None),
        ([SECONDS * 1000], [5, 6], "the log tells time in milliseconds since 1970, the new events from 5 to 6"),
        ([SECONDS * 1000], [SECONDS, SECONDS * 1000], "use one unit"),
        ([1, 2], [SECONDS], "look like moments"),
        ([1, 2], [2.5], "whole numbers"),
        (
            [1, 2],
            [NOON],
            "it tells time in plain numbers, such as 2, and they in dates and times without a time zone, ",
        ),
        ([SECONDS], [NOON], r"in seconds since 1970, such as \d+, and .*: write their times in seconds since 1970$"),
        ([NOON], [SECONDS * 1000], "in milliseconds since 1970, .*without a time zone, as the clock of the log shows"),
        ([NOON], [1, 2], "in plain numbers, such as 2: write their times in dates and times without a time zone$"),
        ([NOON.date()], [SECONDS], "it tells time in dates, .*: write their times in dates, as the clock of the log"),
        ([IN_UTC], [1, 2], "in plain numbers, such as 2: write their times in dates and times with a time zone$"),
        ([IN_UTC], [SECONDS, SECONDS * 1000], "use one unit"),
        ([SECONDS * 10**9], [10**20], "use one unit"),
    ],
)
def test_times_of_another_kind_are_refused(old: list[Any], new: list[Any], said: str | None) -> None:
    ours = log([1] * len(old), [1] * len(old), old)
    times = pl.Series(new, dtype=pl.Float64 if max(map(str, new), key=len) == str(10**20) else None)
    theirs = Interactions(pl.DataFrame({"user_id": 1, "item_id": 2, "timestamp": times}))
    if said is None:
        assert len(ours.joined(theirs)) == len(old) + len(new)
        return
    with pytest.raises(DataError, match=said):
        ours.joined(theirs)


def test_a_day_that_nanoseconds_cannot_tell_is_refused() -> None:
    old = log([1], [1], of_type([NOON], pl.Datetime("ns")))
    with pytest.raises(DataError, match="64 bits cannot tell them in nanoseconds"):
        old.joined(log([1], [1], [date(2900, 1, 1)]))


INTEGERS = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]


@pytest.mark.parametrize("given", INTEGERS)
@pytest.mark.parametrize("own", INTEGERS)
def test_integers_of_all_widths_are_one_type(own: Any, given: Any) -> None:
    joined = log(of_type([1, 2], own), of_type([1, 2], own)).joined(log(of_type([3], given), of_type([3], given)))
    assert joined.frame.dtypes == [pl.Int64, pl.Int64]
    assert joined.frame.rows() == [(1, 1), (2, 2), (3, 3)]


def test_integers_beyond_2_63_stay_64_bits_or_are_refused() -> None:
    large = log(pl.Series([2**64 - 1], dtype=pl.UInt64), [1])
    for joined in (log([5], [1]).joined(large), large.joined(log([5], [1]))):
        assert joined.frame.dtypes == [pl.UInt64, pl.Int64]
        assert joined.frame["user_id"].to_list() == [5, 2**64 - 1]
    for old, new in ((log([-5], [1]), large), (large, log([-5], [1]))):
        with pytest.raises(DataError, match="no integer of 64 bits holds both"):
            old.joined(new)
    assert large.joined(log([str(2**64 - 2)], [1])).frame["user_id"].to_list() == [2**64 - 2, 2**64 - 1]


def test_the_log_decides_between_text_and_integers() -> None:
    assert log(["7"], ["a"]).joined(log([8], [9])).frame.rows() == [("7", "a"), ("8", "9")]
    assert log([7], [1]).joined(log(["8", "-9"], ["2", "3"])).frame.rows() == [(-9, 3), (7, 1), (8, 2)]
    for odd in ("x", "007", "1.0", "1e3", str(2**64)):
        with pytest.raises(DataError, match=r"user_id is Int64 in the log and String in the new events.*alike"):
            log([7], [1]).joined(log(["8", odd], ["2", "2"]))


def test_ids_that_a_log_can_hold() -> None:
    for text in ("0", "7", "-7", str(2**63 - 1), str(-(2**63))):
        assert is_id(text, pl.Int64())
    for text in ("", "x", "007", "-0", "+7", " 7", "7.0", str(2**63), "٣", "9" * 5000):
        assert not is_id(text, pl.Int64())
    assert is_id(str(2**64 - 1), pl.UInt64())
    assert not is_id("-1", pl.UInt64())
    assert is_id("007", pl.String())
    for text in (" \t", " x", "x\u200b", "\ufeffx"):
        assert not is_id(text, pl.String()), "train would take the blanks away"
