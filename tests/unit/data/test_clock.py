"""Times of events are checked and converted at the door, into the unit of the log."""

import time
from datetime import date, datetime

import polars as pl
import pytest

from elcrec.data.clock import Clock
from elcrec.errors import DataError

MOMENT = 1_709_981_998
TEXT = "2024-03-09T10:59:58Z"


def numbers(per: int) -> Clock:
    return Clock.of(pl.Series([MOMENT * per, (MOMENT + 5) * per]))


def temporal(kind: pl.DataType) -> Clock:
    return Clock.of(pl.Series([datetime(2024, 3, 1), datetime(2024, 3, 8)]).cast(kind))


CLOCKS = {
    "s": (numbers(1), MOMENT),
    "ms": (numbers(10**3), MOMENT * 10**3),
    "us": (numbers(10**6), MOMENT * 10**6),
    "ns": (numbers(10**9), MOMENT * 10**9),
    "date": (temporal(pl.Date()), (date(2024, 3, 9) - date(1970, 1, 1)).days),
    "datetime-ms": (temporal(pl.Datetime("ms")), MOMENT * 10**3),
    "datetime-ns": (temporal(pl.Datetime("ns")), MOMENT * 10**9),
    "fractions": (Clock.of(pl.Series([MOMENT + 0.5])), float(MOMENT)),
    "no times": (Clock.of(None), MOMENT * 10**9),
}


@pytest.mark.parametrize("name", CLOCKS)
@pytest.mark.parametrize("told", [MOMENT, float(MOMENT), MOMENT * 10**3, MOMENT * 10**6, MOMENT * 10**9, TEXT])
def test_whatever_tells_a_moment_it_is_one_time_of_the_log(name: str, told: float | str) -> None:
    clock, expected = CLOCKS[name]
    assert clock.time_of(clock.kept(told)) == expected
    assert clock.kind == "moments"


@pytest.mark.parametrize("name", CLOCKS)
def test_a_time_of_the_log_is_kept_and_found_again(name: str) -> None:
    clock, time = CLOCKS[name]
    for one in (time, time + 1, -time):
        assert clock.time_of(clock.kept_of(one)) == one
    steps = Clock.of(pl.Series([1.5, 7.0]))
    assert [steps.time_of(steps.kept_of(one)) for one in (0.5, 7.0)] == [0.5, 7.0]


@pytest.mark.parametrize("name", CLOCKS)
def test_now_is_now_in_the_unit_of_the_log(name: str) -> None:
    clock, _ = CLOCKS[name]
    assert (
        clock.time_of(clock.kept(time.time() - 10))
        <= clock.time_of(clock.now())
        <= clock.time_of(clock.kept(time.time() + 10))
    )
    assert clock.time_of(clock.now()) > clock.newest


def test_what_is_finer_than_the_unit_is_cut_off_also_before_1970() -> None:
    clock, _ = CLOCKS["s"]
    assert clock.time_of(clock.kept(MOMENT + 0.999)) == MOMENT
    assert clock.time_of(clock.kept("1969-12-31T23:59:59.5Z")) == -1
    days, _ = CLOCKS["date"]
    assert days.time_of(days.kept("1969-12-31T10:31:00")) == -1
    nanoseconds, _ = CLOCKS["ns"]
    assert nanoseconds.time_of(nanoseconds.kept("2024-03-09T10:59:58.123456789+00:00")) == MOMENT * 10**9 + 123456789
    assert nanoseconds.time_of(nanoseconds.kept(MOMENT * 10**9 + 1)) == MOMENT * 10**9 + 1


@pytest.mark.parametrize("told", [MOMENT * 10**3 + 7, MOMENT + 0.123, 1.5, -3])
def test_answers_show_what_can_be_sent_again(told: float) -> None:
    for name in ("s", "us", "datetime-ms", "no times"):
        clock, _ = CLOCKS[name]
        if clock.numbers and clock.unit == "us" and abs(told) < 10:
            continue
        time = clock.time_of(clock.kept(told))
        assert clock.time_of(clock.kept(clock.shown(time))) == time


@pytest.mark.parametrize("told", ["1600-01-01", "2200-01-01", 5e10, -3e9, 9e18])
def test_moments_outside_of_the_years_of_events_are_refused(told: float | str) -> None:
    for clock, _ in CLOCKS.values():
        with pytest.raises(DataError, match=r"lies outside the years 1900 to 2199|milliseconds|microsec|nanosec"):
            clock.kept(told)


@pytest.mark.parametrize("told", [float("nan"), float("inf"), -float("inf"), 2**63, 10**40, -1e30, 1e25])
def test_what_is_no_number_of_64_bits_is_refused(told: float) -> None:
    for clock in (*(clock for clock, _ in CLOCKS.values()), Clock.of(pl.Series([1, 2]))):
        with pytest.raises(DataError, match=r"finite number|beyond 64 bits"):
            clock.kept(told)


@pytest.mark.parametrize("told", ["", "yesterday", "1709981998", "2024-13-01", "2024-03-09 25:00"])
def test_text_that_is_no_moment_is_refused(told: str) -> None:
    with pytest.raises(DataError, match="ISO 8601"):
        CLOCKS["ms"][0].kept(told)


def test_a_small_number_is_refused_where_it_may_be_either() -> None:
    assert CLOCKS["datetime-ms"][0].kept(3.5) == 3_500_000_000
    assert CLOCKS["s"][0].kept(3) == 3 * 10**9
    with pytest.raises(DataError, match="the log's times are milliseconds since 1970"):
        CLOCKS["ms"][0].kept(3)


def test_plain_numbers_are_taken_as_they_are() -> None:
    steps = Clock.of(pl.Series([0, 1, 40]))
    assert (steps.kind, steps.kept(7), steps.kept(90.0)) == ("numbers", 7, 90)
    assert steps.time_of(7) == steps.shown(7) == 7
    assert [steps.now(), steps.now(30), steps.now(60)] == [41, 41, 61]
    with pytest.raises(DataError, match="whole numbers"):
        steps.kept(7.5)
    for moment in (MOMENT, MOMENT * 1000, TEXT):
        with pytest.raises(DataError, match="plain numbers \\(the last is 40\\)"):
            steps.kept(moment)
    halves = Clock.of(pl.Series([0.5, 40.0]))
    assert [halves.kept(7), halves.kept(7.5), halves.now()] == [7.0, 7.5, 41.0]
    many = Clock.of(pl.Series([0, 50_000_000, 110_000_000]))
    assert many.kept(110_000_001) == 110_000_001, "more steps than there are seconds in three years"


def test_times_that_elcrec_01_kept_are_read_as_it_wrote_them() -> None:
    milliseconds, _ = CLOCKS["ms"]
    assert milliseconds.time_of(MOMENT + 0.25) == MOMENT * 1000 + 250, "now, in seconds"
    assert milliseconds.time_of(MOMENT * 1000.0) == MOMENT * 1000, "sent as in the log"
    # Its exports were rounded to microseconds: what a log has learnt from since is found again.
    assert CLOCKS["datetime-ns"][0].time_of(MOMENT + 0.1234567) == MOMENT * 10**9 + 123457000
    assert milliseconds.time_of(1e30) is None
    assert Clock.of(pl.Series([1, 2])).time_of(2.0) == 2
    assert Clock.of(pl.Series([1, 2])).time_of(MOMENT + 0.5) is None
