"""What a request tells of its users, as features of a model.

Each value is read by itself, in the way of the file that the model has learned from: other rows change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from elcrec.data.attribute_columns import as_text
from elcrec.data.columns import shown
from elcrec.data.feature_columns import NUMBER, TEXT, VECTOR, are_seconds, as_kind
from elcrec.data.features import Categories, FeatureColumn, Features, FeatureSpace, Numbers
from elcrec.data.markup import own_unescaped, with_own_ancestors
from elcrec.data.raw import as_frame
from elcrec.data.written_columns import each_as_moment
from elcrec.errors import DataError

_BETWEEN = r"[,;|\s]+"
_WHOLE = re.compile(r"\+?(-?[0-9]+)(?:\.0*)?")


def encoded_rows(given: Any, space: FeatureSpace) -> Features:
    """Features that come with a request, a row each.

    Args:
        given: ``{column: value}`` of each row, or a table with columns of the training.
        space: How the model numbers features. Values that it does not know are no features.

    Raises:
        DataError: A column is none of the training, or this is no table.
    """
    told, height = _columns(given)
    known = {column.name: column for column in space.columns}
    others = [name for name in told if name not in known]
    if others:
        raise DataError(f"user_features: no {shown(others)}: the model has learned from {shown(list(known))}")
    features = [_read(known[name], values).alias(name) for name, values in told.items()]
    return space.encode(pl.DataFrame(features), np.arange(height), height)


def _columns(given: Any) -> tuple[dict[str, list[Any]], int]:
    """The values of each column, and the number of rows."""
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        frame = as_frame(given, "user_features", "values")
        return {column.name: column.to_list() for column in frame.get_columns()}, frame.height
    rows = [_by_name(row) for row in given]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}, len(rows)


def _by_name(row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise DataError(f"user_features: give a mapping from column to value for each history, not {row!r}")
    return {str(name): value for name, value in row.items()}


def _read(column: FeatureColumn, values: list[Any]) -> pl.Series:
    """Values as features of the kind of a column; null where a value is none."""
    values = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
    if isinstance(column, Categories):
        return _categories(values, column)
    if column.kind == "vectors":
        return pl.Series([None if value is None else _vector(value) for value in values], dtype=VECTOR)
    text = pl.Series([None if value is None else own_unescaped(_written(value)) for value in values], dtype=TEXT)
    return _numbers(text, column) if isinstance(column, Numbers) else text


def _categories(values: list[Any], column: Categories) -> pl.Series:
    """Texts, in the spelling of the training; ``a|b`` is two."""

    def of_training(text: str) -> str:
        whole = _WHOLE.fullmatch(text)
        return text if text in column.as_set else column.truths.get(text.lower()) or (whole[1] if whole else text)

    def each(value: Any) -> list[str]:
        lists = isinstance(value, list | tuple)
        parts = [own_unescaped(_written(one)) for one in value] if lists else own_unescaped(_written(value)).split("|")
        paths = (path for part in parts for path in with_own_ancestors(part.strip()))
        return list(dict.fromkeys(map(of_training, paths)))

    return pl.Series([None if value is None else each(value) for value in values], dtype=pl.List(TEXT))


def _numbers(text: pl.Series, column: Numbers) -> pl.Series:
    """Numbers, and dates where the training had some: where it had ``moments``, these alone."""
    text = as_text(text)
    if column.moments:
        return each_as_moment(text)
    found = as_kind(text, NUMBER)
    if not are_seconds(pl.Series(column.edges, dtype=NUMBER)):
        return found
    return found.fill_null(as_kind(each_as_moment(text), NUMBER))


def _vector(value: Any) -> list[float | None]:
    """The numbers of a list or a text; None where one is none."""
    parts = value if isinstance(value, list | tuple) else re.split(_BETWEEN, _written(value).strip("[] \t\r\n"))
    found: list[float | None] = (
        pl.Series([_written(part) for part in parts], dtype=TEXT).cast(NUMBER, strict=False).to_list()
    )
    return found


def _written(value: Any) -> str:
    """A value as text: as files have it."""
    if isinstance(value, list | tuple):
        return "|".join(map(_written, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
