"""Rows that hold several events as lists: a row an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from elcrec.data.columns import candidates, canonical, list_columns, looks_like_time, shown
from elcrec.data.layout import Layout
from elcrec.data.raw import RawTable
from elcrec.errors import DataError
from elcrec.wording import setting


def lifted(part: RawTable, layout: Layout) -> RawTable:
    """Fields within columns that the caller names (``properties.product_id``) as columns."""
    schema = part.frame.collect_schema()
    inner = fields_within(schema)
    named = [name for name in layout.by_role.values() if name in inner and name not in schema]
    if not named:
        return part
    return replace(part, frame=part.frame.with_columns(_field(str(name)) for name in named))


def fields_within(schema: Mapping[str, pl.DataType]) -> list[str]:
    """The fields of columns of objects, ``column.field``, and those within them."""
    found = []
    for name, kind in schema.items():
        if isinstance(kind, pl.Struct):
            inner = {f"{name}.{one.name}": one.dtype for one in kind.fields}
            found += [*inner, *fields_within(inner)]  # type: ignore[arg-type]
    return found


def _field(name: str) -> pl.Expr:
    first, *others = name.split(".")
    column = pl.col(first)
    for one in others:
        column = column.struct.field(one)
    return column.alias(name)


@dataclass(frozen=True)
class _Lists:
    """The columns of lists that hold the events of a row's user.

    Attributes:
        item: The column of items, or of events as objects.
        fields: The fields of these objects; None where items are plain values.
        time: The column of the items' times, if there is one.
        unread: The other columns of lists.
    """

    item: str
    fields: list[str] | None
    time: str | None
    unread: list[str]


def exploded(part: RawTable, layout: Layout, notes: list[str]) -> RawTable:
    """A row an event, where a row holds the events of a user as a list.

    Args:
        part: A file.
        layout: What the caller says about the log.
        notes: Takes a sentence where there are such rows.

    Raises:
        DataError: A row has another number of times than of items.
    """
    lists = _lists_in(part.frame.collect_schema(), layout)
    if lists is None:
        return part
    frame = _with_usual_names(_a_row_an_event(part, lists), lists, layout)
    notes.append(f"{part.name}: {lists.item!r} holds several events a row{_order_of(frame, lists.unread, layout)}")
    return replace(part, frame=frame.collect().lazy(), line_of=lambda row: f"event {row + 1}")


def _lists_in(schema: pl.Schema, layout: Layout) -> _Lists | None:
    """Which columns hold lists of events; None where a row is an event."""
    names = [name for name, kind in schema.items() if isinstance(kind, pl.List | pl.Array)]
    item = _item_column(schema.names(), names, layout)
    if item is None:
        return None
    fields = _fields_of_objects(schema[item])
    if fields is not None and not candidates("item_id", fields) and layout.item_column is None:
        return None
    names.remove(item)
    time = _time_column(names, layout)
    return _Lists(item, fields, time, unread=[name for name in names if name != time])


def _fields_of_objects(lists: pl.DataType) -> list[str] | None:
    """The names of the fields where lists hold objects; None where they hold plain values."""
    inner = lists.inner  # type: ignore[attr-defined]
    return [field.name for field in inner.fields] if isinstance(inner, pl.Struct) else None


def _a_row_an_event(part: RawTable, lists: _Lists) -> pl.LazyFrame:
    """The lists of items, and of their times, a value a row; other lists are left out."""
    schema = part.frame.collect_schema()
    together = [name for name in (lists.item, lists.time) if name is not None]
    others = [name for name in schema.names() if name not in (*together, *lists.unread)]
    values = [pl.col(name).cast(pl.List(schema[name].inner)) for name in together]  # type: ignore[attr-defined]
    whole = part.frame.select(*others, *values)
    if lists.time is not None:
        _refuse_other_lengths(part, whole, lists.item, lists.time)
    return whole.filter(pl.col(lists.item).list.len() > 0).explode(together)


def _with_usual_names(frame: pl.LazyFrame, lists: _Lists, layout: Layout) -> pl.LazyFrame:
    """Items and times where the reader finds them: under the names that the caller gave, or under usual ones."""
    if lists.time not in (None, layout.timestamp_column):
        frame = _under_usual_name(frame, str(lists.time), "timestamp")
    if lists.fields is not None:
        # What an event says of itself counts, whatever its row says.
        hidden = [name for name in lists.fields if name != lists.item]
        return frame.drop(hidden, strict=False).unnest(lists.item)
    return frame if lists.item == layout.item_column else _under_usual_name(frame, lists.item, "item_id")


def _under_usual_name(frame: pl.LazyFrame, name: str, role: str) -> pl.LazyFrame:
    """A column under the usual name of its role, in place of one that the row had under that name."""
    return frame if candidates(role, [name]) else frame.drop(role, strict=False).rename({name: role})


def _item_column(names: list[str], lists: list[str], layout: Layout) -> str | None:
    """The column whose lists are the items of a row's user, if there is one."""
    item = layout.item_column or next(iter(candidates("item_id", names)), None)
    if item is not None and item not in lists:
        return None
    user = layout.user_column or next(iter(candidates("user_id", names)), None)
    if user is None or user in lists:
        return None
    return item or next((name for name in list_columns(names) if name in lists), None)


def _order_of(frame: pl.LazyFrame, unread: list[str], layout: Layout) -> str:
    """What to say of the order of events without times."""
    if layout.timestamp_column is not None or candidates("timestamp", frame.collect_schema().names()):
        return ""
    times = [name for name in sorted(unread) if looks_like_time(name)]
    perhaps = f"; {shown(times)} may hold their times: {setting('timestamp_column', 'NAME')}" if times else ""
    return f", taken as oldest first{perhaps}"


def _refuse_other_lengths(part: RawTable, frame: pl.LazyFrame, item: str, time: str) -> None:
    rows = frame.select(pl.col(item).list.len() != pl.col(time).list.len()).collect()[item].fill_null(True)
    if rows.any():
        where = part.line_of(int(rows.arg_true()[0]))
        raise DataError(f"{part.name}, {where}: {item!r} and {time!r} hold other numbers of values: one time an item")


def _time_column(lists: list[str], layout: Layout) -> str | None:
    """The column whose lists are the times of a row's items, also in the plural (``timestamps``), if there is one."""
    if layout.timestamp_column is not None:
        return layout.timestamp_column if layout.timestamp_column in lists else None
    singular = [name for name in sorted(lists) if candidates("timestamp", [canonical(name).removesuffix("s")])]
    return next(iter([*candidates("timestamp", lists), *singular]), None)
