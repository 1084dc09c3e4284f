"""Character encodings: text of any encoding as UTF-8."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from elcrec.data.opening import HEAD, Piece
from elcrec.data.raw import ReadOptions
from elcrec.errors import DataError
from elcrec.wording import argument, setting

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def refuse_unknown(encoding: str | None) -> None:
    """Raise DataError for an encoding that there is not, or one of no text."""
    try:
        b"a".decode(encoding or "utf-8", errors="replace")
    except (LookupError, UnicodeError, ValueError) as error:
        raise DataError(f"unknown encoding {encoding!r}: use utf-8, latin-1, cp1252, utf-16, ...") from error


def decoded_head(piece: Piece, encoding: str | None) -> str:
    """The first lines of a file, whatever cannot be decoded replaced."""
    head = piece.head()
    cut = head[: head.rfind(b"\n") + 1] or head if len(head) == HEAD else head
    named = encoding or marked(head)
    if named in ("utf-16", "utf-32", "utf-16-le", "utf-16-be"):
        cut = head[: len(head) // 4 * 4]
    return cut.decode(named or "utf-8", errors="replace").lstrip("\ufeff")


def marked(head: bytes) -> str | None:
    """The encoding that a byte-order mark, or zeros between plain letters, tells."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    if b"\x00" in head[:200]:
        even, odd = head[0:200:2].count(0), head[1:200:2].count(0)
        if max(even, odd) > 20 and min(even, odd) == 0:
            return "utf-16-be" if even else "utf-16-le"
    return None


@dataclass(frozen=True)
class Text:
    """Text that Polars can read: a path, or bytes in UTF-8."""

    piece: Piece
    encoding: str
    guessed: bool = False


def text_of(piece: Piece, options: ReadOptions) -> Text:
    """A file as UTF-8, decoded where it is not.

    Raises:
        DataError: Bytes do not fit the encoding.
    """
    head = piece.head()
    encoding = options.encoding or marked(head) or "utf-8"
    ends_in_returns = b"\r" in head and b"\n" not in head  # as files of old Macs
    if encoding in ("utf-8", "utf-8-sig") and not ends_in_returns:
        return Text(piece, encoding)
    text = _decoded(piece, encoding)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return Text(replace(piece, data=text.lstrip("\ufeff").encode()), encoding)


def _decoded(piece: Piece, encoding: str) -> str:
    content = piece.content()
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        line = content[: getattr(error, "start", 0)].count(b"\n") + 1
        raise DataError(
            f"cannot read {piece.name}, line {line}: not {encoding}; name its encoding with "
            f"{setting('encoding', 'NAME')}"
        ) from error


def as_latin(piece: Piece) -> Text:
    """A file that is not UTF-8, byte by byte: plain letters are right in any case."""
    text = piece.content().decode("latin-1")
    return Text(replace(piece, data=text.encode()), "unknown", guessed=True)


def refuse_binary(piece: Piece, head: str) -> None:
    """Raise DataError where text holds what no text does."""
    odd = re.search("[\x00\x03-\x08\x0e-\x1a\x1c-\x1f]", head)
    if odd is not None:
        raise DataError(
            f"cannot read {piece.name}: it holds the control character {odd[0]!r} and is no UTF-8; correct it, "
            f"name its encoding with {setting('encoding', 'NAME')}, or its format with {argument('format')}"
        )


def refuse_mixed_line_ends(piece: Piece) -> None:
    """Raise DataError where some lines end in a carriage return alone."""
    lines = text_lines(piece.source())
    found = lines.filter(pl.col("line").str.contains(r"\r[^\r]")).head(1).collect(engine="streaming")
    if not found.is_empty():
        raise DataError(f"{piece.name}, line {found['number'][0]}: lines end in several ways: save the file with one")


def text_lines(source: Path | io.BytesIO) -> pl.LazyFrame:
    """``number`` (from 1) and ``line``: a separator that no text holds makes each line one column.

    Args:
        source: A path or UTF-8 bytes.
    """
    if isinstance(source, io.BytesIO):
        source.seek(0)
    return pl.scan_csv(
        source,
        has_header=False,
        separator="\x02",
        quote_char=None,
        schema={"line": pl.String},
    ).with_row_index("number", offset=1)
