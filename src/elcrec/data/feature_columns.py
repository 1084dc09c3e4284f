"""Columns of metadata, of items or users, that a model can learn from: categories, numbers, texts and vectors.

The type of a column tells its kind: lists of text are categories, float64 is a number, datetime is a moment, text is
text, and lists of float32 are vectors.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from elcrec.data.amounts import each_as_number
from elcrec.data.attribute_columns import TEXTS, as_lists, as_text, describes, is_text
from elcrec.data.markup import are_paths
from elcrec.data.words import UNSPACED
from elcrec.errors import DataWarning
from elcrec.process.warning import warn

NUMBER, TEXT, VECTOR = pl.Float64(), pl.String(), pl.List(pl.Float32)
MOMENT = pl.Datetime("ms")
"""A date, too. A model learns its seconds since 1970 as a number."""
TEXT_WORDS = 4
"""Texts of so many words on average, most of them distinct, are read word by word."""
VECTOR_SIZE = 8
"""Lists of so many fractions or more, most of them of one length, are vectors."""
FEW_NUMBERS, FEW_TEXTS = 10, 3
"""So many different numbers may be names, such as sizes; more different texts are values, not words for nothing."""
CODE_LENGTH = 4
"""Numbers that all have as many digits or more may be codes, such as years and postcodes."""
CODES = ("id", "code", "category", "type", "brand", "genre")
"""A whole number in a column whose name ends like this is a category: it measures nothing."""
LEAST_SECONDS = 1e8
"""Most dates are so far from 1970, three years, or farther; most prices, sizes and years are less."""
_LAST_WORD = re.compile(r"(?:[A-Z]+|[A-Z]?[^\W\d_A-Z]+)(?=[\W\d_]*$)")
_NO_CODE = re.compile(
    r".*paid|(?:max|min|avg|top|first|last|start|open|win|(?:start|open|winn)ing|current|high|low|highest|lowest"
    r"|un|re|over|under|out)?bid|acid|antacid|android|arid|avoid|braid|centroid|covid|fluid|grid|humid|hybrid|(?:is|in)?valid"
    r"|liquid|lipid|orchid|plaid|polaroid|pyramid|raid|rapid|rigid|solid|squid|steroid|asteroid|vivid|void"
)
"""Words that end like a name of codes, and name none, as in ``price_paid`` and ``maxBid``; ``aid`` names some."""


def feature_columns(columns: list[pl.Series], untyped: bool, titles: pl.Series | None = None) -> list[pl.Series]:
    """The columns that a model can learn from; those without any value are left out.

    Args:
        columns: All but ids and titles.
        untyped: Whether numbers and truth values are text, as in delimited files.
        titles: Titles of items, which are texts.
    """
    for column in columns if untyped else ():
        _warn_of_texts_among_numbers(column)
    found = [titles, *(_feature(column, untyped) for column in columns)]
    return [column for column in found if column is not None and column.null_count() < len(column)]


def _warn_of_texts_among_numbers(column: pl.Series) -> None:
    """Say where a few texts make a column of numbers categories; codes, years and sizes are such."""
    if not is_text(column) or _names_codes(column):
        return
    known = as_text(column).drop_nulls()
    is_number = known.cast(pl.Float64, strict=False).is_not_null()
    numbers, others = known.filter(is_number), known.filter(~is_number)
    if not 0 < 2 * len(others) <= len(known) or others.n_unique() > FEW_TEXTS or numbers.n_unique() <= FEW_NUMBERS:
        return
    sizes = numbers.str.len_chars().unique()
    if numbers.str.contains(r"^[+-]?0[0-9]").any() or (len(sizes) == 1 and sizes[0] >= CODE_LENGTH):
        return
    warn(
        f"{column.name!r} is read as categories: {len(others):,} of the {len(known):,} values are no numbers, such as "
        f"{others[0][:40]!r}; if it measures something, leave such values empty",
        DataWarning,
    )


def featureless(columns: list[pl.Series], features: list[pl.Series]) -> dict[str, str]:
    """Why nothing can be learned from the columns that are none of the features: in words, by name."""
    found = {column.name for column in features}
    return {column.name: _without_values(column) for column in columns if column.name not in found}


def _without_values(column: pl.Series) -> str:
    read = describes(column, untyped=False) or column.dtype == pl.Boolean or _is_measure(column.dtype)
    return "no value" if read or column.null_count() == len(column) else f"of type {_type_name(column.dtype)}"


def _type_name(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List | pl.Array):
        return f"list of {_type_name(dtype.inner)}"  # type: ignore[arg-type]
    return str(dtype.base_type()).lower()


def why_useless(column: pl.Series) -> str:
    """Why the values of a column of features make no feature: in words."""
    values = (column.explode() if column.dtype == TEXTS else column).drop_nulls()
    if values.n_unique() <= 1:
        return "no value" if values.is_empty() else "one value"
    if column.dtype in (NUMBER, MOMENT):
        return "mostly one value"
    return "all values differ" if values.n_unique() == len(values) else "values too rare"


def is_vector(column: pl.Series) -> bool:
    """Whether a column holds vectors: lists of numbers, not all whole, and long ones; see :func:`vector_size`."""
    if not isinstance(column.dtype, pl.List | pl.Array) or not column.dtype.inner.is_float():
        return False
    lists = column.cast(pl.List(column.dtype.inner)).drop_nulls()
    size, sizes = vector_size(lists), lists.list.len()
    if size < VECTOR_SIZE or 2 * (sizes == size).sum() <= (sizes > 0).sum():
        return False
    return not (_are_whole(lists.head(100)) and _are_whole(lists))  # the first ones tell, mostly


def vector_size(column: pl.Series) -> int:
    """The most frequent length of the lists in a column, of several the longest; empty ones do not count."""
    sizes = column.list.len()
    return int(sizes.filter(sizes > 0).mode().max() or 0)  # type: ignore[arg-type]


def _are_whole(lists: pl.Series) -> bool:
    numbers = lists.explode()
    return bool((numbers.filter(numbers.is_finite()) % 1 == 0).all())


def vectors_in(column: pl.Series, size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Places of the items that have a vector of this length without gaps, [X], and those vectors, float32 [X, P]."""
    place_X = np.flatnonzero((column.list.len() == size).fill_null(False).to_numpy())
    numbers = column[place_X].explode() if len(place_X) else pl.Series(dtype=pl.Float32)
    vector_XP = numbers.cast(pl.Float32).fill_null(float("nan")).to_numpy().reshape(-1, size)
    whole_X = np.isfinite(vector_XP.sum(axis=1, dtype=np.float64))
    return (place_X, vector_XP) if whole_X.all() else (place_X[whole_X], vector_XP[whole_X])


def _feature(column: pl.Series, untyped: bool) -> pl.Series | None:
    """A column as what its kind of values is; None where there is nothing to learn from it."""
    if is_vector(column):
        return whole_vectors(column.cast(VECTOR))
    if untyped and is_text(column) and not describes(column, untyped):
        text = as_text(column)
        if (codes := _codes(text)) is not None:
            return as_lists(codes)
        column = _typed(text).alias(column.name)
    if column.dtype == pl.Boolean:
        return as_lists(column.cast(pl.String).str.to_lowercase())
    if _is_measure(column.dtype):
        return _number(column)
    return _of_text(column) if describes(column, untyped) else None


def whole_vectors(column: pl.Series) -> pl.Series:
    """The vectors without gaps, of any length: a model says which length it knows."""
    frame = column.alias("vector").to_frame()
    whole = pl.col("vector").list.eval(pl.element().is_finite().fill_null(False)).list.all()
    held = whole & (pl.col("vector").list.len() > 0)
    return frame.select(pl.when(held).then("vector").alias(column.name)).to_series()


def _of_text(column: pl.Series) -> pl.Series:
    """Texts as words or as categories; lists as categories."""
    prose = is_text(column) and _is_prose(as_text(column))
    return as_text(column) if prose else as_lists(column)


def _is_moment(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Date | pl.Datetime)


def _is_measure(dtype: pl.DataType) -> bool:
    return _is_moment(dtype) or dtype.is_numeric()


def _codes(text: pl.Series) -> pl.Series | None:
    """Whole numbers that name something, as they are written but for a fraction of 0; None for any others.

    Leading zeros say so as well as the name of the column does: a number that measures something has none.
    """
    if not text.drop_nulls().str.contains(r"^[+-]?[0-9]+(?:\.0*)?$").all():
        return None
    if not (_names_codes(text) or text.str.contains(r"^[+-]?0[0-9]").any()):
        return None
    return text.str.replace(r"\.0*$", "").str.strip_prefix("+")


def _names_codes(column: pl.Series) -> bool:
    """Whether whole numbers in a column name something, by the name of the column."""
    word = _LAST_WORD.search(column.name)
    return column.name.lower().endswith(CODES) and not (word and _NO_CODE.fullmatch(word[0].lower()))


def _typed(text: pl.Series) -> pl.Series:
    """Numbers, or texts of truth values, that were read as text."""
    number = text.cast(NUMBER, strict=False)
    return number if number.null_count() == text.null_count() else text.str.to_lowercase() == "true"


def _number(column: pl.Series) -> pl.Series:
    """Numbers, and moments; whole numbers that name something as categories."""
    if _is_moment(column.dtype):
        return column.cast(MOMENT)
    number = column.cast(NUMBER)
    number = number.set(~number.is_finite(), None)
    whole = bool((number.drop_nulls() % 1 == 0).all())
    if whole and _names_codes(column):
        exact = column if column.dtype.is_integer() else number.cast(pl.Int64, strict=False)
        return as_lists(exact.cast(pl.String))
    return number


def _nothing(like: pl.Series, kind: pl.DataType) -> pl.Series:
    return pl.Series(like.name, [None] * len(like), dtype=kind)


def as_kind(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """A column of features as one of another kind, null where a value is none of that kind."""
    if column.dtype == kind:
        return column
    if kind == NUMBER and column.dtype == MOMENT:
        return column.dt.epoch("s").cast(NUMBER)
    if kind in (VECTOR, MOMENT) or column.dtype in (VECTOR, MOMENT):
        return _nothing(column, kind)
    text = column.list.join("|") if column.dtype == TEXTS else _written(column)
    if kind == NUMBER:
        number = each_as_number(text)
        return number.set(~number.is_finite(), None)
    return text if kind == TEXT else as_lists(text)


def _written(column: pl.Series) -> pl.Series:
    """Whole numbers as text, without a fraction; others measure something, and are null. Texts are as they are."""
    if column.dtype == TEXT:
        return column
    whole = column.cast(pl.Int64, strict=False)
    text = pl.DataFrame({"text": whole.cast(pl.String), "same": whole == column})
    return text.select(pl.when("same").then("text")).to_series().alias(column.name)


def are_seconds(numbers: pl.Series) -> bool:
    """Whether most numbers look like seconds since 1970, or before.

    Runs of before moments were kept as such know dates as these, and say nothing of it.
    """
    return float(numbers.abs().median() or 0) > LEAST_SECONDS  # type: ignore[arg-type]


def _is_prose(text: pl.Series) -> bool:
    known = text.drop_nulls()
    if known.is_empty() or known.n_unique() * 2 <= len(known) or are_paths(known):
        return False
    ends = known.str.count_matches(rf"\s+|[{UNSPACED}]{{2}}")  # without spaces two characters count as a word
    return float(ends.mean() or 0) + 1 >= TEXT_WORDS  # type: ignore[arg-type]
