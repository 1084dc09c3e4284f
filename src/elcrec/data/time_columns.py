"""Columns of times: numbers, dates and text in one unit, or refused."""

from __future__ import annotations

import re

import polars as pl

from elcrec.data.id_columns import Found
from elcrec.data.time_text import iso_times, parse_times
from elcrec.data.times import PER_SECOND, Unit, unit_of_number
from elcrec.errors import DataError

_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[aApP][mM])?")
_LARGEST = 2**63 - 1


def validate_times(column: pl.Series, time_format: str | None, found: Found) -> pl.Series:
    """Times as integers or moments, from which order and identity of events follow.

    Args:
        column: ``timestamp`` without missing values.
        time_format: How text is written; None to tell it from the text.
        found: Takes notes.

    Returns:
        Int64, Date, Datetime, or Float64 for fractions that are no moments since 1970.

    Raises:
        DataError: They cannot be read, tell no order, or are of several units; with the line.
    """
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        column = _of_text(column, time_format, found)
    elif time_format is not None and column.dtype.is_numeric():
        column = _of_text(column.cast(pl.String), time_format, found)
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds()
    if column.dtype == pl.Time:
        raise DataError(f"{found.name}: the timestamp is a time of day without its date: give both in one column")
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return column
    if not column.dtype.is_numeric():
        raise DataError(f"timestamp is of type {column.dtype}: use numbers, dates or ISO 8601 text")
    if column.dtype.is_float() or column.dtype.is_decimal():
        column = _of_floats(column, found)
    column = _compact(column) if column.dtype.is_integer() else column
    if column.dtype.is_numeric():
        _refuse_mixed_units(column, found)
    return _narrow(column, found) if column.dtype.is_integer() else column


def quick_times(column: pl.Series) -> pl.Series | None:
    """Text of the most common forms, whole numbers and ISO 8601, without a look at each value; None for any other."""
    first = column[0]
    if first is not None and first.isdecimal():
        numbers = column.cast(pl.Int64, strict=False)
        return None if numbers.has_nulls() else numbers
    return iso_times(column)


def _narrow(column: pl.Series, found: Found) -> pl.Series:
    if column.dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        rows = column > _LARGEST
        if rows.any():
            raise DataError(f"{found.name}, {found.where(rows)}: the timestamp {column.filter(rows)[0]} is too large")
        return column.cast(pl.Int64)
    return column


def _of_text(column: pl.Series, time_format: str | None, found: Found) -> pl.Series:
    if time_format is None:
        numbers = _numbers(column, found)
        if numbers is not None:
            return numbers
        clock = _CLOCK.fullmatch(column[0].strip())
        if clock is not None:
            raise DataError(
                f"{found.name}, {found.line_of(0)}: the timestamp {column[0]!r} is a time of day without its date: "
                f"give both in one column"
            )
    return parse_times(column, time_format, found.line_of, found.name)


def _numbers(column: pl.Series, found: Found) -> pl.Series | None:
    """Numbers that came as text; None where one is something else."""
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.has_nulls() and not column[0][:1].isalpha():
            numbers = column.str.strip_chars().cast(kind, strict=False)
        if not numbers.has_nulls():
            if kind == pl.Float64:
                _refuse_scientific(column, found)
            return numbers
    return None


def _refuse_scientific(column: pl.Series, found: Found) -> None:
    """Raise DataError where a spreadsheet or a float of 32 bits rounded times (``9.78301E+08``)."""
    rounded = column.str.contains(r"^[-+]?\d(\.\d{0,8})?[eE]\+?\d+$")
    if rounded.any():
        raise DataError(
            f"{found.name}, {found.where(rounded)}: the timestamp {column.filter(rounded)[0]!r} is rounded: export "
            f"times with all their digits"
        )


def _of_floats(column: pl.Series, found: Found) -> pl.Series:
    """Whole numbers as integers; seconds since 1970 with fractions as milliseconds or finer."""
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    infinite = column.is_infinite()
    if infinite.any():
        raise DataError(f"{found.name}: {int(infinite.sum()):,} rows have an infinite timestamp: mend or remove them")
    if column.dtype == pl.Float32:
        coarse = column.abs() >= 2**24
        if coarse.any():
            raise DataError(
                f"{found.name}, {found.where(coarse)}: the timestamps are of type Float32, which rounds "
                f"{column.filter(coarse)[0]:.0f} to steps of seconds or minutes: write them as Int64 or Float64"
            )
        column = column.cast(pl.Float64)
    large = column.abs() >= 2.0**63
    if large.any():
        raise DataError(f"{found.name}, {found.where(large)}: the timestamp {column.filter(large)[0]!r} is too large")
    if (column == column.round(0)).all():
        return column.cast(pl.Int64)
    unit = unit_of_number(float(column.median()))  # type: ignore[arg-type]
    if unit not in ("s", "ms"):
        return column
    _refuse_mixed_units(column, found)
    for finer in ("ms", "us"):
        factor = PER_SECOND[finer] // PER_SECOND[unit]
        scaled = (column * factor).round(0)
        # A float of 64 bits tells seconds to about a quarter of a microsecond.
        if factor > 1 and (finer == "us" or ((column * factor - scaled).abs() < 1e-3 / 2).all()):
            found.note(f"fractions of a {'second' if unit == 's' else 'millisecond'} are kept: times are in {finer}")
            return scaled.cast(pl.Int64)
    return column


def _compact(column: pl.Series) -> pl.Series:
    """``20240131`` and ``20240131093000`` are dates where all values are."""
    first = str(column[0])
    kind = _COMPACT.get(len(first))
    if kind is None or not re.match(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])", first):
        return column
    text = column.cast(pl.String)
    if not (text.str.len_chars() == len(first)).all():
        return column
    if len(first) == 8:
        days = text.str.to_date(kind, strict=False)
        return column if days.has_nulls() else days
    moments = text.str.to_datetime(kind, time_unit="us", strict=False)
    return column if moments.has_nulls() else moments


def _refuse_mixed_units(column: pl.Series, found: Found) -> None:
    """Raise DataError where some numbers are seconds since 1970 and others milliseconds, say."""
    low, high = float(column.min()), float(column.max())  # type: ignore[arg-type]
    units = (unit_of_number(low), unit_of_number(high))
    if units[0] == units[1]:
        return
    unit: Unit = unit_of_number(float(column.median()))  # type: ignore[arg-type]
    if "number" in units and unit == units[units[0] == "number"]:
        odd = column.abs() < 10**8
        if units[1] != "number" and odd.any():
            row, value = found.where(odd), column.filter(odd)[0]
            found.note(f"{int(odd.sum()):,} timestamps are before 1973 (the first: {row}, {value}): are they times?")
        return
    if "number" in units:
        return
    coarse, fine = sorted(units, key=lambda unit: PER_SECOND[unit])  # the finest may be before 1970
    size = column.cast(pl.Float64).abs()
    highest = (size >= float(10**8 * PER_SECOND[fine])).arg_true()[0]
    lowest = (size < float(10**11 * PER_SECOND[coarse])).arg_true()[0]
    raise DataError(
        f"{found.name}: timestamps are of several units: {column[lowest]} ({found.line_of(lowest)}) is in {coarse}, "
        f"{column[highest]} ({found.line_of(highest)}) in {fine}, 1,000 times as many: write them in one unit"
    )


def joined_clock(day: pl.Series, clock: pl.Series) -> pl.Series | None:
    """A date and a time of day, which stand in two columns, as one text; None where they are something else."""
    if day.dtype == pl.Date and clock.dtype == pl.Time:
        return pl.DataFrame({"day": day, "clock": clock}).select(pl.col("day").dt.combine(pl.col("clock"))).to_series()
    if clock.dtype != pl.String or day.dtype != pl.String:
        return None
    if not clock.fill_null("").str.contains(rf"^\s*(?:{_CLOCK.pattern})?\s*$").all() or day.str.contains(":").any():
        return None
    return (day.str.strip_chars() + " " + clock.str.strip_chars()).alias(day.name)


def is_clock(column: pl.Series) -> bool:
    """Whether values are times of day without a date."""
    if column.dtype == pl.Time:
        return True
    first = column.drop_nulls().head(1)
    return first.dtype == pl.String and bool(len(first)) and _CLOCK.fullmatch(first[0].strip()) is not None
