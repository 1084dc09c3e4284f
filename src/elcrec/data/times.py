"""Detection of the unit of times in a log."""

from __future__ import annotations

from typing import Literal

import polars as pl

Unit = Literal["s", "ms", "us", "ns", "day", "number"]
PER_SECOND: dict[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Moments from 1973 to 5138 have 9 to 11 digits in seconds, three more in each finer unit.
FIRST_SECONDS, LAST_SECONDS = 10**8, 10**11
LAST_MILLISECONDS = 1000 * LAST_SECONDS


def unit_of(times: pl.Series) -> Unit:
    """The unit of a validated time column.

    Args:
        times: [N], dates, moments or numbers.

    Returns:
        ``day`` for dates; the column's own unit for moments; for numbers the unit in which the middle value is
        a moment between 1973 and 5138; ``number`` where there is none (steps, years).
    """
    if times.dtype == pl.Date:
        return "day"
    if isinstance(times.dtype, pl.Datetime):
        return times.dtype.time_unit
    middle = times.median()
    return "number" if middle is None else unit_of_number(float(middle))  # type: ignore[arg-type]


def unit_of_number(value: float) -> Unit:
    """The unit in which a number is a moment between 1973 and 5138; ``number`` where there is none."""
    for unit, per_second in PER_SECOND.items():
        if FIRST_SECONDS * per_second <= abs(value) < LAST_SECONDS * per_second:
            return unit  # type: ignore[return-value]
    return "number"


def dated(times: pl.Series, unit: Unit | None = None) -> pl.Series:
    """Numbers that count moments since 1970 as moments (UTC); dates, moments and plain numbers stay as they are.

    Args:
        times: [N], of one column of times, or computed from one.
        unit: Its :func:`unit_of`, where it is known.

    Returns:
        [N]; null where a number is too far from its unit's moments.
    """
    unit = unit or unit_of(times)
    if times.dtype.is_temporal() or unit not in PER_SECOND:
        return times
    milliseconds = times.cast(pl.Float64) * (1000 / PER_SECOND[unit])
    kept = milliseconds.abs() < LAST_MILLISECONDS
    return milliseconds.floor().set(~kept, None).cast(pl.Int64).cast(pl.Datetime("ms"))
