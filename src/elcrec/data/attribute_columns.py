"""Columns of item metadata as attributes: distinct texts of each item."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from elcrec.data.id_columns import MISSING
from elcrec.data.markup import unescaped, with_ancestors

TEXTS = pl.List(pl.String)
BLANK = ("", "nan", "NaN")
"""What stands where a title or an id is missing: other words may be one."""
NOTHING = (*MISSING, "-", "--", "---", "–", "—", "?", ".", "...", "…")
"""What stands where an attribute or a number is missing."""
_IN_BRACKETS = r"(?i)^[(\[<{](?:no|not|none|unknown|undefined|empty|blank|missing)\b[^)\]>}]*[)\]>}]$"
"""As in ``(not set)``, ``(no genres listed)`` and ``<unknown>``."""


def is_text(column: pl.Series) -> bool:
    """Whether a column holds texts or categories."""
    return isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum)


def describes(column: pl.Series, untyped: bool) -> bool:
    """Whether a column holds attributes; in delimited files numbers and truth values are text, too."""
    if is_text(column):
        known = as_text(column).drop_nulls()
        number = known.cast(pl.Float64, strict=False).is_not_null() | known.str.to_lowercase().is_in(["true", "false"])
        return not (untyped and number.all())
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        return isinstance(inner, pl.String | pl.Categorical | pl.Enum | pl.Null) or inner.is_numeric()
    return False


def says_something(text: pl.Expr) -> pl.Expr:
    """Whether texts without blanks around them are values; null where a text is null."""
    return ~(text.is_in(NOTHING) | text.str.contains(_IN_BRACKETS))


def as_text(column: pl.Series) -> pl.Series:
    """Values without blanks around them, and without HTML entities; null where there is none."""
    return _where(column, says_something)


def as_titles(column: pl.Series) -> pl.Series:
    """The same of titles, where any word may be one: an item may be called None."""
    return _where(column, lambda text: ~text.is_in(BLANK))


def _where(column: pl.Series, kept: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    text = unescaped(column.cast(pl.String).str.strip_chars())
    return text.to_frame().select(pl.when(kept(pl.col(text.name))).then(text.name).alias(text.name)).to_series()


def as_lists(column: pl.Series) -> pl.Series:
    """The attributes of each item in a column; paths of categories with those above them."""
    return with_ancestors(_as_lists(column))


def _as_lists(column: pl.Series) -> pl.Series:
    if is_text(column):
        stripped = pl.element().str.strip_chars()
        texts = as_text(column).str.split("|").to_frame()
        return texts.select(pl.col(column.name).list.eval(stripped)).to_series()
    column = column.cast(pl.List(column.dtype.inner))  # type: ignore[attr-defined]
    if column.dtype.inner.is_float():  # type: ignore[attr-defined]
        numbers = column.explode().drop_nulls().drop_nans()
        column = column.cast(pl.List(pl.Int64), strict=False) if (numbers % 1 == 0).all() else column
    lists = column.cast(TEXTS)
    if lists.explode().str.contains("&", literal=True).any():
        lists = lists.to_frame().select(pl.col(column.name).list.eval(pl.element().map_batches(unescaped))).to_series()
    return lists


def pairs(ids: pl.Series, columns: list[pl.Series]) -> pl.DataFrame:
    """``item_id`` and ``attribute``: a row for each text of each item in columns of texts or lists of them."""
    parts = [pl.DataFrame({"item_id": ids, "attribute": as_lists(column)}) for column in columns]
    empty = pl.DataFrame(schema={"item_id": ids.dtype, "attribute": TEXTS})
    text = pl.col("attribute").str.strip_chars()
    return pl.concat([empty, *parts]).explode("attribute").with_columns(text).filter(says_something(text)).unique()


def merged(lists: list[pl.Series], height: int) -> pl.Series:
    """The lists of all columns as one a row: distinct, in order, without nothings."""
    if not lists:
        return pl.Series("attributes", [[]] * height, dtype=TEXTS)
    text = pl.element().str.strip_chars()
    return (
        pl.DataFrame([column.alias(f"{number}") for number, column in enumerate(lists)])
        .select(attributes=pl.concat_list(pl.all().fill_null(pl.lit([], dtype=TEXTS))))
        .select(pl.col("attributes").list.eval(text.filter(says_something(text))).list.unique(maintain_order=True))
        .to_series()
    )
