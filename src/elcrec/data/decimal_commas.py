"""Numbers that are written with a decimal comma: ``12,99``, ``1.249,00``, ``1 249,00``."""

from __future__ import annotations

import polars as pl

_GROUPED_BY = (r"\.", " ", "\u00a0", "\u202f")
"""What may stand between groups of three digits: a point, a blank, and blanks at which no line ends."""
# A comma with three digits after one to three others may as well divide thousands, as in English.
_CLEAR = r"^[+-]?(?:0|[0-9]{4,}|[0-9]{1,3}[^0-9,+-].*)?,[0-9]+$|,(?:[0-9]{1,2}|[0-9]{4,})$"


def from_decimal_commas(text: pl.Series) -> pl.Series | None:
    """Text with decimal commas as float64; null stays null.

    Args:
        text: Text without blanks around it.

    Returns:
        None where some value is no number of one form, or no value tells that the comma is a decimal one: ``1,249``.
    """
    known = text.drop_nulls()
    if not known.str.contains(_CLEAR).any():
        return None
    for group in _GROUPED_BY:
        if known.str.contains(_form(group)).all():
            plain = text.str.replace_all(group, "").str.replace(",", ".", literal=True)
            numbers = plain.cast(pl.Float64, strict=False)
            return numbers if numbers.null_count() == text.null_count() else None
    return None


def each_with_decimal_comma(text: pl.Expr) -> pl.Expr:
    """Each text by itself, as :func:`from_decimal_commas` reads a column of this text alone."""
    plain = (
        pl.when(text.str.contains(_form(group))).then(
            text.str.replace_all(group, "").str.replace(",", ".", literal=True)
        )
        for group in _GROUPED_BY
    )
    return pl.when(text.str.contains(_CLEAR)).then(pl.coalesce(*plain).cast(pl.Float64, strict=False))


def _form(group: str) -> str:
    """The pattern of numbers with a decimal comma, perhaps with this between groups of three digits."""
    return rf"^[+-]?(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]*)(?:,[0-9]+)?$"
