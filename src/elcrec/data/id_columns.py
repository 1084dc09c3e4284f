"""Columns of ids: which values are ids, which are missing, and which are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from elcrec.data.ids import BLANKS, MOST_ID_CHARACTERS, nameable
from elcrec.errors import DataError
from elcrec.process.wording import counted, setting

# What programs write where they know nothing.
_SPELT = ("none", "null", "nan", "nil", "undefined")
MISSING = (
    *("", "NA", "N/A", "n/a", "#N/A", "#NA", "\\N", "<NA>", "<null>", "(null)", "[null]", "NaN", "-NaN", "-nan", "NaT"),
    *(spelt for word in _SPELT for spelt in (word, word.upper(), word.capitalize())),
    *("#NULL!", "#VALUE!", "#REF!", "#NAME?", "#DIV/0!"),
)
_BLANK = r"[\s\x{200b}\x{2060}\x{feff}]"
_TOTALS = ("total", "totals", "grand total", "sum", "subtotal", "gesamt", "gesamtergebnis", "summe")
_CODE = "[A-Za-z]?[0-9]+"
_LOOKED_AT = 1000
_LONGEST_FLOAT = 2**53


@dataclass
class ReadContext:
    """What checks of columns need for their messages, and the notes that they take.

    Attributes:
        name: Name of the data, for messages.
        line_of: From a row (from 0) to where it stands: ``line 12``.
        missing: What becomes of rows without a value: ``refuse``, ``drop`` or ``keep``.
        notes: Sentences about what may surprise the caller.
    """

    name: str
    line_of: Callable[[int], str]
    missing: str = "refuse"
    notes: list[str] = field(default_factory=list)

    def where(self, rows: pl.Series) -> str:
        """Where the first rows of a mask stand."""
        return self.line_of(int(rows.arg_true()[0]))

    def keep(self, columns: dict[str, pl.Series], kept: pl.Series) -> None:
        """Leave only rows of a mask in columns; line numbers stay those of the file."""
        row_X, line_of = kept.arg_true(), self.line_of
        self.line_of = lambda row: line_of(int(row_X[row]))
        for role in columns:
            columns[role] = columns[role].filter(kept)

    def note(self, text: str) -> None:
        """Keep a sentence, once."""
        if text not in self.notes:
            self.notes.append(text)


def missing_rows(column: pl.Series, keeps_words: bool) -> pl.Series | None:
    """Which rows have no value: null, NaN or a word for it; None where all have one.

    Args:
        column: As it was read.
        keeps_words: Whether words are values.
    """
    missing = column.is_null() if column.has_nulls() else None
    if column.dtype.is_float() and (nan := column.is_nan().fill_null(False)).any():
        missing = nan if missing is None else missing | nan
    if column.dtype == pl.String:
        words = ("",) if keeps_words else MISSING
        empty = column.str.contains(rf"^{_BLANK}*(?:{'|'.join(map(re.escape, words))}){_BLANK}*$").fill_null(False)
        if empty.any():
            missing = empty if missing is None else missing | empty
    return missing


def as_integers(column: pl.Series) -> pl.Series | None:
    """Text that reads as integers, and prints back the same, as integers; None for any other."""
    first = column[0]
    if first is None or not re.fullmatch(r"-?\d+", first):
        return None
    for kind in (pl.Int64, pl.UInt64):
        numbers = column.cast(kind, strict=False)
        if not numbers.has_nulls():
            return numbers if (numbers.cast(pl.String) == column).all() else None
    return None


def validate_ids(column: pl.Series, untyped: bool, context: ReadContext) -> pl.Series:
    """Integers or text, as they came: the one rule for ids.

    Args:
        column: ``user_id`` or ``item_id`` without missing values.
        untyped: Whether numbers may have come as text.
        context: Takes notes.

    Raises:
        DataError: Values are neither, or could not be named again; with the line.
    """
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_float() or column.dtype.is_decimal():
        column = _whole(column, context)
    if column.dtype in (pl.Int128, pl.UInt128):
        column = _narrowed(column)
    if column.dtype == pl.String:
        column = _stripped(column, context)
        _refuse_unnameable(column, context)
        return _integers_if_faithful(column, context) if untyped else column
    if not column.dtype.is_integer():
        raise DataError(f"{column.name} is of type {column.dtype}: ids are integers or strings, one type a column")
    return column


def _whole(column: pl.Series, context: ReadContext) -> pl.Series:
    """Whole numbers that came as floats or decimals, as integers."""
    longest = 2**24 if column.dtype == pl.Float32 else _LONGEST_FLOAT
    fine = column.is_finite() & (column == column.round(0)) if column.dtype.is_float() else column == column.round(0)
    if not fine.all():
        return column
    if column.dtype.is_float() and not (column.abs() < longest).all():
        rows = column.abs() >= longest
        raise DataError(
            f"{context.name}, {context.where(rows)}: {column.name} is of type {column.dtype} and too large to be "
            f"exact: write ids as integers or strings"
        )
    return column.cast(pl.Int128)


def _narrowed(column: pl.Series) -> pl.Series:
    """Wide integers in a type that every interface has, where they fit."""
    for kind in (pl.Int64, pl.UInt64):
        narrow = column.cast(kind, strict=False)
        if not narrow.has_nulls():
            return narrow
    raise DataError(f"{column.name} holds integers beyond 64 bits: write them as strings")


def _stripped(column: pl.Series, context: ReadContext) -> pl.Series:
    """Text without blanks around it: no interface could tell them apart."""
    stripped = column.str.strip_chars(BLANKS)
    blank = stripped.str.len_bytes() != column.str.len_bytes()
    if not blank.any():
        return column
    ids = counted(int(blank.sum()), "id")
    context.note(f"{column.name}: blanks around {ids} are taken away (the first: {context.where(blank)})")
    return stripped


def _refuse_unnameable(column: pl.Series, context: ReadContext) -> None:
    odd = column.str.contains(r"[\x00-\x1f\x7f]") | (column.str.len_bytes() > MOST_ID_CHARACTERS)
    if not odd.any():
        return
    for row in odd.arg_true().to_list():
        reason = nameable(column[row])
        if reason is not None:
            raise DataError(f"{context.name}, {context.line_of(row)}: {column.name} {column[row][:40]!r}: {reason}")


def _integers_if_faithful(column: pl.Series, context: ReadContext) -> pl.Series:
    """Text that reads as integers and prints back the same becomes integers; ``007`` stays text.

    ``7.0``, which pandas writes for integers in a column with missing values, is 7 where all values are so.
    """
    numbers = as_integers(column)
    if numbers is not None:
        return numbers
    rounded = column.str.contains(r"^-?[0-9](?:\.[0-9]+)?[eE]\+[0-9]+$|^-?[0-9]\.[0-9]+[eE][0-9]+$")
    if rounded.any():
        raise DataError(
            f"{context.name}, {context.where(rounded)}: {column.name} {column.filter(rounded)[0]!r} has lost digits (a "
            f"spreadsheet or a program rounded it): export ids as text"
        )
    first = column[0]
    if (first[:1].isdigit() or first[:1] == "-") and column.str.contains(r"^-?[0-9]+(\.0+)?$").all():
        numbers = as_integers(column.str.replace(r"\.0+$", ""))
        if numbers is not None:
            context.note(f"{column.name}: whole numbers written as floats ({first!r}) are read as integers")
            return numbers
    return column


def refuse_several(column: pl.Series, context: ReadContext, kept: bool) -> None:
    """Raise DataError where values hold lists of ids (``[1, 2]``, ``5,6,7``, ``N1 N2``), or are formulas.

    Args:
        column: ``user_id`` or ``item_id`` without missing values.
        context: Where rows stand.
        kept: Whether the caller says that what looks like a list is an id.
    """
    if column.dtype != pl.String:
        return
    if column[0].startswith('="') and column.str.starts_with('="').all():
        raise DataError(f"{column.name} holds formulas of a spreadsheet, such as {column[0][:40]!r}: export values")
    row = None if kept else _first_list(column)
    if row is not None:
        raise DataError(
            f"{context.name}, {context.line_of(row)}: {column.name} holds lists, such as {column[row][:40]!r}: write "
            f"one event a row, or JSON Lines with lists; if these are ids all the same, "
            f"{setting('lists', 'keep')} takes them"
        )


def _first_list(column: pl.Series) -> int | None:
    """The first row that holds a list, where all rows hold lists or short codes; None elsewhere."""
    if column[0].startswith("[") and column.str.contains(r"^\[.*\]\s*$").all():
        return 0
    # Ids may well have blanks; not all of them are short codes then.
    longer = column.head(_LOOKED_AT).str.contains(rf"^{_CODE}(?:[ ,;]+{_CODE})+$")
    if not longer.any():
        return None
    thousands = column.str.contains(r"^[0-9]{1,3}(?:,[0-9]{3})*$").all()
    codes = column.str.contains(rf"^{_CODE}(?:[ ,;]+{_CODE})*$").all()
    return int(longer.arg_true()[0]) if codes and not thousands else None


def refuse_totals(user: pl.Series, context: ReadContext) -> None:
    """Raise DataError where the last row is a total, as spreadsheets and reports add one."""
    if user.dtype == pl.String and str(user[-1]).strip(" :").lower() in _TOTALS:
        raise DataError(
            f"{context.name}, {context.line_of(len(user) - 1)}: the last row is a total ({user[-1]!r}): remove it"
        )
