"""A log from any source: columns chosen, values validated, and a record of how it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
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
from elcrec.data.id_columns import Found, as_integers, missing_rows, refuse_several, refuse_totals, validate_ids
from elcrec.data.joining import ID, event_ids
from elcrec.data.layout import Layout
from elcrec.data.nested import exploded, fields_within, lifted
from elcrec.data.raw import Raw
from elcrec.data.time_columns import holds_dates, holds_times, is_clock, joined_clock, quick_times, validate_times
from elcrec.errors import DataError

MOST_KINDS = 50
_LOOKED_AT = 100
ROLES = ("user_id", "item_id", "timestamp", "event")


@dataclass
class Understood:
    """A log as it was read.

    Attributes:
        columns: Its columns, ``user_id``, ``item_id`` and perhaps ``timestamp``, in file order.
        names: The caller's column for each role.
        first: The first file; None for a table.
        notes: What may surprise.
        kinds: Events of each kind, where a column tells it.
    """

    columns: list[pl.Series]
    names: dict[str, str]
    first: Raw | None
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
    parts = scan(source, layout.asked()) if is_file else [_table(source)]
    notes = [note for part in parts for note in part.notes]
    parts = [exploded(lifted(part, layout), layout, notes) for part in parts]
    schema = parts[0].frame.collect_schema()
    names = choose_columns(schema.names(), {**layout.by_role, "event": None}, notes, fields_within(schema))
    if layout.event_ids and ID in parts[0].frame.collect_schema() and ID not in names.values():
        names[ID] = ID
    _check_parts(parts, names)
    found = Found(
        parts[0].name if len(parts) == 1 else f"the log of {len(parts)} files",
        partial(_line_of, parts),
        layout.missing,
        notes,
    )
    columns = {role: _column(parts, name, role) for role, name in names.items()}
    kinds = _kinds(columns.pop("event", None))
    _join_clock(parts, names, columns)
    if not any(part.guessed for part in parts):
        columns = {role: _quick(column, role, parts[0], layout) for role, column in columns.items()}
    _keep_whole_rows(columns, found)
    read = []
    for role in list(columns):
        read.append(_validated(columns.pop(role), role, parts, layout, found))
    if kinds is not None and len(kinds) > 1:
        some = ", ".join(f"{kind} ({count:,})" for kind, count in list(kinds.items())[:5])
        found.note(
            f"{names['event']!r} holds kinds of events, {some}: all count the same; keep the rows that should count"
        )
    if "timestamp" not in names:
        _note_file_order(parts, names, found)
    else:
        _note_clocks(parts, names, read[list(names).index("timestamp")], found)
    return Understood(read, names, parts[0] if is_file else None, found.notes, kinds)


def _is_several(source: Any) -> bool:
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(one, str | Path) for one in source)


def _table(source: Any) -> Raw:
    try:
        frame = source.collect() if isinstance(source, pl.LazyFrame) else pl.DataFrame(source)
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"cannot use a {type(source).__name__} as interactions ({reason}): "
            f"pass a file, or a pandas, Polars or Arrow table with ids of one type per column"
        ) from error
    if frame.is_empty():
        raise DataError("the table has no rows: nothing to train on")
    return Raw(frame.lazy(), "the table", "table")


def _line_of(parts: Sequence[Raw], row: int) -> str:
    """Where a row of all parts stands."""
    if len(parts) == 1:
        return parts[0].line_of(row)
    for part in parts:
        height = part.frame.select(pl.len()).collect().item()
        if row < height:
            return f"{part.name} {part.line_of(row)}"
        row -= height
    return f"row {row + 1}"


def _check_parts(parts: Sequence[Raw], names: dict[str, str]) -> None:
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


def _column(parts: Sequence[Raw], name: str, role: str) -> pl.Series:
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


def _join_clock(parts: Sequence[Raw], names: dict[str, str], columns: dict[str, pl.Series]) -> None:
    """A date and a time of day in two columns become one."""
    if "timestamp" not in names or names["timestamp"] not in candidates("timestamp", [names["timestamp"]]):
        return
    there = parts[0].frame.collect_schema().names()
    time = columns["timestamp"]
    others = [name for name in candidates("timestamp", there) if name != names["timestamp"]]
    for name in others:
        if canonical(name) not in ("time", "date", "timeofday"):
            continue
        other = _column(parts, name, "timestamp")
        day, clock = (other, time) if is_clock(time) else (time, other)
        if is_clock(clock) and not is_clock(day):
            both = joined_clock(day, clock)
            if both is not None:
                columns["timestamp"] = both.alias("timestamp")
                names["timestamp"] = f"{names['timestamp']} + {name}"
            return


def _keep_whole_rows(columns: dict[str, pl.Series], found: Found) -> None:
    """Refuse rows without an id or a time, or drop them, as the caller says."""
    keeps = found.missing == "keep"
    masks = {role: missing_rows(one, keeps and role != "timestamp") for role, one in columns.items() if role != ID}
    lacking = {role: mask for role, mask in masks.items() if mask is not None}
    if not lacking:
        return
    if found.missing != "drop":
        role, mask = next(iter(lacking.items()))
        words = columns[role].filter(mask).drop_nulls().unique(maintain_order=True).head(3).to_list()
        said = [repr(word) for word in words if isinstance(word, str) and word.strip()]
        raise DataError(
            f"{int(mask.sum()):,} rows have no {role}{' (' + ', '.join(said) + ')' if said else ''}, the first is "
            f"{found.where(mask)} of {found.name}: give them one, or leave such rows out with --set missing=drop"
            + ("; --set missing=keep takes such words as ids" if said and role != "timestamp" else "")
        )
    whole = (
        ~pl.DataFrame([mask.alias(role) for role, mask in lacking.items()])
        .select(pl.any_horizontal(pl.all()))
        .to_series()
    )
    counts = ", ".join(f"{int(mask.sum()):,} without {role}" for role, mask in lacking.items())
    found.note(f"{int((~whole).sum()):,} rows are left out ({counts})")
    kept, line_of = whole.arg_true(), found.line_of
    if kept.is_empty():
        raise DataError(f"{found.name}: no row has a user, an item and a time: nothing to train on")
    found.line_of = lambda row: line_of(int(kept[row]))
    for role in columns:
        columns[role] = columns[role].filter(whole)


def _quick(column: pl.Series, role: str, part: Raw, layout: Layout) -> pl.Series:
    """Text of the most common forms as what it means: nothing is missing there, and nothing odd."""
    if column.dtype != pl.String or column.is_empty():
        return column
    if role == "timestamp":
        quick = quick_times(column) if layout.time_format is None else None
    else:
        quick = as_integers(column) if part.untyped else None
    return column if quick is None else quick.alias(role)


def _validated(column: pl.Series, role: str, parts: Sequence[Raw], layout: Layout, found: Found) -> pl.Series:
    if column.is_empty():
        raise DataError(f"{found.name}: the data has a header but no rows: nothing to train on")
    if any(part.guessed for part in parts):
        _refuse_guessed(column, found)
    if role == ID:
        return event_ids(column)
    if role == "timestamp":
        return validate_times(column, layout.time_format, found).alias(role)
    if role == "user_id" and not layout.exact:
        refuse_totals(column, found)
    if not layout.exact:
        refuse_several(column, found, layout.lists == "keep")
    ids = validate_ids(column, parts[0].untyped and not layout.exact, found)
    if holds_dates(ids.head(_LOOKED_AT)):
        found.note(f"{role} looks like a time, {ids[0]!r} for one: is that the right column?")
    return ids.alias(role)


def _refuse_guessed(column: pl.Series, found: Found) -> None:
    odd = ~column.str.contains(r"^[\x00-\x7f]*$")
    if odd.any():
        raise DataError(
            f"cannot read {found.name}, {found.where(odd)}: {column.name} is not UTF-8: name the encoding of the file "
            f"with --set encoding=NAME (cp1252, latin-1, ...)"
        )
    found.note(f"{found.name} is not UTF-8 in columns that are not read")


def _kinds(column: pl.Series | None) -> dict[str, int] | None:
    """Events of each kind, most frequent first; None where the values are too many to be kinds."""
    if column is None or not (column.dtype == pl.String or isinstance(column.dtype, pl.Categorical | pl.Enum)):
        return None
    counts = column.cast(pl.String).drop_nulls().value_counts(sort=True)
    if not 0 < len(counts) <= MOST_KINDS:
        return None
    return dict(counts.sort(["count", column.name], descending=[True, False]).iter_rows())


def _note_file_order(parts: Sequence[Raw], names: dict[str, str], found: Found) -> None:
    if parts[0].format == "text" or any("oldest first" in note for note in found.notes):
        return
    rows = parts[0].frame.head(_LOOKED_AT).collect()
    times = [
        column.name
        for column in rows
        if column.name not in names.values() and (looks_like_time(column.name) or holds_times(column))
    ]
    order = "rows are taken in file order, as if oldest came first"
    if times:
        found.note(f"no time column is known, {order}; {shown(times)} may hold times: --set timestamp_column=NAME")
    elif len(parts) > 1:
        found.note(f"no time column is known: files are taken in order of their names, and {order}")
    else:
        found.note(f"no time column is known: {order}")


def _note_clocks(parts: Sequence[Raw], names: dict[str, str], times: pl.Series, found: Found) -> None:
    """Whole days tell no order within a day; a time of day may stand in a column of its own."""
    there = parts[0].frame.collect_schema().names()
    clocks = [name for name in there if name not in names.values() and sounds_like_clock(name)]
    if clocks and (_whole_days(times) or canonical(names["timestamp"]) in ("day", "days")):
        found.note(
            f"{names['timestamp']!r} tells days, and events of one day are taken in file order; {shown(clocks)} may "
            f"hold the time of day: put both in one column, or name one that has both, --set timestamp_column=NAME"
        )


def _whole_days(times: pl.Series) -> bool:
    if isinstance(times.dtype, pl.Datetime):
        return bool((times == times.dt.truncate("1d")).all())
    return times.dtype == pl.Date
