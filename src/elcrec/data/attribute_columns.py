"""Columns of item metadata as attributes: distinct texts of each item."""

from __future__ import annotations

import polars as pl

from elcrec.data.id_columns import MISSING
from elcrec.data.markup import unescaped, with_ancestors

TEXTS = pl.List(pl.String)
BLANK = ("", "nan", "NaN")
"""What stands where a title or an id is missing: other words may be one."""
NOTHING = (*MISSING, "-", "--", "---", "–", "—", "?", ".", "...", "…")
"""What stands where an attribute or a number is missing."""
_STATES = "set|listed|given|available|applicable|known|specified|provided|assigned|defined|found"
_IN_BRACKETS = (
    rf"(?i)^[(\[<{{](?:none|unknown|undefined|empty|blank|missing|not (?:{_STATES})|no(?: \w+){{1,2}} (?:{_STATES})"
    r"|no (?:data|value|name|category|brand|information))[)\]>}]$"
)
"""As in ``(not set)``, ``(no genres listed)`` and ``<unknown>``."""
_CODE, LEAST_CODES = "^[A-Z]{2}$", 3


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


def as_text(column: pl.Series, known: pl.Series | None = None) -> pl.Series:
    """Values without blanks around them, and without HTML entities; null where there is none.

    ``NA`` is a value among codes of two capitals: a continent, a country.

    Args:
        column: Texts or categories.
        known: The different texts that a model knows, which are values and decide about ``NA``; None: those at hand.
    """
    text = plain_text(column)
    nothing = _words_for_nothing(text.unique().drop_nulls() if known is None else known)
    says = ~(pl.col(text.name).is_in(nothing) | pl.col(text.name).str.contains(_IN_BRACKETS))
    if known is not None:
        says |= pl.col(text.name).is_in(known.implode())
    return text.to_frame().select(pl.when(says).then(text.name).alias(text.name)).to_series()


def _words_for_nothing(texts: pl.Series) -> list[str]:
    """What stands for a missing value among different texts."""
    codes = texts.filter(~texts.is_in(NOTHING))
    are_codes = len(codes) >= LEAST_CODES and bool(codes.str.contains(_CODE).all())
    return [word for word in NOTHING if word != "NA" or not are_codes]


def plain_text(column: pl.Series) -> pl.Series:
    """Values without blanks around them, and without HTML entities."""
    return unescaped(column.cast(pl.String)).str.strip_chars()


def as_titles(column: pl.Series) -> pl.Series:
    """The same of titles, where any word may be one: an item may be called None."""
    text = plain_text(column)
    return text.to_frame().select(pl.when(~pl.col(text.name).is_in(BLANK)).then(text.name).alias(text.name)).to_series()


def as_lists(column: pl.Series) -> pl.Series:
    """The attributes of each item in a column, each once, in order; paths of categories with those above them."""
    lists = _as_lists(column).alias("text").to_frame().with_row_index("row")
    each = lists.explode("text")
    text = as_text(each["text"])
    kept = (
        each.select("row")
        .with_columns(text)
        .drop_nulls()
        .group_by("row")
        .agg(pl.col("text").unique(maintain_order=True))
    )
    clean = lists.select("row").join(kept, on="row", how="left", maintain_order="left")["text"]
    return with_ancestors(clean.alias(column.name))


def _as_lists(column: pl.Series) -> pl.Series:
    if is_text(column):
        return plain_text(column).str.split("|")
    column = column.cast(pl.List(column.dtype.inner))  # type: ignore[attr-defined]
    if column.dtype.inner.is_float():  # type: ignore[attr-defined]
        numbers = column.explode().drop_nulls().drop_nans()
        column = column.cast(pl.List(pl.Int64), strict=False) if (numbers % 1 == 0).all() else column
    return column.cast(TEXTS)


def pairs(ids: pl.Series, columns: list[pl.Series]) -> pl.DataFrame:
    """``item_id`` and ``attribute``: a row for each text of each item in columns of texts or lists of them."""
    parts = [pl.DataFrame({"item_id": ids, "attribute": as_lists(column)}) for column in columns]
    empty = pl.DataFrame(schema={"item_id": ids.dtype, "attribute": TEXTS})
    return pl.concat([empty, *parts]).explode("attribute").drop_nulls("attribute").unique()


def merged(lists: list[pl.Series], height: int) -> pl.Series:
    """The lists of all columns as one a row: distinct, in order."""
    if not lists:
        return pl.Series("attributes", [[]] * height, dtype=TEXTS)
    return (
        pl.DataFrame([column.alias(f"{number}") for number, column in enumerate(lists)])
        .select(attributes=pl.concat_list(pl.all().fill_null(pl.lit([], dtype=TEXTS))))
        .select(pl.col("attributes").list.unique(maintain_order=True))
        .to_series()
    )
