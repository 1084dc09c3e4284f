"""What is known about users: age band, country, device, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from elcrec.data import described
from elcrec.data.accepted import Table
from elcrec.data.columns import shown
from elcrec.data.feature_columns import NUMBER, VECTOR, feature_columns
from elcrec.data.features import Features, FeatureSpace
from elcrec.data.files import read_one
from elcrec.data.raw import as_frame
from elcrec.data.vocabulary import Vocabulary
from elcrec.data.written_columns import as_meant
from elcrec.errors import DataError

UserSource: TypeAlias = "str | Path | Table | UserTable"
"""See :meth:`UserTable.read`."""


@dataclass(frozen=True)
class UserTable:
    """Features of users, a row a user.

    Attributes:
        ids: User ids.
        features: What a model can learn from, row by row the same users: see :mod:`elcrec.data.feature_columns`.
    """

    ids: pl.Series
    features: pl.DataFrame

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> UserTable:
        """What :meth:`table` gave."""
        return cls(table["user_id"], described.features_in(table))

    def table(self) -> pl.DataFrame:
        """``user_id``, and a column ``feature:NAME`` for each that can be learned from."""
        return described.with_features(self.ids.to_frame(), self.features)

    @classmethod
    def read(cls, source: UserSource) -> UserTable:
        """Read what is known about users from a file or a frame.

        Columns are the user, by one of the usual names, and what is known; the kinds of columns are those of item
        metadata.

        Args:
            source: Path of a CSV, TSV, Parquet or JSON Lines file; or a pandas, Polars or Arrow table.

        Raises:
            DataError: What is wrong, with the column or user, and what to do.
        """
        if isinstance(source, UserTable):
            return source
        if isinstance(source, str | Path):
            raw, untyped = read_one(Path(source))
        else:
            raw, untyped = as_frame(source, "users", "values"), False
        if raw.is_empty():
            raise DataError("the user data has no rows: give it one row a user")
        user = described.id_column(raw.columns, "user_id")
        features = feature_columns([as_meant(column) for column in raw.get_columns() if column.name != user], untyped)
        if not features:
            raise DataError(f"nothing describes the users: the data has {shown(raw.columns)}; add a column with values")
        return cls(described.ids_in(raw[user], "user_id", untyped), pl.DataFrame(features))

    def over(self, older: UserTable | None) -> UserTable:
        """These users, and older ones that are not among them."""
        return self if older is None else UserTable.from_table(described.over(self.table(), older.table()))

    def matched(self, users: Vocabulary) -> UserTable:
        """What is known about users of a log, under their ids.

        Raises:
            DataError: Nothing is known about any of them.
        """
        return UserTable.from_table(described.matched(self.table(), users.ids.alias("user_id")))

    def encoded(self, space: FeatureSpace, users: Vocabulary) -> Features:
        """Features of the users of a log, in their order: [U] rows, empty for those who are not in the table."""
        number_I = users.indices(self.ids, unknown="skip")
        known = number_I >= 0
        return space.encode(self.features.filter(pl.Series(known)), number_I[known], len(users))


def encoded_rows(given: Any, space: FeatureSpace) -> Features:
    """Features that come with a request, a row each.

    Args:
        given: ``{column: value}`` of each row, or a table with columns of the training.
        space: How the model numbers features. Values that it does not know are no features.

    Raises:
        DataError: A column is none of the training, or this is no table.
    """
    rows = list(given) if isinstance(given, Sequence) and not isinstance(given, str | bytes) else None
    frame = as_frame(given, "user_features", "values") if rows is None else _frame(rows)
    known = {column.name: column.kind for column in space.columns}
    others = [name for name in frame.columns if name not in known]
    if others:
        raise DataError(f"user_features: no {shown(others)}: the model has learned from {shown(list(known))}")
    height = frame.height if rows is None else len(rows)
    features = [one for column in frame.get_columns() for one in _feature(column, known[column.name])]
    return space.encode(pl.DataFrame(features), np.arange(height), height)


def _feature(column: pl.Series, kind: str) -> list[pl.Series]:
    """A column of a request as a feature; none where it has no value."""
    if kind in ("numbers", "vectors"):  # they may be written as text: dates are numbers
        column = as_meant(column)
    if kind == "vectors" and column.dtype == pl.List(pl.Float64):  # whatever its numbers are
        return [column.cast(VECTOR)]
    return feature_columns([column], untyped=False)


def _frame(rows: Sequence[Any]) -> pl.DataFrame:
    """Rows as columns of one type each."""
    odd = next((row for row in rows if not isinstance(row, Mapping)), None)
    if odd is not None:
        raise DataError(f"user_features: give a mapping from column to value for each history, not {odd!r}")
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _column(name: str, values: list[Any]) -> pl.Series:
    """Numbers as such, lists of numbers as vectors, all else as text, or lists of text."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, list | tuple) for value in known):
        of_numbers = all(_is_number(part) for value in known for part in value)
        inner = float if of_numbers else _written
        lists = [None if value is None else [inner(part) for part in value] for value in values]
        return pl.Series(name, lists, dtype=pl.List(pl.Float64 if of_numbers else pl.String))
    if all(_is_number(value) for value in known):
        return pl.Series(name, values, dtype=NUMBER, strict=False)
    return pl.Series(name, [None if value is None else _written(value) for value in values], dtype=pl.String)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "|".join(map(_written, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
