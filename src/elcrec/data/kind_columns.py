"""Columns that tell kinds of events, or weigh events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import polars as pl

from elcrec.data.decimal_commas import from_decimal_commas
from elcrec.data.id_columns import ReadContext
from elcrec.data.layout import Layout
from elcrec.errors import DataError
from elcrec.process.wording import counted, listed, setting

MOST_KINDS = 50


def count_kinds(column: pl.Series | None, layout: Layout) -> dict[str, int] | None:
    """Events of each kind, most frequent first; None where the values are too many to be kinds, or no words.

    Where kinds are requested, whatever the column holds is kinds.
    """
    if column is None:
        return None
    asked = layout.kinds != "count" or layout.event_column is not None
    words = column.dtype == pl.String or isinstance(column.dtype, pl.Categorical | pl.Enum)
    if not words and not (asked and column.dtype.is_integer()):
        return None
    counts = kinds_of(column).drop_nulls().value_counts(sort=True)
    if not 0 < len(counts) <= MOST_KINDS and not asked:
        return None
    return dict(counts.sort(["count", column.name], descending=[True, False]).iter_rows())


def kinds_of(column: pl.Series) -> pl.Series:
    """A column of kinds as text; null where there is none."""
    return column.cast(pl.String).str.strip_chars().replace("", None)


def with_shares(kinds: Mapping[str, int], shown: Collection[str] | None = None) -> str:
    """Kinds, or some of them, their shares of all events and their counts, for people."""
    n_events = sum(kinds.values())
    some = kinds if shown is None else {kind: kinds[kind] for kind in kinds if kind in shown}
    return listed([f"{kind} {count / n_events:.1%} ({count:,})" for kind, count in some.items()])


def refuse_unknown(asked: Iterable[str], kinds: Mapping[str, int], setting: str) -> None:
    """Raise DataError where a setting names a kind that a log lacks."""
    unknown = next((kind for kind in asked if kind not in kinds), None)
    if unknown is not None:
        raise DataError(f"{setting}: no event is of the kind {unknown!r}; the log has {with_shares(kinds)}")


def choose_kinds(
    columns: dict[str, pl.Series], kinds: Mapping[str, int] | None, layout: Layout, context: ReadContext
) -> None:
    """Leave out events of kinds that are not kept, and the column itself where it is not requested.

    Raises:
        DataError: There are no kinds, or not those that are requested.
    """
    event = columns.pop("event", None)
    if event is None or kinds is None:
        if layout.kinds == "need":
            raise DataError(
                f"{context.name} tells no kinds of events: name their column with {setting('event_column', 'NAME')}"
            )
        return
    if layout.kinds == "count":
        return
    columns["event"] = kinds_of(event)
    _note_capitals(kinds, context)
    if not layout.events:
        return
    if layout.kinds == "need":
        refuse_unknown(layout.events, kinds, "events")
    if not set(layout.events) & set(kinds):
        raise DataError(f"{context.name} has no event of {', '.join(layout.events)}: it has {with_shares(kinds)}")
    if n_without := columns["event"].null_count():
        context.note(f"{counted(n_without, 'row', 'has', 'have')} no kind of event: left out")
    context.keep(columns, columns["event"].is_in(layout.events).fill_null(False))


def _note_capitals(kinds: Mapping[str, int], context: ReadContext) -> None:
    """Say which kinds are perhaps one: they differ in nothing but capitals."""
    by_name: dict[str, list[str]] = {}
    for kind in kinds:
        by_name.setdefault(kind.casefold(), []).append(kind)
    several = [names for names in by_name.values() if len(names) > 1]
    if several:
        shown = "; ".join(", ".join(map(repr, names)) for names in several)
        context.note(f"kinds of events that differ in capitals are different kinds ({shown}): name all that you mean")


def validate_weights(column: pl.Series, context: ReadContext) -> pl.Series:
    """Weights as numbers of 0 or more.

    Raises:
        DataError: Some are not.
    """
    numbers = _numbers(column)
    odd = numbers.is_null() | ~numbers.is_finite() | (numbers < 0)
    if odd.any():
        value = column.filter(odd)[0]
        remedy = ": write decimals with a point in all rows (12.99)" if "," in str(value) else ""
        raise DataError(f"{context.name}, {context.where(odd)}: the weight {value!r} is no number of 0 or more{remedy}")
    return numbers.alias("weight")


def _numbers(column: pl.Series) -> pl.Series:
    """A column as float64, null where a value is no number; decimals may have a comma in all rows."""
    commas = from_decimal_commas(column.str.strip_chars()) if column.dtype == pl.String else None
    return column.cast(pl.Float64, strict=False) if commas is None else commas
