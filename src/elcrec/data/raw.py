"""A file as it was read, before columns are chosen, and what the caller says about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from elcrec.data.opening import Piece
from elcrec.errors import DataError, decoding

Format = Literal["text", "csv", "tsv", "parquet", "jsonl", "json", "arrow"]


@dataclass(frozen=True)
class Raw:
    """A file as it was understood.

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


@dataclass(frozen=True)
class Asked:
    """What the caller says about a file.

    Attributes:
        format: One of :data:`Format`, or None to tell it from the file.
        columns: Names by position, for files without a header.
        encoding: Of text that is not UTF-8.
        names: Columns that the caller names.
    """

    format: str | None = None
    columns: tuple[str, ...] | None = None
    encoding: str | None = None
    names: tuple[str, ...] = ()


@contextmanager
def reading(file: Piece | Raw, format: str | None = None) -> Iterator[None]:
    """Errors of reading, in our words."""

    def refusal(reason: str) -> DataError:
        return DataError(
            f"cannot read {file.name} as {format or 'its ending and content suggest'} ({reason}): "
            f"correct the file, or name its format ({', '.join(get_args(Format))}) with format= (--format)"
        )

    with decoding(refusal):
        yield
