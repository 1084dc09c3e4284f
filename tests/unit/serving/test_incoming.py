"""New events: what looks odd about their times."""

import time
from datetime import datetime

import polars as pl
import pytest

from elcrec.data.clock import Clock
from elcrec.serving.api.incoming import odd_times
from elcrec.serving.store import Event

NOW = time.time()
DAY = 86_400


def noted(clock: Clock, *times: float) -> list[str]:
    return odd_times(clock, [Event(str(time), "u", "i", clock.kept(time)) for time in times])


@pytest.mark.parametrize(
    "log", [None, pl.Series([datetime(2024, 3, 1)]), pl.Series([1_709_981_998]), pl.Series([1_709_981_998_000])]
)
def test_moments_more_than_a_day_ahead_are_noted(log: pl.Series | None) -> None:
    clock = Clock.of(log)
    assert noted(clock, NOW, NOW - 900 * DAY, NOW + DAY / 2) == []
    [note] = noted(clock, NOW, NOW + 2 * DAY, NOW + 1825 * DAY)
    assert note.startswith(f"2 events are in the future (the last at {time.gmtime(NOW + 1825 * DAY).tm_year}-")


def test_plain_numbers_may_be_any() -> None:
    assert noted(Clock.of(pl.Series([1, 2, 3])), 4, 5_000_000) == []
