"""Delimited text: columns of text, with the line number of each row."""

from __future__ import annotations

import csv
import io
import mmap
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal

import polars as pl

from elcrec.data.columns import canonical, sounds_like_clock
from elcrec.data.dialect import BLANKS, SEPARATOR_NAMES, Dialect, records, sniff_dialect
from elcrec.data.encodings import (
    Text,
    as_latin,
    decoded_head,
    refuse_binary,
    refuse_mixed_line_ends,
    text_lines,
    text_of,
)
from elcrec.data.opening import Piece
from elcrec.data.raw import RawTable, ReadOptions, reading
from elcrec.errors import DataError
from elcrec.process.wording import argument, counted

_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?([+-]\d{2}:?\d{2}|Z)?")
_ENDINGS = {"csv": ".csv", "tsv": ".tsv"}
Quoted = bool | Literal["mixed"]
"""Whether quotes enclose fields: no, yes, or in some lines only, so that each must be looked at."""


def read_delimited(piece: Piece, options: ReadOptions) -> RawTable:
    """A file of delimited text; where it is not UTF-8, plain letters are read all the same."""
    text = text_of(piece, options)
    try:
        return _delimited(text, options)
    except pl.exceptions.ComputeError as error:
        if "utf-8" not in str(error).lower() or text.guessed:
            raise
        return _delimited(as_latin(piece), options)


def _delimited(text: Text, options: ReadOptions) -> RawTable:
    piece = text.piece
    head = decoded_head(piece, None)
    refuse_binary(piece, head)
    ending = _ENDINGS.get(options.format or "", piece.ending)
    dialect = sniff_dialect(piece.name, head, ending, options)
    quoted = _is_quoted(piece, dialect)
    line_of = _Lines(piece, dialect, quoted is not False)
    frame = _without_blank_rows(_rows(piece, dialect, quoted, line_of))
    notes = _notes_on_head(piece.name, dialect, options)
    if len(dialect.names) > 1 and len(frame):
        _refuse_rule(frame, line_of, piece.name)
        line_of.refuse_repeated_header(frame, piece.name)
        if dialect.by_polars and not quoted and frame[frame.columns[-1]].has_nulls():
            notes += _short_lines(piece, dialect)
    return RawTable(
        frame.lazy(),
        piece.name,
        format="tsv" if dialect.separator == "\t" else "csv",
        separator=SEPARATOR_NAMES.get(dialect.separator, dialect.separator),
        encoding=text.encoding,
        compression=piece.compression,
        header=dialect.header,
        line_of=line_of,
        guessed=text.guessed,
        notes=tuple(notes),
    )


def _rows(piece: Piece, dialect: Dialect, quoted: Quoted, line_of: _Lines) -> pl.DataFrame:
    if quoted == "mixed":
        return _by_csv_module(piece, dialect)
    if dialect.by_polars:
        return _by_polars(piece, dialect, quoted, line_of)
    return _split_lines(piece, dialect, line_of)


def _notes_on_head(name: str, dialect: Dialect, options: ReadOptions) -> list[str]:
    """What to say about lines that are left out above the rows."""
    notes = []
    if dialect.comments:
        notes.append(f"{name}: {dialect.comments} lines that begin with # are left out")
    if options.columns is not None and dialect.header:
        notes.append(f"{name}: its header is left out, {argument('columns')} names the columns")
    return notes


def _by_polars(piece: Piece, dialect: Dialect, quoted: Quoted, line_of: _Lines) -> pl.DataFrame:
    try:
        return pl.scan_csv(
            piece.source(),
            separator=dialect.separator,
            quote_char='"' if quoted else None,
            has_header=False,
            skip_lines=dialect.skipped,
            schema=dict.fromkeys(dialect.names, pl.String),
            missing_columns="insert",
            raise_if_empty=False,
        ).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        if "utf-8" not in str(error).lower():
            line_of.refuse_ragged(fewer=True)
            refuse_mixed_line_ends(piece)
        raise


def _is_quoted(piece: Piece, dialect: Dialect) -> Quoted:
    if not dialect.by_polars or not _holds_quotes(piece):
        return False
    separator = re.escape(dialect.separator)
    cell = rf'(?:[^"{separator}]*|"(?:[^"]|"")*")'
    lines = text_lines(piece.source()).slice(dialect.skipped).filter(pl.col("line").str.contains('"', literal=True))
    odd = (
        lines.filter(~pl.col("line").str.strip_chars("\r").str.contains(rf"^{cell}(?:{separator}{cell})*$"))
        .head(1)
        .collect(engine="streaming")
    )
    if odd.is_empty():
        return True
    # In tab-separated text a quote within a field is a quote, and so are all others.
    return False if dialect.separator == "\t" else "mixed"


def _holds_quotes(piece: Piece) -> bool:
    if isinstance(piece.data, bytes):
        return b'"' in piece.data
    with piece.data.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b'"') >= 0


def _by_csv_module(piece: Piece, dialect: Dialect) -> pl.DataFrame:
    """Rows with quotes inside fields, read one by one: slower, and strict about what a closing quote is."""
    names, rows, line = dialect.names, [], dialect.skipped
    try:
        for line, row in records(_decoded_lines(piece), dialect, quoted=True):
            if len(row) != len(names):
                raise _ragged(piece, line, len(row), len(names))
            rows.append(row)
    except csv.Error as error:
        raise DataError(
            f"cannot read {piece.name}, after line {line}: a field begins with a quote and does not end with one, or "
            f"a quote within it is not doubled ({error}); correct the line"
        ) from error
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row").with_columns(
        pl.all().replace("", None)
    )


def _split_lines(piece: Piece, dialect: Dialect, line_of: _Lines) -> pl.DataFrame:
    line = pl.col("line")
    if dialect.separator == BLANKS:
        line = line.str.strip_chars().str.replace_all(r"\s+", " ")
    parts = (
        text_lines(piece.source())
        .slice(dialect.skipped)
        .with_columns(line)
        .filter(pl.col("line").fill_null("").str.strip_chars() != "")
        .select(pl.col("line").str.split(dialect.separator))
        .collect(engine="streaming")["line"]
    )
    if (parts.list.len() != len(dialect.names)).any():
        line_of.refuse_ragged()
    frame = pl.DataFrame([parts.list.get(at).alias(name) for at, name in enumerate(dialect.names)])
    if dialect.separator == BLANKS and dialect.header and len(frame):
        _refuse_cut_moments(frame, line_of, piece.name)
    return frame


def _refuse_cut_moments(frame: pl.DataFrame, line_of: _Lines, name: str) -> None:
    """Raise DataError where a moment was cut at its blank, and a name at its own: the columns would be others."""
    row = list(zip(frame.columns, frame.row(0), strict=True))
    for (day_name, day), (clock_name, clock) in pairwise(row):
        both = bool(_DAY.fullmatch(day) and _CLOCK.fullmatch(clock))
        if both and not (sounds_like_clock(clock_name) and re.search("da(y|te)", canonical(day_name))):
            raise DataError(
                f"{name}, {line_of(0)}: {day} {clock} is cut at its blank, and {day_name!r} and {clock_name!r} may be "
                f"one name: separate the columns by tabs or commas, or put quotes around what holds blanks"
            )


def _without_blank_rows(frame: pl.DataFrame) -> pl.DataFrame:
    if not all(column.has_nulls() for column in frame):
        return frame
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _refuse_rule(frame: pl.DataFrame, line_of: _Lines, name: str) -> None:
    """Raise DataError where a line of dashes follows the header: a table for people to read."""
    cells = [str(value).strip() for value in frame.row(0) if value]
    if cells and all(re.fullmatch(r":?[-=+]{2,}:?", cell) for cell in cells):
        raise DataError(f"{name}, {line_of(0)}: a line of dashes: this is a printed table; export it as CSV")


def _short_lines(piece: Piece, dialect: Dialect) -> list[str]:
    """What to say where lines end before their last column: their text may hold line breaks without quotes."""
    line = pl.col("line").fill_null("")
    separators = line.str.count_matches(dialect.separator, literal=True)
    found = (
        text_lines(piece.source())
        .slice(dialect.skipped)
        .filter((separators < len(dialect.names) - 1) & (line.str.strip_chars() != ""))
        .select(pl.len(), first=pl.col("number").first())
        .collect(engine="streaming")
    )
    count, first = found.row(0)
    if not count:
        return []
    return [
        f"{piece.name}: {counted(count, 'line', 'has', 'have')} fewer fields than columns (the first: line {first}), "
        "and what is missing is taken as empty: were lines cut in two?"
    ]


def _decoded_lines(piece: Piece) -> Iterator[str]:
    source = piece.source()
    file = source.open("rb") if isinstance(source, Path) else source
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as lines:
        yield from lines


def _ragged(piece: Piece, line: int, fields: int, width: int) -> DataError:
    return DataError(
        f"cannot read {piece.name}, line {line}: {'more' if fields > width else 'fewer'} fields ({fields}) than "
        f"columns ({width}): correct the line, or put quotes around fields that hold the separator"
    )


class _Lines:
    """Where rows stand in their file; worked out when a message needs it."""

    def __init__(self, piece: Piece, dialect: Dialect, quoted: bool) -> None:
        self.piece, self.dialect, self.quoted = piece, dialect, quoted

    def __call__(self, row: int) -> str:
        """``line 12`` of a row (from 0, blank lines not counted)."""
        try:
            for at, (line, _) in enumerate(self._records()):
                if at == row:
                    return f"line {line}"
        except csv.Error:
            pass
        return f"row {row + 1}"

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        return records(_decoded_lines(self.piece), self.dialect, self.quoted)

    def refuse_ragged(self, fewer: bool = False) -> None:
        """Raise DataError for the first row with more fields than the header, or another number where none is empty."""
        width = len(self.dialect.names)
        with reading(self.piece):
            line, short = 0, None
            for line, row in self._records():
                if len(row) > width:
                    raise _ragged(self.piece, line, len(row), width)
                if len(row) < width and short is None:
                    short = _ragged(self.piece, line, len(row), width)
            if short is not None and (fewer or not self.dialect.by_polars):
                raise short
        if line == 0:
            raise DataError(f"{self.piece.name}: the data has a header but no rows: nothing to train on")

    def refuse_repeated_header(self, frame: pl.DataFrame, name: str) -> None:
        """Raise DataError where a row holds the names of the columns."""
        names = {one.strip().lower() for one in (*self.dialect.names, *self.dialect.header_fields)} - {"", "_"}
        first = frame.columns[0]
        like = frame.with_row_index("row").filter(_lowered(first).is_in(list(names)))
        whole = like.filter(pl.all_horizontal(_lowered(one).is_in([*names, ""]) for one in frame.columns))
        if not whole.is_empty():
            raise DataError(
                f"{name}, {self(int(whole['row'][0]))}: the header stands there again: files were put together; remove "
                f"that line"
            )


def _lowered(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars(' "\r\ufeff').str.to_lowercase().fill_null("")
