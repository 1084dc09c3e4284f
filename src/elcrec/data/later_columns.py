"""Columns of metadata that come after a training, read as what the training held: the file at hand decides nothing.

A few rows tell less of a column than all did: whether ``NA`` is a country, lists of whole numbers are vectors, or
``7.5`` is a size. So each value is read by itself, and is null where it is none of the kind that the model knows. Any
text or number is a category where the training had some.
"""

from __future__ import annotations

import polars as pl

from elcrec.data.attribute_columns import TEXTS, as_text, describes, is_text, plain_text
from elcrec.data.feature_columns import MOMENT, NUMBER, VECTOR, VECTOR_SIZE, are_seconds, as_kind, whole_vectors
from elcrec.data.markup import paths_without_blanks, with_ancestors
from elcrec.data.written_columns import each_as_moment, each_as_vector

_WHOLE, _FRACTION_OF_0 = r"^\+?(-?[0-9]+)(?:\.0*)?$", r"^[+-]?[0-9]+\.0*$"


def as_known(written: pl.Series, own: pl.Series | None, known: pl.Series) -> pl.Series:
    """A later column as features of the kind that a model knows, null where a value is none of that kind.

    Args:
        written: Its values as they came.
        own: What they are without a model, see :mod:`elcrec.data.feature_columns`; None: nothing.
        known: The features of the model in this column, of any items or users.
    """
    own = pl.Series(written.name, [None] * len(written), dtype=known.dtype) if own is None else own
    if known.dtype == TEXTS:
        return _categories(written, own, known)
    if own.dtype == known.dtype:
        return own
    if known.dtype == VECTOR:
        return _vectors(written, own)
    if known.dtype == NUMBER:
        return _numbers(written, own, known)
    if not is_text(written):
        return as_kind(own, known.dtype)
    text = as_text(written)
    return each_as_moment(text) if known.dtype == MOMENT else text


def _numbers(written: pl.Series, own: pl.Series, known: pl.Series) -> pl.Series:
    """Numbers; dates are some, too, where what the model knows looks like seconds since 1970."""
    text = as_text(written) if is_text(written) else None
    if text is not None:
        number, moment = as_kind(text, NUMBER), each_as_moment(text)
    elif own.dtype == MOMENT:
        number, moment = pl.Series(own.name, [None] * len(own), dtype=NUMBER), own
    else:
        return as_kind(own, NUMBER)
    return number.fill_null(as_kind(moment, NUMBER)) if are_seconds(known) else number


def _vectors(written: pl.Series, own: pl.Series) -> pl.Series:
    """Lists of numbers, also whole ones, as vectors."""
    if is_text(written):
        return whole_vectors(each_as_vector(as_text(written)).cast(VECTOR))
    if isinstance(written.dtype, pl.List | pl.Array) and written.dtype.inner.is_numeric():
        return whole_vectors(written.cast(VECTOR))
    return as_kind(own, VECTOR)


def _categories(written: pl.Series, own: pl.Series, known: pl.Series) -> pl.Series:
    """The categories of each row in the spelling of the model, each once, in order, paths with those above them."""
    each = _each_text(written)
    if each is None:
        return as_kind(own, TEXTS)
    lists = (
        each.join(_spelt(each["text"].unique().drop_nulls(), known), on="text", maintain_order="left")
        .drop_nulls("spelt")
        .group_by("row")
        .agg(pl.col("spelt").unique(maintain_order=True))
    )
    rows = pl.DataFrame({"row": pl.int_range(len(written), dtype=pl.UInt32, eager=True)})
    found = rows.join(lists, on="row", how="left", maintain_order="left")["spelt"]
    return with_ancestors(found.alias(written.name), paths_without_blanks(known))


def _each_text(written: pl.Series) -> pl.DataFrame | None:
    """``row`` and ``text`` of all that a column says, as it is written; None where its type is read otherwise.

    A row that is a vector says nothing.
    """
    if is_text(written):
        text = plain_text(written)
        text = text.set(_are_vectors(each_as_vector(text)), None).str.split("|")
    elif describes(written, untyped=False):
        lists = written.cast(pl.List(written.dtype.inner))  # type: ignore[attr-defined]
        lists = lists.set(_are_vectors(lists), None) if lists.dtype.inner.is_float() else lists  # type: ignore[attr-defined]
        text = lists.cast(TEXTS)
    elif written.dtype.is_numeric() or written.dtype in (pl.Boolean, pl.Date):
        text = written.cast(pl.String)
        if written.dtype.is_float():  # as text 1e16 is no whole number
            whole = written.cast(pl.Int64, strict=False)
            text = text.zip_with((whole != written).fill_null(True), whole.cast(pl.String) + ".0")
    else:
        return None
    each = text.alias("text").to_frame().with_row_index("row")
    return each.explode("text") if text.dtype == TEXTS else each


def _are_vectors(lists: pl.Series) -> pl.Series:
    """Which lists of numbers are vectors by themselves: long ones, not of whole numbers alone."""
    fractions = pl.element().is_finite() & (pl.element() % 1 != 0)
    long = pl.col("list").list.len() >= VECTOR_SIZE
    some = pl.col("list").list.eval(fractions).list.any()
    return lists.alias("list").to_frame().select((long & some).fill_null(False)).to_series()


def _spelt(texts: pl.Series, known: pl.Series) -> pl.DataFrame:
    """``text`` and ``spelt``, as the model writes it; whole numbers that it does not know as it writes others.

    Args:
        texts: Different ones.
        known: The categories of the model.
    """
    ours = known.explode().drop_nulls().unique()
    truths = {text.lower(): text for text in ours if text.lower() in ("true", "false")}
    clean, whole = pl.col("clean"), pl.col("clean").str.extract(_WHOLE)
    without_fraction = not ours.str.contains(_FRACTION_OF_0).any()
    return pl.DataFrame({"text": texts, "clean": as_text(texts, ours)}).select(
        "text",
        spelt=pl.when(clean.is_in(ours.implode()))
        .then(clean)
        .when(clean.str.to_lowercase().is_in([*truths]))
        .then(clean.str.to_lowercase().replace(truths))
        .when(whole.is_not_null() & (whole.is_in(ours.implode()) | without_fraction))
        .then(whole)
        .otherwise(clean),
    )
