"""Times written as text: ISO 8601 and other formats of logs; ambiguous ones are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import polars as pl

from elcrec.errors import DataError
from elcrec.process.wording import setting

_ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"
_CLOCK = (
    r"(?:(?:[T ,:]|, | at )\s*(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
    r"(?:[.,](?P<fraction>\d{1,9}))?\s*(?P<half>[aApP]\.?[mM]\.?)?)?\s*"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHAPES = {
    "year first": rf"^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_CLOCK}{_ZONE}$",
    "year last": rf"^(?P<one>\d{{1,2}})[-/. ](?P<two>\d{{1,2}})(?:[-/.]|, | )(?P<year>\d{{4}}){_CLOCK}{_ZONE}$",
    "compact": r"^(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[T ]?(?P<hour>\d\d)?(?P<minute>\d\d)?(?P<second>\d\d)?"
    rf"(?P<fraction>\B\b)?(?P<half>\B\b)?{_ZONE}$",
    "compact day": rf"^(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d){_CLOCK}{_ZONE}$",
    "day month": r"^(?:[A-Za-z]{3,9}, ?)?(?P<day>\d{1,2})[-/ ](?P<name>[A-Za-z]{3})[a-z]*\.?,?[-/ ](?P<year>\d{4})"
    rf"{_CLOCK}{_ZONE}$",
    "month day": rf"^(?:[A-Za-z]{{3,9}},? )?(?P<name>[A-Za-z]{{3}})[a-z]*\.? +(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? "
    rf"(?P<year>\d{{4}}){_CLOCK}{_ZONE}$",
    "ctime": r"^[A-Za-z]{3},? (?P<name>[A-Za-z]{3}) +(?P<day>\d{1,2}) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?P<fraction>\B\b)?(?P<half>\B\b)? (?:(?P<zone>UTC|GMT|[+-]\d\d:?\d\d) )?(?P<year>\d{4})$",
}
# Rust's \d takes the digits of all scripts, which no cast to numbers takes.
_SHAPES = {shape: pattern.replace(r"\d", "[0-9]") for shape, pattern in _SHAPES.items()}
_TWO_DIGITS = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?!\d)"
# Python's %f is a fraction of any length, Polars' a number of nanoseconds; Polars takes any name of a zone for %Z.
_DIRECTIVES = {".%f": "%.f", "%f": "%6f", "%Z": "UTC"}
_OF_CLOCKS = ("%H", "%I", "%T", "%R", "%r", "%X", "%c", "%s", "%M", "%+", "%k", "%l")
_OF_DAYS = ("%d", "%e", "%j", "%D", "%F", "%x", "%c", "%s", "%+", "%v", "%u", "%w", "%a", "%A")
_OF_YEARS = ("%Y", "%y", "%G", "%g", "%D", "%F", "%x", "%c", "%s", "%+", "%v")
_OF_MINUTES = ("%M", "%T", "%R", "%r", "%X", "%c", "%s", "%+")
Where = Callable[[int], str]


def parse_times(column: pl.Series, time_format: str | None, where: Where, name: str) -> pl.Series:
    """Moments from text.

    Args:
        column: [N] text without missing values.
        time_format: How they are written (``strptime``); None to tell it from them.
        where: From a row to where it stands.
        name: Of the data, for messages.

    Returns:
        Datetime in microseconds (nanoseconds where fractions are finer), in UTC where zones are given.

    Raises:
        DataError: They cannot be read, or day and month are ambiguous; with the line and an example.
    """
    column = column.str.strip_chars()
    if time_format is not None:
        return _by_format(column, time_format, where, name)
    shape = next((one for one, pattern in _SHAPES.items() if re.match(pattern, column[0])), None)
    if shape is None:
        raise _unread(column, pl.Series([True]), where, name)
    parts = column.str.extract_groups(_SHAPES[shape]).struct.unnest()
    fits = column.str.contains(_SHAPES[shape])
    if not fits.all():
        raise _unread(column, ~fits, where, name)
    _refuse_mixed_zones(column, parts["zone"], where, name)
    if shape == "year last":
        return _day_or_month(column, parts, where, name)
    return _built(column, _with_month(parts), where, name)


def each_time(column: pl.Series) -> pl.Series:
    """Each text by itself as a moment in microseconds, in UTC where it names a zone; null where it is none for sure.

    A day and a month that are both written as numbers come after the year.
    """
    found, left = pl.Series(column.name, [None] * len(column), dtype=pl.Datetime("us")), column.str.strip_chars()
    for shape, pattern in _SHAPES.items():
        place = left.str.contains(pattern).fill_null(False).arg_true()
        if len(place) and shape != "year last":
            parts = left[place].str.extract_groups(pattern).struct.unnest()
            found = found.scatter(place, _from_parts(_with_month(parts), "us"))
        left = left.scatter(place, None)
    return found


def iso_times(column: pl.Series) -> pl.Series | None:
    """The common forms by Polars itself; None where one value does not fit."""
    first = column[0]
    if first is None or not re.match(r"^\d{4}-\d\d-\d\d", first):
        return None
    zone = next((ending for ending in ("Z", " UTC") if first.endswith(ending)), None)
    if zone is None:
        return _iso_moments(column)
    times = _iso_moments(column.str.strip_suffix(zone)) if column.str.ends_with(zone).all() else None
    return None if times is None else times.dt.replace_time_zone("UTC")


def _iso_moments(column: pl.Series) -> pl.Series | None:
    """Days, or days and times of day as the first value has them; None where one does not fit."""
    day, first = "%Y-%m-%d", column[0]
    if len(first) == len("2024-01-31"):
        days = column.str.to_date(day, strict=False)
        return None if days.has_nulls() else days.cast(pl.Datetime("us"))
    longest = int(column.str.len_bytes().max())  # type: ignore[arg-type]
    fine = longest > len("2024-01-31 00:00:00.000000")
    forms = [f"{day}{first[10]}{clock}" for clock in ("%H:%M:%S%.f", "%H:%M")]
    found = (_moments(column, form, fine) for form in forms)
    return next((times for times in found if not times.has_nulls()), None)


def _moments(column: pl.Series, kind: str, fine: bool, zone: str | None = None) -> pl.Series:
    """Moments in microseconds, or in nanoseconds where fractions are finer; null where a text does not fit."""
    times = column.str.to_datetime(kind, time_unit="us", strict=False, time_zone=zone)
    if not fine or times.has_nulls():
        return times
    _refuse_far(times)
    return column.str.to_datetime(kind, time_unit="ns", strict=False, time_zone=zone)


def _refuse_far(times: pl.Series) -> None:
    """Raise DataError for years that 64 bits of nanoseconds do not reach: they would wrap."""
    if not times.dt.year().is_between(1678, 2261).all():
        raise DataError(
            "timestamps with fractions below a microsecond reach from 1678 to 2261: cut fractions or correct years"
        )


def _by_format(column: pl.Series, time_format: str, where: Where, name: str) -> pl.Series:
    kind = time_format
    for directive, meaning in _DIRECTIVES.items():
        kind = kind.replace(directive, meaning)
    _refuse_incomplete(time_format, kind)
    zone = "UTC" if "%z" in time_format or "%Z" in time_format else None
    try:
        times = _polars_times(column, kind, zone)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"time_format={time_format!r}: {str(error).splitlines()[0]}") from error
    early = times.dt.year() < 100
    if "%Y" in kind and early.any():
        row = int(early.arg_true()[0])
        raise DataError(
            f"{name}, {where(row)}: the timestamp {column[row]!r} has a year of two digits: write %y for %Y in "
            f"time_format={time_format!r}"
        )
    if times.has_nulls():
        row = int(times.is_null().arg_true()[0])
        raise DataError(
            f"{name}, {where(row)}: the timestamp {column[row]!r} is not written as {time_format!r}: correct "
            f"{setting('time_format', '...')}, made of %Y %m %d %H %M %S and the like"
        )
    return times


def _refuse_incomplete(time_format: str, kind: str) -> None:
    """Raise DataError for a format, given as Polars has it, too, from which no order follows."""
    if _has(kind, _OF_CLOCKS) and not _has(kind, _OF_DAYS):
        raise DataError(f"time_format={time_format!r} reads a time of day without its date: give both in one column")
    if not _has(kind, _OF_YEARS):
        raise DataError(f"time_format={time_format!r} reads no year, so no order follows: give times with their year")


def _polars_times(column: pl.Series, kind: str, zone: str | None) -> pl.Series:
    """Moments by a format of Polars; null where a text does not fit."""
    if not _has(kind, _OF_CLOCKS):
        return column.str.to_date(kind, strict=False).cast(pl.Datetime("us"))
    if not _has(kind, _OF_MINUTES):  # Polars wants minutes with hours
        column, kind = column + ":00", kind + ":%M"
    return _moments(column, kind, bool(column.str.contains(r"\.[0-9]{7}").any()), zone)


def _has(kind: str, directives: tuple[str, ...]) -> bool:
    return any(one in kind for one in directives)


def _day_or_month(column: pl.Series, parts: pl.DataFrame, where: Where, name: str) -> pl.Series:
    """Two numbers before the year: the reading that fits all rows, if one does and the other does not."""
    one, two = (parts[each].cast(pl.Int64) for each in ("one", "two"))
    day_first, month_first = bool((two <= 12).all()), bool((one <= 12).all())
    if day_first and month_first and not (one == two).all():
        row = int((one != two).arg_true()[0])
        raise DataError(
            f"{name}, {where(row)}: the timestamp {column[row]!r} is ambiguous, day or month may come first, and no "
            f"other row tells which: {_advice()}"
        )
    if not day_first and not month_first:
        row = int(((two if month_first else one) > 12).arg_true()[0])
        raise DataError(
            f"{name}, {where(row)}: in some timestamps the day comes first, in others the month: {_advice()}"
        )
    day, month = (one, two) if day_first else (two, one)
    return _built(column, parts.with_columns(day=day, month=month), where, name)


def _month_number(names: pl.Series) -> pl.Series:
    numbers = {month: number for number, month in enumerate(_MONTHS, start=1)}
    return names.str.to_lowercase().replace_strict(numbers, default=None, return_dtype=pl.Int64)


def _with_month(parts: pl.DataFrame) -> pl.DataFrame:
    return parts.with_columns(month=_month_number(parts["name"])) if "name" in parts.columns else parts


def _built(column: pl.Series, parts: pl.DataFrame, where: Where, name: str) -> pl.Series:
    """Moments from their parts."""
    fine = bool((parts["fraction"].str.len_bytes() > 6).any())
    if fine:
        _refuse_far(pl.select(pl.datetime(parts["year"].cast(pl.Int32), 1, 1)).to_series())
    times = _from_parts(parts, "ns" if fine else "us")
    if times.has_nulls():
        raise _unread(column, times.is_null(), where, name)
    return times.dt.replace_time_zone("UTC") if parts["zone"].is_not_null().any() else times


def _from_parts(parts: pl.DataFrame, unit: Literal["us", "ns"]) -> pl.Series:
    """Moments by way of the one form that Polars reads strictly; null where there is no such moment."""
    number = {each: pl.col(each).cast(pl.Int64).fill_null(0) for each in ("hour", "minute", "second")}
    half = pl.col("half").str.to_lowercase().str.slice(0, 1)
    hour = pl.when(half == "p").then(number["hour"] % 12 + 12).when(half == "a").then(number["hour"] % 12)
    impossible = half.is_not_null() & ~number["hour"].is_between(1, 12)
    fields = [
        pl.col("year").cast(pl.String),
        *(pl.col(each).cast(pl.Int64).cast(pl.String).str.zfill(2) for each in ("month", "day")),
        hour.otherwise(number["hour"]).cast(pl.String).str.zfill(2),
        *(number[each].cast(pl.String).str.zfill(2) for each in ("minute", "second")),
    ]
    text = pl.format("{}-{}-{} {}:{}:{}", *fields)
    nano = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    return parts.select(
        pl.when(~impossible).then(text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit=unit, strict=False))
        + pl.duration(nanoseconds=nano, time_unit="ns").cast(pl.Duration(unit))
        - pl.duration(minutes=_offset(pl.col("zone")), time_unit=unit)
    ).to_series()


def _offset(zone: pl.Expr) -> pl.Expr:
    """Minutes ahead of UTC."""
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    hours = zone.str.extract(r"^[+-](\d\d)").cast(pl.Int64).fill_null(0)
    minutes = zone.str.extract(r"^[+-]\d\d:?(\d\d)").cast(pl.Int64).fill_null(0)
    return sign * (hours * 60 + minutes)


def _refuse_mixed_zones(column: pl.Series, zone: pl.Series, where: Where, name: str) -> None:
    without = zone.is_null()
    if without.any() and not without.all():
        row, other = int(without.arg_true()[0]), int((~without).arg_true()[0])
        raise DataError(
            f"{name}: the timestamp {column[row]!r} ({where(row)}) names no time zone, {column[other]!r} "
            f"({where(other)}) does: name one in all, or in none"
        )


def _unread(column: pl.Series, wrong: pl.Series, where: Where, name: str) -> DataError:
    row = int(wrong.arg_true()[0])
    advice = _advice("y" if re.match(_TWO_DIGITS, column[row]) else "Y")
    beside = "" if row == 0 else f" (the first is {column[0]!r})"
    return DataError(
        f"{name}, {where(row)}: cannot read timestamps such as {column[row]!r}{beside}: use numbers or ISO 8601 text, "
        f"all of one form, or {advice}"
    )


def _advice(year: str = "Y") -> str:
    """How to name the format of times, for messages; ``year``: the directive of a year."""
    return f"name how they are written with {setting('time_format', f'%m/%d/%{year}')} (or %d/%m/%{year} %H:%M:%S, ...)"
