"""Amounts of money and percentages as text: ``$1,249.00``, ``1.249,00 €``, ``CHF 1'249.00``, ``12.5 %``."""

from __future__ import annotations

import polars as pl

from elcrec.data.decimal_commas import each_with_decimal_comma, from_decimal_commas

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
_BOTH_MARKS = r"[0-9],[0-9]{3}\.[0-9]"
_MARKS = "[,'’]"
_CLEAR_POINT = rf"{_MARKS}[0-9]{{3}}\."


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
    if not mark and not known.str.contains(_BOTH_MARKS).any():
        return None
    return _numbers(body, grouped=mark not in ("", "%"))


def each_as_number(text: pl.Series) -> pl.Series:
    """Each text by itself as a number or an amount; null where it is none, or unclear.

    That is what :func:`from_decimal_commas`, else :func:`from_amounts`, makes of a column of this text alone.
    """
    numbers = text.cast(pl.Float64, strict=False)
    odd = text.filter(numbers.is_null() & text.str.contains(_PARTS)).unique()
    if odd.is_empty():
        return numbers
    parts = odd.str.extract_groups(_PARTS).struct
    frame = pl.DataFrame(
        {"text": odd, "body": parts.field("1") + parts.field("3"), "mark": parts.field("2") + parts.field("4")}
    )
    meant = frame.select("text", meant=pl.coalesce(each_with_decimal_comma(pl.col("text")), _each_amount()))
    found = text.alias("text").to_frame().join(meant, on="text", how="left", maintain_order="left")["meant"]
    return numbers.fill_null(found).alias(text.name)


def _each_amount() -> pl.Expr:
    """Of ``text``, its ``body`` and ``mark``, row by row what :func:`from_amounts` reads."""
    body, mark = pl.col("body"), pl.col("mark")
    grouped = ~mark.is_in(["", "%"])
    clear = grouped | body.str.contains(_CLEAR_POINT)
    number = (
        pl.when(grouped & body.str.contains(_ONE_GROUP))
        .then(None)
        .when(grouped & body.str.contains(_POINT_GROUPS))
        .then(_cast(body.str.replace_all(".", "", literal=True)))
        .when(body.str.contains(_PLAIN))
        .then(_cast(body))
        .otherwise(
            pl.coalesce(
                each_with_decimal_comma(body),
                pl.when(clear & body.str.contains(_ENGLISH)).then(_cast(body.str.replace_all(_MARKS, ""))),
            )
        )
    )
    return pl.when((mark != "") | pl.col("text").str.contains(_BOTH_MARKS)).then(number)


def _cast(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Float64, strict=False)


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
    clear = grouped or known.str.contains(_CLEAR_POINT).any()
    return _typed(body.str.replace_all(_MARKS, "")) if clear and known.str.contains(_ENGLISH).all() else None


def _typed(body: pl.Series) -> pl.Series | None:
    numbers = body.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == body.null_count() else None
