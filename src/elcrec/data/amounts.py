"""Amounts of money and percentages as text: ``$1,249.00``, ``1.249,00 €``, ``CHF 1'249.00``, ``12.5 %``."""

from __future__ import annotations

import polars as pl

from elcrec.data.decimal_commas import from_decimal_commas

_CODES = (
    "AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NOK|NZD|PHP|PLN|RON"
    "|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_MONEY = rf"(?:(?:US|CA|C|A|AU|NZ|HK|S|R|NT)?\p{{Sc}}|{_CODES}|Rs\.?|kr\.?|zł|Kč|Ft|lei)"
_PARTS = rf"^([+-]?)\s*({_MONEY}?)\s*([+-]?[0-9.,][0-9.,'’\s]*?)\s*({_MONEY}|%|)$"
_PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$"
_ENGLISH = r"^[+-]?(?:[1-9][0-9]{0,2}(?:[,'’][0-9]{2,3})*[,'’][0-9]{3}|[0-9]+)(?:\.[0-9]*)?$"
_POINT_GROUPS = r"^[+-]?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[0-9]{1,3})$"
_ONE_GROUP = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
"""As well a fraction as thousands."""


def from_amounts(text: pl.Series) -> pl.Series | None:
    """Text of amounts as float64; null stays null.

    All have the same currency or the percent sign, at the same side, and one form of number: in English, with a
    decimal comma, or with groups of three digits, which are thousands where there is a currency. Without either,
    a value must have both marks, ``1,249.00``.

    Args:
        text: Text without blanks around it.

    Returns:
        None where some value is no such amount, or none tells its form.
    """
    known = text.drop_nulls()
    if known.is_empty() or not known.str.contains(_PARTS).all():
        return None
    groups = text.str.extract_groups(_PARTS).struct
    marks = pl.DataFrame({"before": groups.field("2"), "after": groups.field("4")}).drop_nulls().unique()
    if len(marks) > 1:
        return None
    mark = "".join(marks.row(0))
    body = (groups.field("1") + groups.field("3")).alias(text.name)
    if not mark and not known.str.contains(r"[0-9],[0-9]{3}\.[0-9]").any():
        return None
    return _numbers(body, grouped=mark not in ("", "%"))


def each_as_number(text: pl.Series) -> pl.Series:
    """Each text by itself as a number or an amount; null where it is none, or unclear."""
    numbers = text.cast(pl.Float64, strict=False)
    odd = text.filter(numbers.is_null() & text.str.contains(_PARTS)).unique()
    if odd.is_empty():
        return numbers
    meant = pl.DataFrame({"text": odd, "meant": [_alone(odd[at : at + 1]) for at in range(len(odd))]})
    found = text.alias("text").to_frame().join(meant, on="text", how="left", maintain_order="left")["meant"]
    return numbers.fill_null(found).alias(text.name)


def _alone(text: pl.Series) -> float | None:
    found = from_decimal_commas(text)
    found = from_amounts(text) if found is None else found
    return None if found is None else float(found[0])


def _numbers(body: pl.Series, grouped: bool) -> pl.Series | None:
    """The numbers of one form; groups of three digits are thousands where ``grouped``, if all may be such."""
    known = body.drop_nulls()
    if grouped and known.str.contains(_POINT_GROUPS).all():
        return None if known.str.contains(_ONE_GROUP).all() else _typed(body.str.replace_all(".", "", literal=True))
    if known.str.contains(_PLAIN).all():
        return _typed(body)
    commas = from_decimal_commas(body)
    if commas is not None:
        return commas
    clear = grouped or known.str.contains(r"[,'’][0-9]{3}\.").any()
    return _typed(body.str.replace_all("[,'’]", "")) if clear and known.str.contains(_ENGLISH).all() else None


def _typed(body: pl.Series) -> pl.Series | None:
    numbers = body.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == body.null_count() else None
