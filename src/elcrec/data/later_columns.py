"""Columns of metadata that come after a training, read as what the training held: the file at hand decides nothing.

A few rows tell less of a column than all did: whether ``NA`` is a country, lists of whole numbers are vectors, or
``7.5`` is a size. So each value is read by itself, and is null where it is none of the kind that the model knows.
"""

from __future__ import annotations

import polars as pl

from elcrec.data.attribute_columns import TEXTS, as_text, describes, is_text, plain_text
from elcrec.data.feature_columns import MOMENT, NUMBER, TEXT, VECTOR, as_kind, whole_vectors
from elcrec.data.markup import paths_without_blanks, with_ancestors
from elcrec.data.written_columns import each_as_moment, each_as_vector

_WHOLE = r"^\+?(-?[0-9]+)(?:\.0*)?$"


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
    if own.dtype in (known.dtype, MOMENT):
        return as_kind(own, known.dtype)
    if known.dtype == VECTOR:
        return _vectors(written, own)
    if not is_text(written):
        return as_kind(own, known.dtype)
    text = as_text(written)
    if known.dtype == MOMENT:
        return each_as_moment(text)
    return text if known.dtype == TEXT else as_kind(text, NUMBER)


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
    spelt = _spelt(each["text"].unique().drop_nulls(), known.explode().drop_nulls().unique(), own.dtype)
    lists = (
        each.join(spelt, on="text", maintain_order="left")
        .drop_nulls("spelt")
        .group_by("row")
        .agg(pl.col("spelt").unique(maintain_order=True))
    )
    rows = pl.DataFrame({"row": pl.int_range(len(written), dtype=pl.UInt32, eager=True)})
    found = rows.join(lists, on="row", how="left", maintain_order="left")["spelt"]
    return with_ancestors(found.alias(written.name), paths_without_blanks(known))


def _each_text(written: pl.Series) -> pl.DataFrame | None:
    """``row`` and ``text`` of all that a column says, as it is written; None where its type is read otherwise."""
    if is_text(written):
        text = plain_text(written).str.split("|")
    elif describes(written, untyped=False):
        text = written.cast(TEXTS)
    elif written.dtype.is_numeric() or written.dtype in (pl.Boolean, pl.Date):
        text = written.cast(pl.String)
    else:
        return None
    each = text.alias("text").to_frame().with_row_index("row")
    return each.explode("text") if text.dtype == TEXTS else each


def _spelt(texts: pl.Series, known: pl.Series, own: pl.DataType) -> pl.DataFrame:
    """``text`` and ``spelt``, as the model writes it.

    Args:
        texts: Different ones.
        known: The different texts of the model.
        own: What the column is without the model: of texts and whole numbers any is a category, of others known ones.
    """
    truths = {text.lower(): text for text in known if text.lower() in ("true", "false")}
    clean, ours = pl.col("clean"), known.implode()
    whole, number = clean.str.extract(_WHOLE), clean.cast(NUMBER, strict=False)
    as_whole = number.cast(pl.Int64, strict=False)
    unknown = {
        TEXTS: clean,
        TEXT: clean,
        NUMBER: pl.coalesce(whole, pl.when(as_whole == number).then(as_whole.cast(pl.String))),
    }
    return pl.DataFrame({"text": texts, "clean": as_text(texts, known)}).select(
        "text",
        spelt=pl.when(clean.is_in(ours))
        .then(clean)
        .when(clean.str.to_lowercase().is_in([*truths]))
        .then(clean.str.to_lowercase().replace(truths))
        .when(whole.is_in(ours))
        .then(whole)
        .otherwise(unknown.get(own, pl.lit(None, TEXT))),
    )


def are_attributes(written: pl.Series, own: bool, known: pl.Series) -> bool:
    """Whether the values of a later column are attributes, as those of the training.

    Args:
        written: Its values as they came.
        own: Whether they are attributes without a model.
        known: The features of the model in this column.
    """
    if known.dtype not in (TEXTS, TEXT):
        return False
    texts = known.explode() if known.dtype == TEXTS else known
    return own or (is_text(written) and describes(texts, untyped=True))
