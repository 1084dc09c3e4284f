"""Columns of item metadata that hold dates, vectors, amounts or numbers with a decimal comma as text."""

from __future__ import annotations

import polars as pl

from elcrec.data.amounts import from_amounts
from elcrec.data.attribute_columns import as_text, is_text
from elcrec.data.decimal_commas import from_decimal_commas
from elcrec.data.feature_columns import MOMENT, is_vector
from elcrec.data.time_text import each_time, parse_times
from elcrec.errors import DataError

# Forms in which each value alone says what is the day and what the month.
_DATE = (
    r"^(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|(?:[A-Za-z]{3,9},? ?)?[0-9]{1,2}[-/ ][A-Za-z]{3}"
    r"|(?:[A-Za-z]{3,9},? )?[A-Za-z]{3,9}\.? +[0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4})"
)
_ZONED = r":[0-9]{2}.*(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_NUMBER = r"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|null|none|[+-]?inf)"
_BETWEEN = r"(?:\s*[,;|]\s*|\s+)"
_VECTOR = rf"(?i)^\s*(?:\[\s*\]|\[?\s*{_NUMBER}(?:{_BETWEEN}{_NUMBER})+\s*\]?)\s*$"


def as_meant(column: pl.Series, decimal_commas: bool = False) -> pl.Series:
    """A column of text that holds dates, vectors, amounts or numbers with a decimal comma alone, as such.

    Args:
        column: Any column; others are returned as they came.
        decimal_commas: Whether a comma may be a decimal one; see :class:`elcrec.data.raw.RawTable`.
    """
    if not is_text(column):
        return column
    text = as_text(column)
    known = text.drop_nulls()
    if known.is_empty():
        return column
    found = _moments(text, known) if known.str.contains(_DATE).all() else _vectors(text, known)
    if found is None and decimal_commas:
        found = from_decimal_commas(text)
    if found is None:
        found = from_amounts(text)
    return column if found is None else found


def _moments(text: pl.Series, known: pl.Series) -> pl.Series | None:
    """Moments, in UTC where some value names a zone; None where one value cannot be read."""
    zoned = known.str.contains(_ZONED)
    if zoned.any():
        known = (known + "Z").zip_with(~zoned, known)
    try:
        moments = parse_times(known, None, str, "")
    except DataError:
        return None
    place = text.is_not_null().arg_true()
    return pl.Series(text.name, [None] * len(text), dtype=moments.dtype).scatter(place, moments)


def each_as_moment(text: pl.Series) -> pl.Series:
    """Each text by itself as a moment, in UTC where it names a zone; null where it is none for sure."""
    return each_time(text.set(~text.str.contains(_DATE), None)).cast(MOMENT).alias(text.name)


def _vectors(text: pl.Series, known: pl.Series) -> pl.Series | None:
    """``[0.1, 0.2]``, ``0.1|0.2`` and ``[0.1 0.2]`` as lists of fractions; None where most values are no vectors.

    The other values become lists of other lengths, or of gaps.
    """
    if 2 * int(known.str.contains(_VECTOR).sum()) <= len(known):
        return None
    vectors = _lists_of_numbers(text)
    return vectors if is_vector(vectors) else None


def each_as_vector(text: pl.Series) -> pl.Series:
    """Each text by itself as a list of fractions; null where it is none."""
    return _lists_of_numbers(text.set(~text.str.contains(_VECTOR), None))


def _lists_of_numbers(text: pl.Series) -> pl.Series:
    numbers = pl.element().cast(pl.Float64, strict=False)
    inner = text.str.strip_chars("[] \t\r\n").str.replace_all(r"[,;|\s]+", " ")
    parts = inner.str.split(" ").to_frame(text.name)
    empty = pl.lit([], dtype=pl.List(pl.Float64))
    lists = pl.when(pl.lit(inner) == "").then(empty).otherwise(pl.col(text.name).list.eval(numbers))
    return parts.select(lists.alias(text.name)).to_series()
