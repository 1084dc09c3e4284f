"""Columns of item metadata as attributes: distinct texts of each item."""

from __future__ import annotations

import polars as pl

TEXTS = pl.List(pl.String)
# What spreadsheets and pandas write where nothing is known.
NOTHING = ("", "nan", "NaN")


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


def as_text(column: pl.Series) -> pl.Series:
    """Text without blanks around it; null where there is nothing."""
    return (
        column.cast(pl.String)
        .to_frame("text")
        .select(pl.col("text").str.strip_chars())
        .select(pl.when(~pl.col("text").is_in(NOTHING)).then("text"))
        .to_series()
    )


def as_lists(column: pl.Series) -> pl.Series:
    """The attributes of each item in a column."""
    if is_text(column):
        return as_text(column).str.split("|")
    column = column.cast(pl.List(column.dtype.inner))  # type: ignore[attr-defined]
    if column.dtype.inner.is_float():  # type: ignore[attr-defined]
        numbers = column.explode().drop_nulls().drop_nans()
        column = column.cast(pl.List(pl.Int64), strict=False) if (numbers % 1 == 0).all() else column
    return column.cast(TEXTS)


def pairs(ids: pl.Series, columns: list[pl.Series]) -> pl.DataFrame:
    """``item_id`` and ``attribute``: a row for each text of each item in columns of texts or lists of them."""
    parts = [pl.DataFrame({"item_id": ids, "attribute": as_lists(column)}) for column in columns]
    empty = pl.DataFrame(schema={"item_id": ids.dtype, "attribute": TEXTS})
    text = pl.col("attribute").str.strip_chars()
    return pl.concat([empty, *parts]).explode("attribute").with_columns(text).drop_nulls("attribute").unique()


def merged(lists: list[pl.Series], height: int) -> pl.Series:
    """The lists of all columns as one a row: distinct, in order, without nothings."""
    if not lists:
        return pl.Series("attributes", [[]] * height, dtype=TEXTS)
    text = pl.element().str.strip_chars()
    return (
        pl.DataFrame([column.alias(f"{number}") for number, column in enumerate(lists)])
        .select(attributes=pl.concat_list(pl.all().fill_null(pl.lit([], dtype=TEXTS))))
        .select(pl.col("attributes").list.eval(text.filter(~text.is_in(NOTHING))).list.unique(maintain_order=True))
        .to_series()
    )
