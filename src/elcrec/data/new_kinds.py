"""New events that tell no kinds, for a log whose kinds make a difference."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from elcrec.data.columns import shown
from elcrec.data.kind_columns import MOST_KINDS, kinds_of
from elcrec.data.layout import Layout
from elcrec.data.raw import RawTable
from elcrec.errors import DataError
from elcrec.process.wording import listed, setting, worded

_LOOKED_AT = 10_000


def no_kinds(name: str, kinds: Collection[str], layout: Layout, found: Sequence[str] = ()) -> DataError:
    """The error for new events without kinds: all of them would count as the kind that is predicted.

    Args:
        name: What holds the events.
        kinds: Those of the log.
        layout: What the settings say about the log: the column that they name, the kinds that they read.
        found: Columns of the new events that may hold kinds.
    """
    column = layout.event_column
    where = "" if column is None else f" in a column {column!r}"
    there = f"; its column {shown(found[:1])} may hold them" if found else ""
    named = setting("event_column", found[0] if found else "NAME")
    remedy = worded(named, f"Interactions.read(..., kinds=True, {named})")
    return DataError(
        f"{name} tells no kinds of events, and the log has some{where} ({listed(list(kinds))}), which the settings "
        f"read{there}: add the column, or name it with {remedy}{'' if found else _of_one_kind(layout)}"
    )


def _of_one_kind(layout: Layout) -> str:
    """What to do with a file of the only kind that is read: it has no column of kinds that could be named."""
    if len(layout.events) != 1:
        return ""
    column = layout.event_column or "event"
    return f"; where all events are of kind {layout.events[0]!r}, add a column {column!r} that says so in each row"


def refuse_lost_kinds(
    found: Collection[str] | None, part: RawTable, named: Collection[str], layout: Layout, name: str
) -> None:
    """Raise DataError where new events without kinds are for a log whose kinds make a difference.

    Args:
        found: The kinds that the events tell; None: their columns tell none.
        part: The events, or the first of them.
        named: Columns that have another role.
        layout: What the caller says about the events.
        name: What holds them.
    """
    kinds = layout.kinds_of_log
    if kinds and not found:
        raise no_kinds(name, kinds, layout, _columns_of_kinds(part, named, kinds))


def _columns_of_kinds(part: RawTable, named: Collection[str], kinds: Collection[str]) -> list[str]:
    """Columns without another role that hold kinds of a log: few values, some of them such kinds."""
    rows = part.frame.head(_LOOKED_AT).collect()
    return [one.name for one in rows if one.name not in named and _holds(one, kinds)]


def _holds(column: pl.Series, kinds: Collection[str]) -> bool:
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return False
    values = kinds_of(column).drop_nulls()
    return values.n_unique() <= MOST_KINDS and bool(values.is_in(list(kinds)).any())
