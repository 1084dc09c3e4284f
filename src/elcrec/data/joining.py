"""New events joined to a log: ids and times converted to its types, and each event once."""

from __future__ import annotations

import polars as pl

from elcrec.data.clock import NAMES, NANOSECONDS, Clock, Time
from elcrec.data.id_columns import MISSING
from elcrec.data.ids import id_text, nameable
from elcrec.data.times import PER_SECOND, Unit, unit_of, unit_of_number
from elcrec.errors import DataError

LOWEST, HIGHEST = -(2**63), 2**63 - 1
ID = "event_id"
WORTH = {"event": pl.String(), "weight": pl.Float64()}
"""What may be kept of an event in addition to user, item and time."""


def joined(log: pl.DataFrame, newer: pl.DataFrame, kind: str | None = None) -> pl.DataFrame:
    """The rows of a log, then those of newer events that it does not hold; see ``Interactions.joined``.

    Args:
        log: A log.
        newer: New events.
        kind: Where the log keeps kinds, that of newer events without one.

    Raises:
        DataError: The events do not fit the log.
    """
    ours, theirs = _of_one_type(log, newer)
    kept = [name for name in WORTH if name in log.columns]
    ours, theirs = (_with_worth(frame, of, kept, kind) for frame, of in ((ours, log), (theirs, newer)))
    theirs = _each_id_once(theirs)
    if "timestamp" in log.columns:
        return pl.concat([ours, _beyond(ours, theirs.select(ours.columns))])
    if ID in log.columns:
        ours = ours.with_columns(log[ID])
    if ID in ours.columns and ID in theirs.columns:
        theirs = theirs.join(ours.select(ID), on=ID, how="anti", maintain_order="left")
    return pl.concat([ours, theirs], how="diagonal")


def _of_one_type(log: pl.DataFrame, newer: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ids and times of both in the same types and unit, and the ``event_id`` of newer events that have one."""
    timed = "timestamp" in log.columns
    if timed != ("timestamp" in newer.columns):
        said = (
            "the log has timestamps and the new events have none"
            if timed
            else "the new events have timestamps and the log has none"
        )
        raise DataError(f"{said}: give both or neither")
    pairs = [ids_of_one_type(log[name], newer[name]) for name in ("user_id", "item_id")]
    if timed:
        pairs.append((_stored(log["timestamp"]), times_in_unit_of(log["timestamp"], newer["timestamp"])))
    ours, theirs = (pl.DataFrame(columns) for columns in zip(*pairs, strict=True))
    return ours, theirs.with_columns(newer[ID]) if ID in newer.columns else theirs


def _with_worth(frame: pl.DataFrame, of: pl.DataFrame, kept: list[str], kind: str | None) -> pl.DataFrame:
    """A frame with the kinds and weights of another one; without one, events are of a kind, and have no weight."""
    columns = [of[name] if name in of.columns else pl.lit(None, WORTH[name]).alias(name) for name in kept]
    whole = frame.with_columns(columns)
    return whole.with_columns(pl.col("event").fill_null(pl.lit(kind))) if "event" in kept and kind else whole


def event_ids(column: pl.Series) -> pl.Series:
    """A column of event ids as text; nothing where there is none."""
    ids = column.cast(pl.String).alias(ID)
    return ids.set(ids == "", None)


def _each_id_once(newer: pl.DataFrame) -> pl.DataFrame:
    if ID not in newer.columns:
        return newer
    several = (
        newer.filter(pl.col(ID).is_not_null()).unique(["user_id", "item_id", ID]).filter(pl.col(ID).is_duplicated())
    )
    if not several.is_empty():
        raise DataError(
            f"event_id {several[ID].min()!r} names several events: an event has an id of its own; "
            f"correct the column, or leave it out"
        )
    return newer.filter(pl.col(ID).is_null() | pl.col(ID).is_first_distinct())


def _beyond(log: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """What occurs more often in newer events than in a log, so often more: together they hold the larger number."""
    key = [name for name in log.columns if name != "weight"]
    if "event" not in key:
        return _more_often(log, newer, key)
    # Where nothing says which kind an event without one has, it may be that of any other.
    told = pl.col("event").is_not_null()
    parts = (newer.filter(told), key), (newer.filter(~told), [name for name in key if name != "event"])
    return pl.concat([_more_often(log, part, by) for part, by in parts])


def _more_often(log: pl.DataFrame, newer: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """What occurs more often in newer events than in a log, by some columns."""
    there = newer.select(key).unique()
    held = log.join(there, on=key, how="semi", nulls_equal=True).group_by(key).agg(held=pl.len())
    counted = newer.with_columns(number=pl.int_range(pl.len()).over(key))
    found = counted.join(held, on=key, how="left", maintain_order="left", nulls_equal=True)
    return found.filter(pl.col("number") >= pl.col("held").fill_null(0)).select(log.columns)


# ---------------------------------------------------------------------- ids


def ids_of_one_type(ours: pl.Series, theirs: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Ids of a log and of newer events in one type: text where the log has text, else integers of 64 bits.

    Raises:
        DataError: The newer ids are none of that kind.
    """
    if ours.dtype == pl.String:
        return ours, theirs.cast(pl.String)
    numbers = _as_integers(theirs) if theirs.dtype == pl.String else theirs
    if numbers is None or not numbers.dtype.is_integer():
        raise _other_type(ours, theirs)
    both = (ours, numbers)
    if all(_ends(ids)[1] <= HIGHEST for ids in both):
        return ours.cast(pl.Int64), numbers.cast(pl.Int64)
    if all(_ends(ids)[0] >= 0 for ids in both):
        return ours.cast(pl.UInt64), numbers.cast(pl.UInt64)
    raise DataError(f"{ours.name} is negative here and beyond 2^63 there: no integer of 64 bits holds both; use text")


def _other_type(ours: pl.Series, theirs: pl.Series) -> DataError:
    kinds = f"{ours.name} is {ours.dtype} in the log and {theirs.dtype} in the new events: make them alike"
    if theirs.dtype != pl.String:
        return DataError(kinds)
    numbers = [theirs.cast(kind, strict=False).cast(pl.String) == theirs for kind in (pl.Int64, pl.UInt64)]
    odd = theirs.filter(~(numbers[0] | numbers[1]).fill_null(False))
    example = "" if odd.is_empty() else f", such as {odd[0][:40]!r}"
    return DataError(f"{kinds}, or leave out the {len(odd):,} of {len(theirs):,} that are no integers{example}")


def _as_integers(ids: pl.Series) -> pl.Series | None:
    """Text as the integers it is written as; None where some is not (``007`` is none)."""
    for kind in (pl.Int64, pl.UInt64):
        numbers = ids.cast(kind, strict=False)
        if numbers.null_count() == ids.null_count() and (numbers.cast(pl.String) == ids).all():
            return numbers
    return None


def is_id(text: str, kind: pl.DataType, words: bool = False) -> bool:
    """Whether text is an id that a log's column of a type can hold and every interface can name.

    Args:
        text: The id's text form.
        kind: The type.
        words: Whether words for "missing" (``None``) are ids, as with ``missing=keep``.
    """
    if kind == pl.String:
        return nameable(text) is None and text == id_text(text) and (words or text not in MISSING)
    if len(text) > 20 or not text.removeprefix("-").isdecimal() or str(int(text)) != text:
        return False
    lowest, highest = (0, 2**64 - 1) if kind == pl.UInt64 else (LOWEST, HIGHEST)
    return lowest <= int(text) <= highest


def id_fault(text: str, kind: pl.DataType, words: bool = False) -> str | None:
    """Say why a log's column of a type cannot hold an id, see :func:`is_id`; None for one that it can."""
    if is_id(text, kind, words):
        return None
    wanted = "integers of 64 bits" if kind.is_integer() else "text that train would take"
    return f"{text[:40]!r}: the log's ids are {wanted}"


def _ends(numbers: pl.Series) -> tuple[Time, Time]:
    """The lowest and the highest."""
    return numbers.min(), numbers.max()  # type: ignore[return-value]


# ---------------------------------------------------------------------- times


def times_in_unit_of(log: pl.Series, newer: pl.Series) -> pl.Series:
    """Times of newer events in a log's own type and unit; what is finer than the unit is cut off.

    Numbers that count since 1970 are moments of a log that has a time zone.

    Raises:
        DataError: They cannot be expressed in it.
    """
    if not newer.dtype.is_temporal():
        return _numbers_in_unit_of(log, newer)
    if not log.dtype.is_temporal():
        raise _other_kind_of_times(log, newer)
    if not all(times.dtype in (pl.Date, pl.Datetime) for times in (log, newer)):
        if log.dtype != newer.dtype:
            raise DataError(f"the new events do not fit the log: timestamp is {newer.dtype} and {log.dtype}")
        return newer
    zones = [_zone(times) for times in (log, newer)]
    if (zones[0] is None) != (zones[1] is None):
        raise _other_zones(zoned=zones[0] is not None)
    return _scaled(newer.to_physical().cast(pl.Int64), unit_of(newer), unit_of(log)).cast(log.dtype)


def _numbers_in_unit_of(log: pl.Series, newer: pl.Series) -> pl.Series:
    """Times of newer events that are numbers, in a log's own type and unit."""
    if not log.dtype.is_temporal():
        return _numbers_like(newer, log)
    if _zone(log) is None or unit_of(newer) not in PER_SECOND:
        raise _other_kind_of_times(log, newer)
    return _numbers_like(newer, log).cast(log.dtype)


def _zone(times: pl.Series) -> str | None:
    """The time zone of times; None where they have none."""
    return getattr(times.dtype, "time_zone", None)


def _other_kind_of_times(log: pl.Series, newer: pl.Series) -> DataError:
    """The error for new events that tell time in numbers where the log has dates or moments, or the other way round."""
    ours, theirs = (f"{_told_in(times)}, such as {times[-1]}" for times in (log, newer))
    clock = ""
    if log.dtype.is_temporal() and unit_of(newer) in PER_SECOND:  # these are in UTC, and the log may be in local time
        clock = ", as the clock of the log shows them"
    return DataError(
        f"the new events do not fit the log: it tells time in {ours}, and they in {theirs}: "
        f"write their times in {_told_in(log)}{clock}"
    )


def _told_in(times: pl.Series) -> str:
    """What times are, in words."""
    if times.dtype.is_temporal():
        zone = "without" if _zone(times) is None else "with"
        return "dates" if times.dtype == pl.Date else f"dates and times {zone} a time zone"
    unit = unit_of(times)
    return "plain numbers" if unit == "number" else f"{NAMES[unit]} since 1970"


def _other_zones(zoned: bool) -> DataError:
    """The error for new events whose times have no zone where the log's have one, or the other way round."""
    theirs, ours = ("no time zone", "have one") if zoned else ("a time zone", "have none")
    remedy = (
        "write a zone in the new events, 2024-01-31T21:05:00Z"
        if zoned
        else "write the new events without one, 2024-01-31 21:05:00, as the clock of the log shows them"
    )
    return DataError(
        f"the new events do not fit the log: their timestamps have {theirs}, and the log's {ours}: {remedy}"
    )


def _stored(log: pl.Series) -> pl.Series:
    """A log's own times: numbers as whole ones of 64 bits, where they are whole."""
    return log.cast(pl.Int64) if log.dtype.is_integer() else log.cast(pl.Float64) if log.dtype.is_float() else log


def _numbers_like(newer: pl.Series, log: pl.Series) -> pl.Series:
    """Times of newer events that are numbers, as a log tells them in numbers."""
    clock = Clock.of(log)
    if clock.unit == "number":
        return _plain_numbers_like(newer, clock)
    unit = _unit_beside(clock, *_ends(newer))
    if not clock.whole:
        return newer.cast(pl.Float64) * (NANOSECONDS[unit] / NANOSECONDS[clock.unit])
    if newer.dtype.is_float() and unit in ("s", "ms"):  # as exactly as 64 bits tell them
        newer, unit = (newer * (NANOSECONDS[unit] // NANOSECONDS["us"])).round(), "us"
    return _scaled(newer.cast(pl.Int64), unit, clock.unit)


def _plain_numbers_like(newer: pl.Series, clock: Clock) -> pl.Series:
    """Times that are steps or years, as the log's."""
    clock.refuse_foreign(_ends(newer)[1])
    if clock.whole and newer.dtype.is_float() and not (newer == newer.round()).all():
        raise DataError("timestamps are whole numbers in the log and others in the new events: make them alike")
    return newer.cast(pl.Int64 if clock.whole else pl.Float64)


def _unit_beside(clock: Clock, lowest: Time, highest: Time) -> Unit:
    """The unit of newer times since 1970, from the lowest to the highest."""
    units = {unit_of_number(lowest), unit_of_number(highest)}
    if clock.unit == "s":  # those before 1973 are small
        units = {"s" if unit == "number" else unit for unit in units}
    if len(units) > 1 or "number" in units:
        raise DataError(
            f"the log tells time in {NAMES[clock.unit]} since 1970, the new events from {lowest} to {highest}: "
            f"use one unit, seconds or finer"
        )
    return units.pop()


def _scaled(times: pl.Series, unit: str, to: str) -> pl.Series:
    """Whole numbers of one unit as those of another."""
    ours, theirs = NANOSECONDS[unit], NANOSECONDS[to]
    if ours <= theirs:
        return times // (theirs // ours)
    ratio = ours // theirs
    if max(map(abs, _ends(times))) > HIGHEST // ratio:
        raise DataError(f"some new events are so far from 1970 that 64 bits cannot tell them in {NAMES[to]}")
    return times * ratio
