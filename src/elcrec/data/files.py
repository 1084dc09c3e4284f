"""Reading files of every supported kind into frames of raw columns."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import polars as pl

from elcrec.data.columns import roles_in
from elcrec.data.delimited import read_delimited
from elcrec.data.encodings import decoded_head, refuse_unknown, text_of
from elcrec.data.json_files import json_lines, object_line, read_json_document
from elcrec.data.opening import Piece, pieces
from elcrec.data.raw import Format, RawTable, ReadOptions, reading
from elcrec.data.text_format import is_text_format, read_text
from elcrec.errors import DataError
from elcrec.process.wording import argument, setting

ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".inter": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
ROWS_AT_ONCE = 1 << 22


def read_frame(path: str | Path, format: str | None = None) -> pl.DataFrame:
    """One file as a frame; columns of delimited text are still text.

    Args:
        path: A file, packed or not.
        format: One of ``text`` (``user item item ...`` a line), ``csv``, ``tsv``, ``parquet``, ``jsonl``, ``json``,
            ``arrow``; by default detected from the file's ending and content.

    Raises:
        DataError: Missing, empty or unreadable file, or unknown format.
    """
    return _read_one(path, ReadOptions(format))[0]


def read_described(path: str | Path, role: str, log_column: str | None) -> tuple[pl.DataFrame, RawTable]:
    """One file that describes items or users, a row each: :func:`read_frame`, and how it was read.

    Args:
        path: A file, packed or not.
        role: ``item_id`` or ``user_id``.
        log_column: The caller's name of that column in the log.

    Raises:
        DataError: Missing, empty or unreadable file.
    """
    return _read_one(path, ReadOptions(names=(role, *filter(None, [log_column])), described=role))


def _read_one(path: str | Path, options: ReadOptions) -> tuple[pl.DataFrame, RawTable]:
    [first, *more] = scan(path, options)
    if more:
        raise DataError(f"{path} holds several files, {first.name} and {more[0].name}: name one of them")
    if first.guessed:
        raise DataError(f"cannot read {path}: it is not utf-8; save it as UTF-8")
    with reading(first):
        frame = first.frame.collect(engine="streaming")
    if frame.is_empty() and first.untyped:
        raise DataError(f"{first.name}: the data has a header but no rows: nothing to train on")
    return frame, first


def scan(source: str | Path | Sequence[str | Path], options: ReadOptions | None = None) -> list[RawTable]:
    """The files of a source; the columns of Parquet can be read one by one.

    Raises:
        DataError: As :func:`read_frame`.
    """
    options = options or ReadOptions()
    if options.format is not None and options.format not in get_args(Format):
        raise DataError(f"unknown format {options.format!r}: use {', '.join(get_args(Format))}")
    refuse_unknown(options.encoding)
    found: list[RawTable] = []
    for piece in pieces(source):
        kind = options.format or sniff(piece, options)
        with reading(piece, options.format):
            raw = _READERS[kind](piece, options)
            names = raw.frame.collect_schema().names()
            more = [pl.lit(value).alias(name) for name, value in piece.partition.items() if name not in names]
            found.append(replace(raw, frame=raw.frame.with_columns(more)) if more else raw)
    return found


def read_column(raw: RawTable, name: str) -> pl.Series:
    """One column of a file; the others stay out of memory.

    Raises:
        DataError: It cannot be read.
    """
    with reading(raw):
        return raw.frame.select(name).collect(engine="streaming")[name]


def sniff(file: Piece | Path, options: ReadOptions | None = None) -> Format:
    """Format by the first bytes where they tell it, else by ending, else by content."""
    piece = file if isinstance(file, Piece) else Piece(str(file), file)
    options = options or ReadOptions()
    head = piece.head()
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    known = ENDINGS.get(piece.ending)
    if known in ("parquet", "arrow"):
        return known
    return _sniff_text(piece, options, known)


def _sniff_text(piece: Piece, options: ReadOptions, known: Format | None) -> Format:
    """Format of text: JSON by its first character, whatever the ending but that of delimited text says."""
    text = decoded_head(piece, options.encoding).lstrip()
    json_format = None if known in ("csv", "tsv") else _sniff_json(text, options, known)
    if json_format is not None:
        return json_format
    return _sniff_lines(piece.name, text, options) if known is None else known


def _sniff_json(text: str, options: ReadOptions, known: Format | None) -> Format | None:
    """Format of text that begins as JSON does; names by position are of arrays of arrays."""
    if text.startswith("["):
        return "json"
    if text.startswith("{") and options.columns is None:
        return "jsonl" if known == "jsonl" or _is_json_lines(text) else "json"
    return None


def _sniff_lines(name: str, text: str, options: ReadOptions) -> Format:
    """Format of lines: delimited text, or ``user item item ...``."""
    lines = [line for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#")] or lines
    if options.columns is None and options.described is None and is_text_format(name, lines[:1000]):
        return "text"
    return _sniff_separator(lines[0] if lines else "", options)


def _sniff_separator(first: str, options: ReadOptions) -> Format:
    """Format by the first line; blanks separate columns only where they have names."""
    separator = next((one for one in ("\t", ",", ";", "|", "::", "\x01") if one in first), None)
    if separator is not None:
        return "tsv" if separator == "\t" else "csv"
    is_header = len(roles_in(first.lstrip("#").split(), ())) >= 2
    return "csv" if is_header or options.columns is not None or options.names else "text"


def _is_json_lines(text: str) -> bool:
    """Whether a text that begins with an object has one a line; what a first line cannot tell, reading does."""
    first, *more = [line for line in text.split("\n", 50) if line.strip()]
    return first.rstrip().endswith("}") and bool(more) and more[0].lstrip().startswith("{")


# ---------------------------------------------------------------------- typed formats


def _refuse_positions(piece: Piece, options: ReadOptions) -> None:
    if options.columns is not None:
        raise DataError(
            f"{piece.name} names its columns itself: use {setting('user_column', 'NAME')} and the like, "
            f"not {argument('columns')}"
        )


def _read_parquet(piece: Piece, options: ReadOptions) -> RawTable:
    _refuse_positions(piece, options)
    frame = pl.scan_parquet(piece.source(), glob=False, hive_partitioning=False)
    return RawTable(frame, piece.name, "parquet", compression=piece.compression)


def _read_arrow(piece: Piece, options: ReadOptions) -> RawTable:
    _refuse_positions(piece, options)
    try:
        frame = pl.read_ipc(piece.source())
    except pl.exceptions.ComputeError:
        frame = pl.read_ipc_stream(piece.source())
    return RawTable(frame.lazy(), piece.name, "arrow", compression=piece.compression)


def _read_jsonl(piece: Piece, options: ReadOptions) -> RawTable:
    _refuse_positions(piece, options)
    text = text_of(piece, options)
    frame = json_lines(piece.name, text.piece.source(), text.encoding == "utf-8-sig")
    where = partial(object_line, text.piece.source())
    return RawTable(frame.lazy(), piece.name, "jsonl", None, text.encoding, piece.compression, line_of=where)


def _read_json(piece: Piece, options: ReadOptions) -> RawTable:
    text = text_of(piece, options)
    frame = read_json_document(piece.name, text.piece.content(), options.columns)
    return RawTable(
        frame.lazy(), piece.name, "json", None, text.encoding, piece.compression, line_of=lambda row: f"event {row + 1}"
    )


_READERS: dict[str, Callable[[Piece, ReadOptions], RawTable]] = {
    "text": read_text,
    "csv": read_delimited,
    "tsv": read_delimited,
    "parquet": _read_parquet,
    "jsonl": _read_jsonl,
    "json": _read_json,
    "arrow": _read_arrow,
}


def fingerprint(frame: pl.DataFrame) -> str:
    """A short checksum of a frame's content and order, to notice that a log has changed."""
    checksum = 0
    for rows in frame.iter_slices(ROWS_AT_ONCE):
        checksum = zlib.crc32(rows.hash_rows(seed=0).to_numpy().tobytes(), checksum)
    return f"{frame.height}-{checksum:08x}"
