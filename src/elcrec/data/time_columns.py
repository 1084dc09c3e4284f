"""Columns of times: numbers, dates and text in one unit, or refused."""

from __future__ import annotations

import datetime
import re

import polars as pl

from elcrec.data.id_columns import ReadContext
from elcrec.data.time_text import iso_times, parse_times
from elcrec.data.times import FIRST_SECONDS, PER_SECOND, Unit, unit_of_number
from elcrec.errors import DataError
from elcrec.process.wording import counted, setting

_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[aApP][mM])?")
_LIKE_DATE = r"^\s*(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})"
_DATES = r"^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}([T ][0-9]{1,2}:.*)?$|^[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4} [0-9]{1,2}:"
_LIKE_TIME = rf"{_LIKE_DATE}|^1[0-9]{{9}}(?:[0-9]{{3}}){{0,3}}$"
_LARGEST = 2**63 - 1
_EPOCH = datetime.date(1970, 1, 1)


def validate_times(column: pl.Series, time_format: str | None, context: ReadContext) -> pl.Series:
    """Times as integers or moments, from which order and identity of events follow.

    Args:
        column: ``timestamp`` without missing values.
        time_format: How text is written; None to tell it from the text.
        context: Takes notes.

    Returns:
        Int64, Date, Datetime, or Float64 for fractions that are no moments since 1970.

    Raises:
        DataError: They cannot be read, tell no order, or are of several units; with the line.
    """
    of_format = time_format is not None and column.dtype.is_numeric()
    if of_format or column.dtype == pl.String or isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = _of_text(column.cast(pl.String), time_format, context)
    if column.dtype == pl.Duration:
        column = column.to_physical()
    if column.dtype == pl.Time:
        raise DataError(f"{context.name}: the timestamp is a time of day without its date: give both in one column")
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        _refuse_years(column, context)
        return column
    if not column.dtype.is_numeric():
        raise DataError(f"timestamp is of type {column.dtype}: use numbers, dates or ISO 8601 text")
    return _of_numbers(column, context)


def _of_numbers(column: pl.Series, context: ReadContext) -> pl.Series:
    if column.dtype.is_decimal():
        column = column.cast(pl.Int128 if (column == column.round(0)).all() else pl.Float64)
    if column.dtype.is_float():
        column = _of_floats(column, context)
    if column.dtype.is_integer():
        column = _compact(_narrow(column, context))
        _refuse_day_first(column, context)
    if column.dtype.is_numeric():
        _refuse_mixed_units(column, context)
    return column


def _refuse_years(column: pl.Series, context: ReadContext) -> None:
    """Raise DataError for years that no calendar of ours has; milliseconds taken as seconds give such."""
    unit = column.dtype.time_unit if isinstance(column.dtype, pl.Datetime) else None
    if unit == "ns":  # 64 bits of nanoseconds reach from 1677 to 2262
        return
    a_day = 86_400 * PER_SECOND[unit] if unit is not None else 1
    first, last = (date.toordinal() - _EPOCH.toordinal() for date in (datetime.date.min, datetime.date.max))
    odd = ~column.to_physical().is_between(first * a_day, (last + 1) * a_day, closed="left")
    if odd.any():
        raise DataError(
            f"{context.name}, {context.where(odd)}: the timestamp is not of the years 1 to 9999: correct its unit or "
            f"format"
        )


def quick_times(column: pl.Series) -> pl.Series | None:
    """Text of the most common forms, whole numbers and ISO 8601, without a look at each value; None for any other."""
    first = column[0]
    if first is not None and first.isdecimal():
        numbers = column.cast(pl.Int64, strict=False)
        return None if numbers.has_nulls() else numbers
    return iso_times(column)


def _narrow(column: pl.Series, context: ReadContext) -> pl.Series:
    if column.dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        rows = column > _LARGEST
        if rows.any():
            raise DataError(
                f"{context.name}, {context.where(rows)}: the timestamp {column.filter(rows)[0]} is too large"
            )
    return column.cast(pl.Int64)


def _of_text(column: pl.Series, time_format: str | None, context: ReadContext) -> pl.Series:
    if time_format is None:
        numbers = _numbers(column, context)
        if numbers is not None:
            return numbers
        clock = _CLOCK.fullmatch(column[0].strip())
        if clock is not None:
            raise DataError(
                f"{context.name}, {context.line_of(0)}: the timestamp {column[0]!r} is a time of day without its date: "
                f"give both in one column"
            )
    return parse_times(column, time_format, context.line_of, context.name)


def _numbers(column: pl.Series, context: ReadContext) -> pl.Series | None:
    """Numbers that came as text; None where one is something else."""
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.has_nulls() and not column[0][:1].isalpha():
            numbers = column.str.strip_chars().cast(kind, strict=False)
        if not numbers.has_nulls():
            if kind == pl.Float64:
                _refuse_scientific(column, context)
            return numbers
    return None


def _refuse_scientific(column: pl.Series, context: ReadContext) -> None:
    """Raise DataError where a spreadsheet or a float of 32 bits rounded times (``9.78301E+08``)."""
    rounded = column.str.contains(r"^[-+]?\d(\.\d{0,8})?[eE]\+?\d+$")
    if rounded.any():
        raise DataError(
            f"{context.name}, {context.where(rounded)}: the timestamp {column.filter(rounded)[0]!r} is rounded: export "
            f"times with all their digits"
        )


def _of_floats(column: pl.Series, context: ReadContext) -> pl.Series:
    """Whole numbers as integers; seconds since 1970 with fractions as milliseconds or finer."""
    _refuse_inexact(column, context)
    column = column.cast(pl.Float64)
    if (column == column.round(0)).all():
        return column.cast(pl.Int64)
    unit = unit_of_number(float(column.median()))  # type: ignore[arg-type]
    if unit not in ("s", "ms"):
        return column
    _refuse_mixed_units(column, context)
    return _in_finer_unit(column, unit, context)


def _refuse_inexact(column: pl.Series, context: ReadContext) -> None:
    """Raise DataError for floats that no integer of 64 bits holds, and for those that were rounded."""
    infinite = column.is_infinite()
    if infinite.any():
        rows = counted(int(infinite.sum()), "row", "has", "have")
        raise DataError(f"{context.name}: {rows} an infinite timestamp: correct or remove such rows")
    coarse = column.abs() >= 2**24
    if column.dtype == pl.Float32 and coarse.any():
        raise DataError(
            f"{context.name}, {context.where(coarse)}: the timestamps are of type Float32, which rounds "
            f"{column.filter(coarse)[0]:.0f} to steps of seconds or minutes: write them as Int64 or Float64"
        )
    large = column.abs() >= 2.0**63
    if large.any():
        raise DataError(
            f"{context.name}, {context.where(large)}: the timestamp {column.filter(large)[0]!r} is too large"
        )


def _in_finer_unit(column: pl.Series, unit: Unit, context: ReadContext) -> pl.Series:
    """Seconds with fractions as whole milliseconds, if they are such; other seconds, and milliseconds, as microseconds.

    A float of 64 bits tells seconds to about a quarter of a microsecond.
    """
    thousandths = column * 1000
    are_whole = bool(((thousandths - thousandths.round(0)).abs() < 1e-3 / 2).all())
    finer = "ms" if unit == "s" and are_whole else "us"
    context.note(f"fractions of a {'second' if unit == 's' else 'millisecond'} are kept: times are in {finer}")
    return (column * (PER_SECOND[finer] // PER_SECOND[unit])).round(0).cast(pl.Int64)


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


def _refuse_day_first(column: pl.Series, context: ReadContext) -> None:
    """Raise DataError where all numbers are dates such as 31012024: as numbers they sort by day."""
    if not column.dtype.is_integer() or not column.is_between(10**6, 10**8 - 1).all():
        return
    text = column.cast(pl.String).str.zfill(8)
    day, month = "(0[1-9]|[12][0-9]|3[01])", "(0[1-9]|1[0-2])"
    if any(text.str.contains(rf"^{order}(19|20)[0-9][0-9]$").all() for order in (day + month, month + day)):
        raise DataError(
            f"{context.name}, {context.line_of(0)}: the timestamp {column[0]} looks like a day, a month and a year: "
            f"name how they are written with {setting('time_format', '%d%m%Y')} (or %m%d%Y)"
        )


def _refuse_mixed_units(column: pl.Series, context: ReadContext) -> None:
    """Raise DataError where some numbers are seconds since 1970 and others milliseconds, days or dates, say."""
    low, high = float(column.min()), float(column.max())  # type: ignore[arg-type]
    if unit_of_number(low) == unit_of_number(high):
        return
    size = column.cast(pl.Float64).abs()
    moments, small = size.filter(size >= FIRST_SECONDS), size.filter((size < FIRST_SECONDS) & (column > 0))
    first, last = moments.min(), moments.max()
    # Numbers that count steps grow without a gap.
    lowest = small.max() if len(small) and 10 * small.max() < first else first  # type: ignore[operator]
    units = [unit_of_number(float(one)) for one in (lowest, last)]  # type: ignore[arg-type]
    if units[0] != units[1]:
        rows = [int((size == one).arg_true()[0]) for one in (lowest, last)]
        said = [f"{column[row]} ({context.line_of(row)}) {_in(unit)}" for row, unit in zip(rows, units, strict=True)]
        raise DataError(f"{context.name}: timestamps are of several units: {', '.join(said)}: write them in one unit")
    are_moments = unit_of_number(float(column.median())) != "number"  # type: ignore[arg-type]
    odd = size < FIRST_SECONDS if are_moments else column <= 0
    if odd.any():
        row, value = context.where(odd), column.filter(odd)[0]
        before = counted(int(odd.sum()), "timestamp", "is", "are")
        context.note(f"{before} before 1973 (the first: {row}, {value}): is the column one of times?")


def _in(unit: Unit) -> str:
    return "counts no unit since 1970" if unit == "number" else f"is in {unit}"


def joined_clock(day: pl.Series, clock: pl.Series) -> pl.Series | None:
    """A date and a time of day, which stand in two columns, as one text; None where they are something else."""
    if day.dtype == pl.Date and clock.dtype == pl.Time:
        return pl.DataFrame({"day": day, "clock": clock}).select(pl.col("day").dt.combine(pl.col("clock"))).to_series()
    if day.dtype.is_temporal() and clock.dtype == pl.String and (day.cast(pl.Date) == day).all():
        day = day.dt.to_string("%Y-%m-%d")
    if clock.dtype != pl.String or day.dtype != pl.String:
        return None
    if not clock.fill_null("").str.contains(rf"^\s*(?:{_CLOCK.pattern})?\s*$").all() or day.str.contains(":").any():
        return None
    return (day.str.strip_chars() + " " + clock.str.strip_chars()).alias(day.name)


def holds_times(column: pl.Series) -> bool:
    """Whether values, whatever their column is called, look like dates, moments or seconds since 1970."""
    if column.dtype.is_temporal():
        return True
    if not (column.dtype == pl.String or column.dtype.is_integer()):
        return False
    values = column.drop_nulls().cast(pl.String)
    return not values.is_empty() and values.str.contains(_LIKE_TIME).all()


def holds_dates(column: pl.Series) -> bool:
    """Whether text is made of dates, or moments."""
    return column.dtype == pl.String and column.str.contains(_DATES).all()


def is_clock(column: pl.Series) -> bool:
    """Whether values are times of day without a date."""
    if column.dtype == pl.Time:
        return True
    first = column.drop_nulls().head(1)
    return first.dtype == pl.String and bool(len(first)) and _CLOCK.fullmatch(first[0].strip()) is not None
