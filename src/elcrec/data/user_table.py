"""What is known about users: age band, country, device, ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from elcrec.data import described
from elcrec.data.accepted import Table
from elcrec.data.columns import shown
from elcrec.data.feature_columns import feature_columns, featureless
from elcrec.data.features import Features, FeatureSpace
from elcrec.data.files import read_described
from elcrec.data.ids import id_text
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
        featureless: Why nothing can be learned from further columns, by name; files of runs do not keep it.
        columns: Columns of :meth:`table` that the file gives, those without any value, too; none of what a run kept.
        written: Columns of the file as they came, row by row the same users; none of what a run kept.
    """

    ids: pl.Series
    features: pl.DataFrame
    featureless: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    written: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False, compare=False)

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
    def read(cls, source: UserSource, log_column: str | None = None) -> UserTable:
        """Read what is known about users from a file or a frame.

        Columns are the user (``user_id``, else ``log_column``, else one of the usual names) and what is known; the
        kinds of columns are those of item metadata.

        Args:
            source: Path of a CSV, TSV, Parquet or JSON Lines file; or a pandas, Polars or Arrow table.
            log_column: Name of the user column of the log, where the caller gives one.

        Raises:
            DataError: What is wrong, with the column or user, and what to do.
        """
        if isinstance(source, UserTable):
            return source
        if isinstance(source, str | Path):
            raw, file = read_described(Path(source), "user_id", log_column)
            untyped, decimal_commas = file.untyped, file.decimal_commas
        else:
            raw = as_frame(source, "users", "values")
            untyped = decimal_commas = False
        if raw.is_empty():
            raise DataError("the user data has no rows: give it one row a user")
        user = described.id_column(raw.columns, "user_id", log_column=log_column)
        written = raw.drop(user)
        rest = [as_meant(column, decimal_commas) for column in written.get_columns()]
        features = feature_columns(rest, untyped)
        if not features:
            raise DataError(f"nothing describes the users: the data has {shown(raw.columns)}; add a column with values")
        ids = described.ids_in(raw[user], "user_id", untyped)
        columns = described.given_names(raw.columns)
        return cls(ids, pl.DataFrame(features), featureless(rest, features), columns, written)

    def as_in(self, older: UserTable | None) -> tuple[UserTable, list[str]]:
        """The same, each column of the kind that is known, and what to say; see :func:`elcrec.data.described.as_in`."""
        if older is None:
            return self, []
        features, note = described.as_in(self.ids, self.features, self.written, older.features)
        return replace(self, features=features, written=pl.DataFrame()), [] if note is None else [note]

    def over(self, older: UserTable | None) -> UserTable:
        """What is known of these users, and of others what was known; see :func:`elcrec.data.described.over`.

        Raises:
            DataError: A column holds another kind of features now.
        """
        if older is None:
            return self
        return UserTable.from_table(described.over(self.as_in(older)[0].table(), older.table(), self.columns))

    def notes_over(self, older: UserTable | None, space: FeatureSpace | None) -> list[str]:
        """What to say of the columns; see :func:`elcrec.data.described.notes_over`."""
        return described.notes_over(self.table(), None if older is None else older.table(), self.columns, space)

    def matched(self, ids: pl.Series) -> UserTable:
        """What is known about given users, under these distinct ids; ids are compared by their text.

        Raises:
            DataError: Nothing is known about any of them.
        """
        found = described.matched(self.table(), ids.alias("user_id"))
        return replace(UserTable.from_table(found), featureless=self.featureless)

    def few_note(self, ids: pl.Series) -> str | None:
        """What to say where it knows almost none of these users; see :func:`elcrec.data.described.few_note`."""
        return described.few_note(self.ids, ids)

    def known_to(self, ids: pl.Series) -> UserTable:
        """What a model of given users keeps; see :func:`elcrec.data.described.known_to`.

        Raises:
            DataError: Nothing is known about any of the given users.
        """
        ids = ids.alias("user_id")
        described.matched(self.ids.to_frame(), ids)  # raises where it knows none
        found = described.known_to(self.table(), ids)
        return replace(UserTable.from_table(found), featureless=self.featureless)

    def row_of(self, user: Any) -> int | None:
        """The row about a user, whose id is compared by its text; None where there is none."""
        ids, rows = self._by_text
        for text in (str(user), id_text(user)):
            place = ids.search_sorted(text)
            if place < len(ids) and ids[place] == text:
                return int(rows[place])
        return None

    @cached_property
    def _by_text(self) -> tuple[pl.Series, pl.Series]:
        """Ids as text, ascending, and the row of each; such tables may be long."""
        table = pl.DataFrame({"id": self.ids.cast(pl.String)}).with_row_index("row").sort("id")
        return table["id"], table["row"]

    def encoded(self, space: FeatureSpace, users: Vocabulary) -> Features:
        """Features of the users of a log, in their order: [U] rows, empty for those who are not in the table."""
        number_I = users.indices(self.ids, unknown="skip")
        known = number_I >= 0
        return space.encode(self.features.filter(pl.Series(known)), number_I[known], len(users))
