"""The files of a source: single files, the parts of a folder, the members of an archive; decompressed."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from elcrec.data.named import locate
from elcrec.errors import DataError, decoding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD = 1 << 16
PACKED_ENDING = r"\.(gz|zst|zstd|bz2|xz)"
_PACKED: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"\x28\xb5\x2f\xfd": ("zstd", zstd.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
}
_FOREIGN = {
    b"SQLite format 3": "an SQLite database",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x1f\x9d": "packed by compress",
    b"\x04\x22\x4d\x18": "packed by LZ4",
    b"\xff\x06\x00\x00sNaPpY": "packed by Snappy",
    b"<?xml": "XML",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<table": "a web page",
    b"\x80\x04\x95": "a Python pickle",
    b"\x80\x05\x95": "a Python pickle",
}


@dataclass(frozen=True)
class Piece:
    """A file to read, on disk or unpacked in memory.

    Attributes:
        name: For messages; a member of an archive is ``archive/member``.
        data: A path, where the file can be read in place; else its bytes.
        compression: ``gzip``, ``zstd``, ``bzip2``, ``xz``, ``zip``, ``tar``, or None.
        partition: Values that the names of its folders give (``date=2024-01-01``).
    """

    name: str
    data: Path | bytes
    compression: str | None = None
    partition: dict[str, str] = field(default_factory=dict)

    @property
    def ending(self) -> str:
        """Its ending in lower case, without those of compression."""
        name = re.sub(PACKED_ENDING + "$", "", self.name.lower())
        return Path(name).suffix

    def head(self, size: int = HEAD) -> bytes:
        """Its first bytes."""
        if isinstance(self.data, bytes):
            return self.data[:size]
        with self.data.open("rb") as file:
            return file.read(size)

    def content(self) -> bytes:
        """All of its bytes."""
        return self.data if isinstance(self.data, bytes) else self.data.read_bytes()

    def source(self) -> Path | io.BytesIO:
        """What Polars reads."""
        return io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data


def pieces(source: str | Path | Sequence[str | Path]) -> list[Piece]:
    """The files of a source, in the order in which they are read.

    Args:
        source: A file, a folder of parts, an archive, a pattern (``logs/*.csv``), the name of a fetched data set, or
            several of these. Parts come in natural order of their names (``part-2`` before ``part-10``).

    Raises:
        DataError: Nothing is there, or nothing that holds a log.
    """
    several = [source] if isinstance(source, str | Path) else list(source)
    if not several:
        raise DataError("no file is named: name one or more")
    return [piece for one in several for path in _paths(one) for piece in _pieces_of(path)]


def _paths(source: str | Path) -> list[Path]:
    path = locate(source)
    if not path.exists() and re.search(r"[*?\[]", str(source)):
        found = sorted((Path(one) for one in glob.glob(str(source), recursive=True)), key=_natural)
        if not found:
            raise DataError(f"no file fits {source}")
        return found
    if not path.exists():
        raise DataError(f"no such file: {path}")
    return [path]


def _natural(path: Path) -> list[Any]:
    return [[int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)] for name in path.parts]


def _pieces_of(path: Path) -> Iterator[Piece]:
    if not path.is_dir():
        yield from _unpacked(Piece(str(path), path))
        return
    for file in _files_in(path):
        partition = _partition(file.relative_to(path).parts[:-1])
        for piece in _unpacked(Piece(str(file), file)):
            yield replace(piece, partition=partition)


def _files_in(folder: Path) -> list[Path]:
    """The data files of a folder and those within it, in natural order; empty ones only where there are no others.

    Raises:
        DataError: It holds none, or it is the folder of a run.
    """
    if (folder / "config.json").exists() and (folder / "interactions.parquet").exists():
        raise DataError(f"{folder} is the folder of a run: name the log, for example {folder / 'interactions.parquet'}")
    files = [one for one in folder.rglob("*") if one.is_file() and not _is_marker(one.relative_to(folder))]
    files = [one for one in files if one.stat().st_size] or files[:1]
    if not files:
        raise DataError(f"{folder} is a folder without data files: name the data file itself")
    _refuse_copies(files)
    return sorted(files, key=_natural)


def _refuse_copies(files: Sequence[Path]) -> None:
    """Raise DataError where a file and its compressed copy are both there: each event would count twice."""
    there = set(files)
    for one in files:
        if re.fullmatch(PACKED_ENDING, one.suffix.lower()) and one.with_suffix("") in there:
            raise DataError(f"{one} and {one.with_suffix('').name} are one file, packed and not: name one of them")


def _partition(folders: Sequence[str]) -> dict[str, str]:
    """Values that names of folders give as Hive writes them (``date=2024-01-01``); none is an empty text."""
    pairs = [folder.split("=", 1) for folder in folders if "=" in folder]
    return {name: "" if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in pairs}


def _is_marker(path: Path) -> bool:
    """Hidden files, ``_SUCCESS`` and the like, checksums, copies that editors keep, texts for readers."""
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    beside = path.suffix in (".crc", ".md", ".bak", ".orig", ".tmp") or path.name.endswith("~")
    return hidden or beside or path.stem.lower() in ("readme", "license", "licence")


def _unpacked(piece: Piece, depth: int = 0) -> Iterator[Piece]:
    try:
        head = piece.head(600)
    except OSError as error:
        raise DataError(f"cannot read {piece.name} ({error.strerror or error})") from error
    _refuse_foreign(piece.name, head)
    if not head:
        raise DataError(f"{piece.name} is empty: nothing to train on")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _members(piece, _zip_members)
    elif head[257:262] == b"ustar":
        yield from _members(piece, _tar_members)
    elif depth < 2 and (packed := next((magic for magic in _PACKED if head.startswith(magic)), None)):
        kind, unpack = _PACKED[packed]
        with _unpacking(piece.name, kind):
            content = unpack(piece.content())
        yield from _unpacked(Piece(piece.name, content, kind, piece.partition), depth + 1)
    else:
        yield piece


def _refuse_foreign(name: str, head: bytes) -> None:
    kind = next((kind for magic, kind in _FOREIGN.items() if head.startswith(magic)), None)
    if name.lower().endswith(".orc"):
        kind = "an ORC file"
    if kind is not None:
        raise DataError(f"{name} is {kind}: export it as CSV, Parquet or JSON Lines")


def _unpacking(name: str, kind: str) -> AbstractContextManager[None]:
    """Errors of unpacking, in our words."""
    return decoding(lambda reason: DataError(f"cannot read {name}: the {kind} data is damaged or too large ({reason})"))


def _members(piece: Piece, members: Callable[[Piece], Iterator[tuple[str, bytes]]]) -> Iterator[Piece]:
    kind = "zip" if members is _zip_members else "tar"
    with _unpacking(piece.name, kind):
        found = [(name, content) for name, content in members(piece) if not _is_marker(Path(name)) and content]
    if any(name == "[Content_Types].xml" for name, _ in found):
        raise DataError(f"{piece.name} is an Excel workbook or the like: export it as CSV")
    if not found:
        raise DataError(f"{piece.name} holds no data file")
    for name, content in sorted(found, key=lambda member: _natural(Path(member[0]))):
        yield from _unpacked(Piece(f"{piece.name}/{name}", content, kind), depth=1)


def _zip_members(piece: Piece) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(piece.source()) as archive:
        for member in archive.infolist():
            if not member.is_dir() and not member.filename.startswith("__MACOSX"):
                yield member.filename, archive.read(member)


def _tar_members(piece: Piece) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(piece.content())) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read()
