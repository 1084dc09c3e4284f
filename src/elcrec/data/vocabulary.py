"""Vocabularies: the caller's ids and the indices of users and items, which are never mixed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elcrec.data.files import ROWS_AT_ONCE
from elcrec.data.ids import BLANKS, as_list, id_text
from elcrec.errors import DataError, UnknownIdError
from elcrec.process.wording import argument, listed

Indices = npt.NDArray[np.int64]
SHOWN_IDS = 3
MOST_COMPARED = 1_000_000


@dataclass(frozen=True)
class Vocabulary:
    """A two-way map between ids (any integers or strings, as they came) and consecutive indices.

    Attributes:
        ids: Distinct ids in index order.
        first: Index of ``ids[0]``: 0 for users, 1 for items (row 0 of the model is padding).
        kind: What the ids name, for messages: ``user`` or ``item``.
    """

    ids: pl.Series
    first: int = 0
    kind: str = "user"

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, column: pl.Series, first: int = 0, kind: str = "user") -> Vocabulary:
        """The distinct ids of a column in natural order (``i2`` before ``i10``).

        The order depends on the ids alone, so the same log in another row order trains the same model.
        """
        return cls(natural_order(column.unique()), first, kind)

    def first_ones(self, count: int) -> Vocabulary:
        """The first so many ids."""
        return Vocabulary(self.ids.head(count), self.first, self.kind)

    @cached_property
    def by_text(self) -> dict[str, int]:
        """Index by the text form of the id, for questions about one or a few; made when first used."""
        return {text: index for index, text in enumerate(self.ids.cast(pl.String).to_list(), start=self.first)}

    def find(self, asked: Any) -> int:
        """Index of an id by its text form; -1 for an unknown one."""
        found = self.by_text.get(str(asked))
        return self.by_text.get(id_text(asked), -1) if found is None else found

    def found(self, asked: Iterable[Any]) -> Indices:
        """Indices of a few ids by their text form: int64 [n], -1 for unknown ones."""
        return np.array([self.find(one) for one in as_list(f"{self.kind}s", asked)], dtype=np.int64)

    def known(self, asked: Sequence[Any]) -> Indices:
        """The same, of ids that must be known.

        Raises:
            UnknownIdError: Some are not.
        """
        index = self.found(asked)
        missing = [one for one, number in zip(asked, index.tolist(), strict=True) if number < 0]
        if missing:
            said = listed([repr(str(one)[:40]) for one in missing], SHOWN_IDS)
            raise UnknownIdError(f"unknown {self.kind} {said}: the model knows {len(self):,} {self.kind}s")
        return index

    def indices(self, ids: pl.Series | Iterable[Any], unknown: str = "raise") -> Indices:
        """Indices of ids.

        Args:
            ids: Ids of the vocabulary's own type, or their text form (as typed on a command line).
            unknown: ``raise``, or ``skip``: give -1.

        Returns:
            int64 [n]; in ``first .. first + len - 1``, or -1.

        Raises:
            UnknownIdError: An id is not known and ``unknown`` is ``raise``.
        """
        check_unknown(unknown)
        if not isinstance(ids, pl.Series):
            ids = as_list(f"{self.kind}s", ids)
        asked = text_series(ids) if not isinstance(ids, pl.Series) or ids.dtype.is_float() else ids
        index = self._looked_up(asked)
        if asked.dtype == pl.String and (index < 0).any():
            odd = index < 0
            index[odd] = self._looked_up(asked.filter(pl.Series(odd)).str.strip_chars(BLANKS))
        if unknown == "raise" and (index < 0).any():
            self._raise_unknown(asked.filter(pl.Series(index < 0)))
        return index

    def _looked_up(self, asked: pl.Series) -> Indices:
        """Indices by the very id or its text; -1 for unknown ones."""
        known = self.ids
        if asked.dtype != known.dtype:
            asked, known = asked.cast(pl.String), known.cast(pl.String)
        table = pl.DataFrame({"id": known, "index": np.arange(len(known)) + self.first})
        index = np.empty(len(asked), dtype=np.int64)
        for first in range(0, len(asked), ROWS_AT_ONCE):
            part = pl.DataFrame({"id": asked.slice(first, ROWS_AT_ONCE)})
            found = part.join(table, on="id", how="left", maintain_order="left")["index"]
            index[first : first + len(found)] = found.fill_null(-1).to_numpy()
        return index

    def misspelt(self, ids: pl.Series) -> list[tuple[Any, Any]]:
        """Unknown ids that are known but for zeros in front or capitals, each once, and the known ones.

        Not looked for where ids are numbers, which have neither, or more than ``MOST_COMPARED``.
        """
        if (ids.dtype.is_integer() and self.ids.dtype.is_integer()) or len(self) > MOST_COMPARED:
            return []
        unknown = ids.unique(maintain_order=True)
        unknown = unknown.filter(pl.Series(self.indices(unknown, "skip") < 0))
        if unknown.is_empty():
            return []
        asked, known = (
            pl.DataFrame({name: column, "plain": _plain(column)})
            for name, column in (("ask", unknown), ("id", self.ids))
        )
        return (
            asked.join(known.unique("plain", keep="first"), on="plain", maintain_order="left")
            .select("ask", "id")
            .rows()
        )

    def _raise_unknown(self, missing: pl.Series) -> None:
        shown = ", ".join(repr(value) for value in missing.unique(maintain_order=True).head(3).to_list())
        more = missing.n_unique() - 3
        alike = self.misspelt(missing)
        example = f"{alike[0][1]!r} (zeros in front and capitals count)" if alike else repr(self.ids[0])
        raise UnknownIdError(
            f"unknown {self.kind} {shown}{f' and {more} more' if more > 0 else ''}: "
            f"the model knows {len(self):,} {self.kind}s, for example {example}; "
            f"use {argument('unknown', 'skip')} to leave such ids out"
        )

    def ids_of(self, indices: Indices | Iterable[int]) -> pl.Series:
        """Ids of indices, in the caller's type."""
        return self.ids.gather(np.asarray(indices, dtype=np.int64) - self.first)


def _plain(ids: pl.Series) -> pl.Series:
    """Ids without what programs change: zeros in front, capitals."""
    text = ids.cast(pl.String)
    return text.str.to_lowercase().str.replace("^0+([^0]|0$)", "${1}")


def check_unknown(unknown: str) -> None:
    """Raise DataError unless it is clear what to do with unknown ids."""
    if unknown not in ("raise", "skip"):
        raise DataError(f"unknown={unknown!r}: use 'raise' or 'skip'")


def text_series(ids: Iterable[Any]) -> pl.Series:
    """Ids given as Python values; integers stay integers, everything else is compared by its text.

    Whole floats, which pandas makes of integers in a column with missing values, are integers.
    """
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in ids]
    if values and all(map(_fits_int64, values)):
        return pl.Series("id", [int(value) for value in values], dtype=pl.Int64)
    return pl.Series("id", [str(value) for value in values], dtype=pl.String)


def _fits_int64(value: Any) -> bool:
    """Whether a value is an integer (a truth value is none) that 64 bits hold."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and -(2**63) <= value < 2**63


def natural_order(ids: pl.Series) -> pl.Series:
    """Ids in natural order: by text before the first number, by that number, then by the text."""
    if ids.dtype != pl.String:
        return ids.sort()
    text = pl.col("id")
    return (
        pl.DataFrame({"id": ids})
        .with_columns(
            stem=text.str.extract(r"^(\D*)"),
            number=text.str.extract(r"(\d+)").cast(pl.UInt64, strict=False),
        )
        .sort("stem", "number", "id", nulls_last=True)["id"]
    )
