"""A log from any source: columns chosen, values validated, and a record of how it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data.columns import (
    candidates,
    canonical,
    choose_columns,
    looks_like_time,
    shown,
    sounds_like_clock,
)
from elcrec.data.files import read_column, scan
from elcrec.data.id_columns import ReadContext, as_integers, missing_rows, refuse_several, refuse_totals, validate_ids
from elcrec.data.joining import ID, WORTH, event_ids
from elcrec.data.kind_columns import choose_kinds, count_kinds, validate_weights, with_shares
from elcrec.data.layout import Layout
from elcrec.data.nested import exploded, fields_within, lifted
from elcrec.data.new_kinds import refuse_lost_kinds
from elcrec.data.raw import RawTable, as_frame
from elcrec.data.time_columns import holds_dates, holds_times, is_clock, joined_clock, quick_times, validate_times
from elcrec.errors import DataError
from elcrec.process.wording import argument, counted, setting, worded

_LOOKED_AT = 100


@dataclass
class Understood:
    """A log as it was read.

    Attributes:
        columns: Its columns, ``user_id``, ``item_id`` and perhaps ``timestamp``, ``event`` and ``weight``; rows are in
            file order.
        names: The caller's column for each role.
        first: The first file; None for a table.
        notes: What may surprise.
        kinds: Events of each kind, where a column tells it.
    """

    columns: list[pl.Series]
    names: dict[str, str]
    first: RawTable | None
    notes: list[str] = field(default_factory=list)
    kinds: dict[str, int] | None = None


def understand(source: Any, layout: Layout) -> Understood:
    """Read a log, a column at a time.

    Args:
        source: See :meth:`elcrec.data.interactions.Interactions.read`.
        layout: What the caller says about it.

    Raises:
        DataError: What is wrong, with the column or line, and what to do.
    """
    is_file = isinstance(source, str | Path) or _is_several(source)
    parts = scan(source, layout.read_options()) if is_file else [_table(source)]
    notes = list(chain.from_iterable(part.notes for part in parts))
    parts = [exploded(lifted(part, layout), layout, notes) for part in parts]
    names = _names(parts, layout, notes)
    context = ReadContext(_name_of(parts), partial(_line_of, parts), layout.missing, notes)
    columns = {role: _column(parts, name, role) for role, name in names.items()}
    kinds = count_kinds(columns.get("event"), layout)
    refuse_lost_kinds(kinds, parts[0], names.values(), layout, context.name)
    choose_kinds(columns, kinds, layout, context)
    _join_clock(parts, names, columns)
    _read_quickly(columns, parts, layout)
    # Where kinds are kept but not needed, an event without one is of the kind that is predicted.
    _keep_whole_rows(columns, context, (ID,) if layout.kinds == "need" else (ID, "event"))
    # One by one, so that no column is there twice for long.
    valid = {role: _validated(columns.pop(role), role, parts, layout, context) for role in list(columns)}
    _note_kinds(None if "event" in valid else kinds, names, context)
    _note_order(parts, names, valid, layout, context)
    return Understood(list(valid.values()), names, parts[0] if is_file else None, context.notes, kinds)


def _name_of(parts: Sequence[RawTable]) -> str:
    """The name of a log, for messages."""
    return parts[0].name if len(parts) == 1 else f"the log of {len(parts)} files"


def _names(parts: Sequence[RawTable], layout: Layout, notes: list[str]) -> dict[str, str]:
    """The caller's column for each role, the same in all files."""
    schema = parts[0].frame.collect_schema()
    asked = layout.by_role
    if layout.event_ids and layout.kinds == "keep":  # new events need not have those
        asked = {role: None if role in WORTH and name not in schema else name for role, name in asked.items()}
    names = choose_columns(schema.names(), asked, notes, fields_within(schema))
    if layout.event_ids and ID in schema and ID not in names.values():
        names[ID] = ID
    _check_parts(parts, names)
    return names


def _is_several(source: Any) -> bool:
    """Whether a source is a list of paths."""
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(one, str | Path) for one in source)


def _table(source: Any) -> RawTable:
    """A pandas, Polars or Arrow table, as if it were a file."""
    frame = as_frame(source, "interactions", "ids")
    if frame.is_empty():
        raise DataError("the table has no rows: nothing to train on")
    return RawTable(frame.lazy(), "the table", "table")


def _line_of(parts: Sequence[RawTable], row: int) -> str:
    """Where a row of all parts stands."""
    if len(parts) == 1:
        return parts[0].line_of(row)
    for part in parts:
        height = part.frame.select(pl.len()).collect().item()
        if row < height:
            return f"{part.name} {part.line_of(row)}"
        row -= height
    return f"row {row + 1}"


def _check_parts(parts: Sequence[RawTable], names: dict[str, str]) -> None:
    for part in parts[1:]:
        times = candidates("timestamp", part.frame.collect_schema().names()) if "timestamp" not in names else []
        if times:
            raise DataError(
                f"{part.name} has times ({shown(times)}) and {parts[0].name} has none: give both or neither"
            )
        lacking = [name for name in names.values() if name not in part.frame.collect_schema().names()]
        if lacking:
            there = shown(part.frame.collect_schema().names())
            raise DataError(
                f"{part.name} has no column {lacking[0]!r}, which {parts[0].name} has (it has {there}): name the files "
                f"of the log alone"
            )


def _column(parts: Sequence[RawTable], name: str, role: str) -> pl.Series:
    columns = [_texts(read_column(part, name)).alias(role) for part in parts]
    if len(columns) == 1:
        return columns[0]
    texts = {column.dtype == pl.String for part, column in zip(parts, columns, strict=True) if not part.untyped}
    if len(texts) > 1 and role in ("user_id", "item_id"):
        raise DataError(f"{name!r} is text in some files and numbers in others: write it as one type")
    try:
        return pl.concat([column.to_frame() for column in columns], how="vertical_relaxed").to_series()
    except pl.exceptions.PolarsError as error:
        kinds = ", ".join(dict.fromkeys(str(column.dtype) for column in columns))
        raise DataError(f"{name!r} is of other types in the files ({kinds}): write it as one type") from error


def _texts(column: pl.Series) -> pl.Series:
    """Text as text: in Parquet files of old programs it has no type but bytes."""
    if column.dtype != pl.Binary and not isinstance(column.dtype, pl.Categorical | pl.Enum):
        return column
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError as error:
        raise DataError(f"{column.name!r} holds bytes that are no UTF-8: ids are integers or strings") from error


# ---------------------------------------------------------------------- checks


def _join_clock(parts: Sequence[RawTable], names: dict[str, str], columns: dict[str, pl.Series]) -> None:
    """A date and a time of day in two columns become one."""
    name = names.get("timestamp")
    if name is None or name not in candidates("timestamp", [name]):
        return
    for beside in candidates("timestamp", parts[0].frame.collect_schema().names()):
        if beside == name or canonical(beside) not in ("time", "date", "timeofday"):
            continue
        pair = _day_and_clock(columns["timestamp"], _column(parts, beside, "timestamp"))
        both = None if pair is None else joined_clock(*pair)
        if both is not None:
            columns["timestamp"] = both.alias("timestamp")
            names["timestamp"] = f"{name} + {beside}"
        if pair is not None:
            return


def _day_and_clock(time: pl.Series, beside: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """Which of two columns holds days and which times of day; None where they are something else."""
    day, clock = (beside, time) if is_clock(time) else (time, beside)
    return (day, clock) if is_clock(clock) and not is_clock(day) else None


def _keep_whole_rows(columns: dict[str, pl.Series], context: ReadContext, optional: Sequence[str]) -> None:
    """Refuse rows without an id or a time, or drop them, as the caller says."""
    keeps, needed = context.missing == "keep", {role: one for role, one in columns.items() if role not in optional}
    masks = {role: missing_rows(one, keeps and role != "timestamp") for role, one in needed.items()}
    lacking = {role: mask for role, mask in masks.items() if mask is not None}
    if not lacking:
        return
    if context.missing == "drop":
        _drop_rows(columns, lacking, context)
        return
    role, mask = next(iter(lacking.items()))
    raise _missing(columns[role], role, mask, context)


def _missing(column: pl.Series, role: str, mask: pl.Series, context: ReadContext) -> DataError:
    """The error for rows without a value, with the words that stand in its place."""
    words = column.filter(mask).drop_nulls().unique(maintain_order=True).head(3).to_list()
    said = [repr(word) for word in words if isinstance(word, str) and word.strip()]
    shown_words = f" ({', '.join(said)})" if said else ""
    is_id = role in ("user_id", "item_id")
    or_keep = f"; {setting('missing', 'keep')} takes such words as ids" if said and is_id else ""
    rows = counted(int(mask.sum()), "row", "has", "have")
    return DataError(
        f"{rows} no {role}{shown_words}, the first is {context.where(mask)} of {context.name}: "
        f"give them one, or leave such rows out with {setting('missing', 'drop')}{or_keep}"
    )


def _drop_rows(columns: dict[str, pl.Series], lacking: dict[str, pl.Series], context: ReadContext) -> None:
    """Leave out the rows of any mask; line numbers stay those of the file."""
    whole = ~pl.select(pl.any_horizontal(*lacking.values())).to_series()
    counts = ", ".join(f"{int(mask.sum()):,} without {role}" for role, mask in lacking.items())
    context.note(f"{counted(int((~whole).sum()), 'row', 'is', 'are')} left out ({counts})")
    if not whole.any():
        raise DataError(f"{context.name}: no row has a user, an item and a time: nothing to train on")
    context.keep(columns, whole)


def _read_quickly(columns: dict[str, pl.Series], parts: Sequence[RawTable], layout: Layout) -> None:
    """Numbers and times of the most common forms as what they mean, where no byte of the text was guessed."""
    if not any(part.guessed for part in parts):
        for role, column in columns.items():
            columns[role] = _quick(column, role, parts[0], layout)


def _quick(column: pl.Series, role: str, part: RawTable, layout: Layout) -> pl.Series:
    """Text of the most common forms as what it means: nothing is missing there, and nothing odd."""
    if column.dtype != pl.String or column.is_empty() or role in WORTH:
        return column
    if role == "timestamp":
        quick = quick_times(column) if layout.time_format is None else None
    else:
        quick = as_integers(column) if part.untyped else None
    return column if quick is None else quick.alias(role)


def _validated(
    column: pl.Series, role: str, parts: Sequence[RawTable], layout: Layout, context: ReadContext
) -> pl.Series:
    if column.is_empty():
        raise DataError(f"{context.name}: the data has a header but no rows: nothing to train on")
    if any(part.guessed for part in parts):
        _refuse_guessed(column, context)
    if role == ID:
        return event_ids(column)
    if role == "timestamp":
        return validate_times(column, layout.time_format, context).alias(role)
    if role == "event":
        return column
    if role == "weight":
        return validate_weights(column, context)
    return _validated_ids(column, role, parts[0].untyped, layout, context)


def _validated_ids(column: pl.Series, role: str, untyped: bool, layout: Layout, context: ReadContext) -> pl.Series:
    if not layout.exact:
        if role == "user_id":
            refuse_totals(column, context)
        refuse_several(column, context, layout.lists == "keep")
    ids = validate_ids(column, untyped and not layout.exact, context)
    if holds_dates(ids.head(_LOOKED_AT)):
        context.note(f"{role} looks like a time, {ids[0]!r} for one: is that the right column?")
    return ids.alias(role)


def _refuse_guessed(column: pl.Series, context: ReadContext) -> None:
    odd = ~column.str.contains(r"^[\x00-\x7f]*$")
    if odd.any():
        raise DataError(
            f"cannot read {context.name}, {context.where(odd)}: {column.name} is not UTF-8: name the encoding of "
            f"the file with {setting('encoding', 'NAME')} (cp1252, latin-1, ...)"
        )
    context.note(f"{context.name} is not UTF-8 in columns that are not read")


def _note_kinds(kinds: dict[str, int] | None, names: dict[str, str], context: ReadContext) -> None:
    if kinds is None or len(kinds) < 2:
        return
    some = worded("--events KIND,KIND", "events=['KIND', 'KIND']")
    context.note(
        f"{names['event']!r} holds kinds of events, {with_shares(kinds)}: all count the same; choose with {some}, or "
        f"weigh them with {setting('event_weights', 'KIND:WEIGHT,KIND:WEIGHT')}"
    )


def _note_order(
    parts: Sequence[RawTable],
    names: dict[str, str],
    columns: dict[str, pl.Series],
    layout: Layout,
    context: ReadContext,
) -> None:
    if "timestamp" in columns:
        _note_clocks(parts, names, columns["timestamp"], context)
    else:
        _note_file_order(parts, names, layout, context)


def _note_file_order(parts: Sequence[RawTable], names: dict[str, str], layout: Layout, context: ReadContext) -> None:
    if parts[0].format == "text" or any("oldest first" in note for note in context.notes):
        return
    times = _perhaps_times(parts[0], names)
    order = "rows are taken in file order, as if oldest came first"
    if times:
        context.note(f"no time column is known, {order}; {_hint_of_times(parts[0], times, layout)}")
    elif len(parts) > 1:
        context.note(f"no time column is known: files are taken in order of their names, and {order}")
    else:
        context.note(f"no time column is known: {order}")


def _hint_of_times(part: RawTable, times: list[str], layout: Layout) -> str:
    """How to say which column holds times: by its place, where the columns are named by position."""
    if layout.columns is None:
        return f"{shown(times)} may hold times: {setting('timestamp_column', 'NAME')}"
    there = part.frame.collect_schema().names()
    places = " and ".join(str(there.index(name) + 1) for name in times)
    one, it = ("column", "it") if len(times) == 1 else ("columns", "one")
    return f"{one} {places} of {argument('columns')} may hold times: call {it} timestamp there"


def _perhaps_times(part: RawTable, names: dict[str, str]) -> list[str]:
    """Columns without a role that may hold times, by their names or values."""
    rows = part.frame.head(_LOOKED_AT).collect()
    unread = [column for column in rows if column.name not in names.values()]
    return [column.name for column in unread if looks_like_time(column.name) or holds_times(column)]


def _note_clocks(parts: Sequence[RawTable], names: dict[str, str], times: pl.Series, context: ReadContext) -> None:
    """Whole days tell no order within a day; a time of day may stand in a column of its own."""
    there = parts[0].frame.collect_schema().names()
    clocks = [name for name in there if name not in names.values() and sounds_like_clock(name)]
    if clocks and (_whole_days(times) or canonical(names["timestamp"]) in ("day", "days")):
        context.note(
            f"{names['timestamp']!r} tells days, so that events of one day have no order but the file's; "
            f"{shown(clocks)} may hold the time of day: put both in one column, or name one that has both, "
            f"{setting('timestamp_column', 'NAME')}"
        )


def _whole_days(times: pl.Series) -> bool:
    if isinstance(times.dtype, pl.Datetime):
        return bool((times == times.dt.truncate("1d")).all())
    return times.dtype == pl.Date
