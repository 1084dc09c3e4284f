"""What stands for an item that has no title: its most specific text."""

from __future__ import annotations

import polars as pl

from elcrec.data.attribute_columns import TEXTS

LEAST_KNOWN = 0.5
MOST_LISTS = 0.1
"""With more lists of several texts a column holds tags and no name."""
MOST_LETTERS = 80
"""A longer text, by the median, describes an item and does not name it."""


def most_specific(features: pl.DataFrame) -> pl.Series | None:
    """The column of words with the most distinct values; None where there is none.

    Such a column has one text for most items, which reads as words (``APPLE SAUCE``, and neither ``22 OUNCES`` nor
    an address), and at least two values.

    Args:
        features: See :mod:`elcrec.data.feature_columns`.
    """
    texts = [text for column in features.get_columns() if (text := _single(column)) is not None and _names(text)]
    return max(texts, key=pl.Series.n_unique, default=None)


def _single(column: pl.Series) -> pl.Series | None:
    """The text of each item; None for a column of anything else, or of several texts an item."""
    if column.dtype == pl.String:
        return column
    if column.dtype != TEXTS or (column.list.len() > 1).mean() > MOST_LISTS:  # type: ignore[operator]
        return None
    return column.list.join(", ")


def _names(text: pl.Series) -> bool:
    known = text.drop_nulls()
    if len(known) < LEAST_KNOWN * len(text) or known.n_unique() < 2:
        return False
    frame = known.to_frame("text").select(
        letters=pl.col("text").str.count_matches(r"[\p{L}\p{M}]"),
        size=pl.col("text").str.len_chars(),
        number=pl.col("text").str.contains(r"^[\d.]"),
        address=pl.col("text").str.contains(r"://|^www\.|^/|@"),
    )
    words = frame.filter((pl.col("letters") * 2 > pl.col("size")) & ~pl.col("number") & ~pl.col("address"))
    short: float = frame["size"].median()  # type: ignore[assignment]
    return len(words) * 2 >= len(frame) and short <= MOST_LETTERS
