"""Rows that hold several events as lists: a row an event."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from elcrec.data.columns import candidates, canonical, list_columns, looks_like_time, shown
from elcrec.data.layout import Layout
from elcrec.data.raw import Raw
from elcrec.errors import DataError


def lifted(part: Raw, layout: Layout) -> Raw:
    """Fields within columns that the caller names (``properties.product_id``) as columns."""
    schema = part.frame.collect_schema()
    inner = fields_within(schema)
    named = [name for name in layout.by_role.values() if name in inner and name not in schema]
    if not named:
        return part
    frame = part.frame.with_columns(_field(str(name)) for name in named)
    return Raw(**{**part.__dict__, "frame": frame})


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


def exploded(part: Raw, layout: Layout, notes: list[str]) -> Raw:
    """A row an event, where a row holds the events of a user as a list."""
    schema = part.frame.collect_schema()
    lists = {name for name, kind in schema.items() if isinstance(kind, pl.List | pl.Array)}
    item = _item_column(schema.names(), lists, layout)
    if item is None:
        return part
    inner = schema[item].inner  # type: ignore[attr-defined]
    time = next((name for name in _times_of(lists - {item}, layout)), None)
    together = [item] if time is None else [item, time]
    others = [name for name in schema.names() if name not in lists]
    whole = part.frame.select(*others, *(pl.col(name).cast(pl.List(schema[name].inner)) for name in together))  # type: ignore[attr-defined]
    if time is not None:
        _refuse_other_lengths(part, whole, item, time)
    frame = whole.filter(pl.col(item).list.len() > 0).explode(together)
    if time is not None and not candidates("timestamp", [time]):
        frame = frame.rename({time: "timestamp"})
    if isinstance(inner, pl.Struct):
        fields = [one.name for one in inner.fields]
        if not candidates("item_id", fields) and layout.item_column is None:
            return part
        hidden = [name for name in others if name in fields]
        frame = frame.drop(hidden).unnest(item)
    elif canonical(item) not in map(canonical, candidates("item_id", [item])):
        frame = frame.rename({item: "item_id"})
    unread = [name for name in sorted(lists) if name not in together and looks_like_time(name)]
    timed = candidates("timestamp", frame.collect_schema().names()) or layout.timestamp_column is not None
    notes.append(f"{part.name}: {item!r} holds several events a row{'' if timed else _order_of(unread)}")
    return Raw(**{**part.__dict__, "frame": frame.collect().lazy(), "line_of": lambda row: f"event {row + 1}"})


def _item_column(names: list[str], lists: set[str], layout: Layout) -> str | None:
    """The column whose lists are the items of a row's user, if there is one."""
    item = layout.item_column or next(iter(candidates("item_id", names)), None)
    if item is not None and item not in lists:
        return None
    user = layout.user_column or next(iter(candidates("user_id", names)), None)
    if user is None or user in lists:
        return None
    return item or next((name for name in list_columns(names) if name in lists), None)


def _order_of(unread: list[str]) -> str:
    perhaps = f"; {shown(unread)} may hold their times: --set timestamp_column=NAME" if unread else ""
    return f", taken as oldest first{perhaps}"


def _refuse_other_lengths(part: Raw, frame: pl.LazyFrame, item: str, time: str) -> None:
    rows = frame.select(pl.col(item).list.len() != pl.col(time).list.len()).collect()[item].fill_null(True)
    if rows.any():
        where = part.line_of(int(rows.arg_true()[0]))
        raise DataError(f"{part.name}, {where}: {item!r} and {time!r} hold other numbers of values: one time an item")


def _times_of(lists: set[str], layout: Layout) -> list[str]:
    if layout.timestamp_column in lists:
        return [str(layout.timestamp_column)]
    return candidates("timestamp", [*lists]) or [
        name for name in sorted(lists) if candidates("timestamp", [canonical(name).removesuffix("s")])
    ]
