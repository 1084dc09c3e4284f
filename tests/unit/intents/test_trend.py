"""Equal periods of a log, samples of them and shares in them."""

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from elcrec.data.interactions import Interactions
from elcrec.errors import DataError
from elcrec.intents.trend import N_PERIODS, Periods, make_periods, trends

TWELVE_DAYS = [dt.datetime(2024, 3, day) for day in (1, 5, 13)]
TWELVE_HOURS = [dt.datetime(2024, 3, 1, hour) for hour in (6, 10, 18)]


def periods(times: pl.Series) -> Periods:
    found = make_periods(times)
    assert found is not None
    return found


# Labels


def test_dates_are_labelled_by_date() -> None:
    found = periods(pl.Series([dt.date(2024, 2, 20), dt.date(2024, 3, 15)]))
    assert found.labels == [str(dt.date(2024, 2, 20) + dt.timedelta(days=2 * number)) for number in range(12)]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_are_labelled_by_date_where_a_period_has_a_day(unit: str) -> None:
    found = periods(pl.Series(TWELVE_DAYS, dtype=pl.Datetime(unit)))
    assert found.labels == [f"2024-03-{day:02d}" for day in range(1, 13)]
    assert found.number_N.tolist() == [0, 4, 11]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_are_labelled_to_the_second_where_periods_are_shorter_than_a_day(unit: str) -> None:
    found = periods(pl.Series(TWELVE_HOURS, dtype=pl.Datetime(unit)))
    assert [dt.datetime.fromisoformat(label.rstrip("0") + "0") for label in found.labels] == [
        dt.datetime(2024, 3, 1, hour) for hour in range(6, 18)
    ]
    assert found.number_N.tolist() == [0, 4, 11]


def test_a_period_just_short_of_a_day_is_labelled_by_moment() -> None:
    times = pl.Series([dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 12, 23, 59)])
    assert all(" " in label for label in periods(times).labels)


def test_moments_of_a_time_zone_are_labelled_in_its_own_hours() -> None:
    times = pl.Series(TWELVE_HOURS).dt.replace_time_zone("Asia/Tokyo")
    assert [dt.datetime.fromisoformat(label) for label in periods(times).labels] == [
        dt.datetime(2024, 3, 1, hour, tzinfo=dt.timezone(dt.timedelta(hours=9))) for hour in range(6, 18)
    ]


def test_the_time_zone_does_not_change_which_period_an_event_is_in() -> None:
    times = pl.Series(TWELVE_DAYS).dt.replace_time_zone("UTC")
    there = times.dt.convert_time_zone("America/New_York")
    assert periods(times).labels == [f"2024-03-{day:02d}" for day in range(1, 13)]
    assert periods(there).number_N.tolist() == periods(times).number_N.tolist() == [0, 4, 11]


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        (0, 12, [str(number) for number in range(12)]),
        (0.0, 6.0, ["0", "0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5", "5.5"]),
        (-24, 0, [str(number) for number in range(-24, 0, 2)]),
    ],
)
def test_numbers_are_labelled_as_numbers_never_with_an_exponent(first: float, last: float, labels: list[str]) -> None:
    assert periods(pl.Series([last, first])).labels == labels


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_numbers_that_count_moments_are_labelled_by_date(per_second: int) -> None:
    first = 1_400_000_000 * per_second
    year = first + 360 * 86_400 * per_second
    assert periods(pl.Series([year, first])).labels[:2] == ["2014-05-13", "2014-06-12"]
    minutes = periods(pl.Series([float(first), float(first + 1200 * per_second)])).labels
    assert [dt.datetime.fromisoformat(label) for label in minutes[:2]] == [
        dt.datetime(2014, 5, 13, 16, 53, 20),
        dt.datetime(2014, 5, 13, 16, 55, 0),
    ]


# Periods


@pytest.mark.parametrize("seed", range(3))
def test_periods_are_equally_wide(seed: int) -> None:
    times = np.random.default_rng(seed).normal(5, 3, size=500)
    found, width = periods(pl.Series(times)), (times.max() - times.min()) / N_PERIODS
    assert len(found.labels) == N_PERIODS
    assert found.number_N.dtype == np.int64
    assert set(found.number_N) <= set(range(N_PERIODS))
    for time, number in zip(times.tolist(), found.number_N.tolist(), strict=True):
        since = time - times.min() - number * width
        assert -1e-9 <= since <= width + 1e-9


def test_a_moment_between_two_periods_belongs_to_the_later_and_the_last_one_to_the_last() -> None:
    assert periods(pl.Series(range(13))).number_N.tolist() == [*range(12), 11]


@pytest.mark.parametrize(
    "times",
    [pl.Series([3]), pl.Series([5, 5, 5]), pl.Series([0.5, 0.5]), pl.Series([dt.date(2024, 1, 1)] * 2)],
    ids=str,
)
def test_one_moment_has_no_periods(times: pl.Series) -> None:
    assert make_periods(times) is None


# Samples


def uneven(seed: int = 0, n: int = 3000) -> Periods:
    """Most events are late, as in a shop that grows."""
    return periods(pl.Series(np.sqrt(np.random.default_rng(seed).random(n))))


@pytest.mark.parametrize("most", [12, 100, 600, 2999, 100_000])
def test_a_sample_has_the_same_number_from_each_period_or_all_it_has(most: int) -> None:
    found = uneven()
    at_X = found.sample(most, seed=0)
    assert len(at_X) <= most
    assert len(set(at_X.tolist())) == len(at_X)
    assert at_X.tolist() == sorted(at_X.tolist())
    assert 0 <= at_X.min() <= at_X.max() < len(found.number_N)
    for period in range(N_PERIODS):
        there = int((found.number_N == period).sum())
        assert int((found.number_N[at_X] == period).sum()) == min(there, most // N_PERIODS)


def test_a_sample_is_drawn_by_seed() -> None:
    found = uneven()
    assert found.sample(120, seed=1).tolist() == found.sample(120, seed=1).tolist()
    assert found.sample(120, seed=1).tolist() != found.sample(120, seed=2).tolist()


def test_a_sample_is_spread_within_periods_too() -> None:
    found = Periods(["a", "b"], np.repeat([0, 1], 5000))
    at_X = found.sample(1000, seed=0)
    assert np.bincount(at_X // 1000, minlength=10) == pytest.approx([100] * 10, abs=40)


def test_a_sample_of_a_log_with_empty_periods_leaves_them_empty() -> None:
    found = periods(pl.Series([0, 0, 0, 100, 100]))
    assert found.sample(36, seed=0).tolist() == [0, 1, 2, 3, 4]
    assert found.number_N[found.sample(12, seed=0)].tolist() == [0, 11]


# Shares


def test_trends_are_counted_shares_of_each_period() -> None:
    generator = np.random.default_rng(0)
    intent_X, period_X = generator.integers(5, size=300), generator.integers(12, size=300)
    shares = trends(intent_X, period_X, 12, 6)
    pairs = list(zip(intent_X.tolist(), period_X.tolist(), strict=True))
    assert len(shares) == 6
    for intent, row in enumerate(shares):
        assert row == pytest.approx(
            [pairs.count((intent, period)) / period_X.tolist().count(period) for period in range(12)]
        )
    assert shares[5] == [0.0] * 12
    assert [sum(column) for column in zip(*shares, strict=True)] == pytest.approx([1.0] * 12)


def test_a_period_without_events_has_no_shares() -> None:
    shares = trends(np.array([0, 1, 1]), np.array([0, 0, 2]), 3, 2)
    assert shares == [[0.5, 0.0, 0.0], [0.5, 0.0, 1.0]]


def test_dates_of_a_time_zone_are_its_own() -> None:
    times = pl.Series([dt.datetime(2024, 6, 1, 22), dt.datetime(2024, 6, 13, 22)]).dt.replace_time_zone(
        "America/New_York"
    )
    assert make_periods(times).labels[0] == "2024-06-01"


def test_dates_before_1970_are_labelled_as_later_ones_are() -> None:
    old = make_periods(pl.Series([dt.date(1960, 1, 1), dt.date(1960, 1, 26)])).labels
    new = make_periods(pl.Series([dt.date(1980, 1, 1), dt.date(1980, 1, 26)])).labels
    assert [label[4:] for label in old] == [label[4:] for label in new]


@pytest.mark.parametrize("times", [[dt.timedelta(days=1), dt.timedelta(days=50)], [dt.time(1), dt.time(5)]], ids=str)
def test_durations_and_times_of_day_have_periods_or_are_refused(times: list) -> None:
    frame = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "timestamp": times})
    try:
        log = Interactions.read(frame).frame
    except DataError:
        return
    assert len(make_periods(log["timestamp"]).labels) == 12


def test_decimals_are_labelled_as_they_are() -> None:
    assert make_periods(pl.Series([Decimal("0.00"), Decimal("12.00")])).labels == [str(n) for n in range(12)]


def test_infinite_times_are_refused_or_harmless() -> None:
    frame = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["x", "y", "z"], "timestamp": [0.0, 1.0, float("inf")]})
    try:
        log = Interactions.read(frame).frame
    except DataError:
        return
    found = make_periods(log["timestamp"])
    assert found is None or found.number_N.min() >= 0
