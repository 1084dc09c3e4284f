"""A file's columns as they were read, and the options that it is read with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import polars as pl

from elcrec.data.opening import Piece
from elcrec.data.pandas_tables import from_pandas, is_pandas
from elcrec.errors import DataError, decoding
from elcrec.process.wording import argument

Format = Literal["text", "csv", "tsv", "parquet", "jsonl", "json", "arrow"]

_NO_TABLE = "DataFrame constructor called with unsupported type"  # Polars' words


@dataclass(frozen=True)
class RawTable:
    """The columns of a file as they were read, before ids and times are checked.

    Attributes:
        frame: Its columns; those of delimited text are text.
        name: Of the file.
        format: One of :data:`Format`.
        separator: Of delimited text.
        encoding: Of text.
        compression: How it was packed.
        header: Whether delimited text has a header; True where the format names its columns.
        line_of: From a row (from 0) to where it stands, for messages: ``line 12``, ``row 12``.
        guessed: Whether bytes that are not UTF-8 were taken as Latin-1, which is right for plain letters alone.
        notes: What may surprise.
    """

    frame: pl.LazyFrame
    name: str
    format: str
    separator: str | None = None
    encoding: str | None = None
    compression: str | None = None
    header: bool = True
    line_of: Callable[[int], str] = lambda row: f"row {row + 1}"
    guessed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def untyped(self) -> bool:
        """Whether all values are text, whatever they mean."""
        return self.format in ("csv", "tsv")

    @property
    def decimal_commas(self) -> bool:
        """Whether a comma within a value may be a decimal one: values are text, and commas separate no columns."""
        return self.untyped and self.separator != ","


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says about how a file is read.

    Attributes:
        format: One of :data:`Format`, or None to tell it from the file.
        columns: Names by position, for files without a header.
        encoding: Of text that is not UTF-8.
        names: Columns that the caller names.
        described: ``item_id`` or ``user_id``, where a row describes an item or a user; None: the file is a log.
    """

    format: str | None = None
    columns: tuple[str, ...] | None = None
    encoding: str | None = None
    names: tuple[str, ...] = ()
    described: str | None = None


def as_frame(table: Any, role: str, values: str) -> pl.DataFrame:
    """A pandas, Polars or Arrow table as a frame.

    Args:
        table: What the caller passes.
        role: What it stands for, for messages.
        values: What its columns hold, for messages.

    Raises:
        DataError: It is no table.
    """
    try:
        if is_pandas(table):
            return from_pandas(table)
        if table is None:  # Polars makes an empty table of it
            raise TypeError(_NO_TABLE)
        return table.collect() if isinstance(table, pl.LazyFrame) else pl.DataFrame(table)
    except Exception as error:
        raise DataError(
            f"cannot use {_kind_of(table)} as {role}{_reason(error)}: "
            f"pass a file, or a pandas, Polars or Arrow table with {values} of one type per column"
        ) from error


def _kind_of(value: Any) -> str:
    """What a value is: ``None``, ``an int``, ``a DataFrame``."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _reason(error: Exception) -> str:
    """Why a table cannot be read, in brackets; nothing where a value is no table at all."""
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return "" if first.startswith(_NO_TABLE) else f" ({first})"


@contextmanager
def reading(file: Piece | RawTable, format: str | None = None) -> Iterator[None]:
    """Errors of reading, in our words."""

    def refusal(reason: str) -> DataError:
        return DataError(
            f"cannot read {file.name} as {format or 'its ending and content suggest'} ({reason}): "
            f"correct the file, or name its format ({', '.join(get_args(Format))}) with {argument('format')}"
        )

    with decoding(refusal):
        yield
