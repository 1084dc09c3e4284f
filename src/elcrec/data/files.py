"""Reading logs of every supported kind into a frame of raw columns."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from elcrec.errors import DataError

Format = Literal["text", "csv", "tsv", "parquet", "jsonl"]
ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".inter": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
ROWS_AT_ONCE = 1 << 22


def read_frame(path: str | Path, format: str | None = None) -> pl.DataFrame:
    """The file as a frame; columns of delimited text are still text.

    Args:
        path: A file.
        format: One of ``text`` (``user item item ...`` a line), ``csv``, ``tsv``, ``parquet``, ``jsonl``;
            by default told from the file's ending and content.

    Raises:
        DataError: Missing, empty or unreadable file, or unknown format.
    """
    with _reading(Path(path), format):
        return scan_frame(path, format).collect(engine="streaming")


def read_column(raw: pl.LazyFrame, name: str, path: str | Path, format: str | None = None) -> pl.Series:
    """One column of what :func:`scan_frame` found in a file; the others stay out of memory.

    Raises:
        DataError: It cannot be read.
    """
    with _reading(Path(path), format):
        return raw.select(name).collect(engine="streaming")[name]


def scan_frame(path: str | Path, format: str | None = None) -> pl.LazyFrame:
    """The file as a frame whose columns can be read one by one, if it is Parquet; see :func:`read_frame`.

    Raises:
        DataError: As :func:`read_frame`.
    """
    path = Path(path)
    if format is not None and format not in get_args(Format):
        raise DataError(f"unknown format {format!r}: use {', '.join(get_args(Format))}")
    if not path.exists():
        raise DataError(f"no such file: {path}")
    if path.is_dir():
        raise DataError(f"{path} is a folder: name the data file itself")
    with _reading(path, format):
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty: nothing to learn from")
        raw = _READERS[format or sniff(path)](path)
        raw.collect_schema()
        return raw


@contextmanager
def _reading(path: Path, format: str | None) -> Iterator[None]:
    """Errors of reading, in our words."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"cannot read {path} as {format or 'its ending and content suggest'} ({reason}): "
            f"mend the file, or name its format ({', '.join(get_args(Format))}) with format= (--format)"
        ) from error


def sniff(path: Path) -> Format:
    """Format by ending, else by the first bytes."""
    if path.suffix.lower() in ENDINGS:
        return ENDINGS[path.suffix.lower()]
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    lines = head.decode("utf-8", errors="replace").lstrip("\ufeff").splitlines()
    line = next((line for line in lines if line.strip()), "")
    if line.lstrip().startswith("{"):
        return "jsonl"
    if "," in line:
        return "csv"
    return "tsv" if "\t" in line and not line.replace("\t", " ").replace(" ", "").isdigit() else "text"


def _read_delimited(path: Path, separator: str) -> pl.LazyFrame:
    # Whole: reading chosen columns would not notice lines with too many fields.
    return pl.scan_csv(path, separator=separator, infer_schema=False).collect(engine="streaming").lazy()


def _lines(path: Path) -> pl.LazyFrame:
    """``number`` (from 1) and ``line``: a separator that no text holds makes each line one column."""
    return pl.scan_csv(
        path, has_header=False, separator="\x01", quote_char=None, infer_schema=False, new_columns=["line"]
    ).with_row_index("number", offset=1)


def _read_text(path: Path) -> pl.LazyFrame:
    """``user item item ...`` a line, positive integers, chronological; items exploded to rows in file order."""
    lines = (
        _lines(path)
        .with_columns(pl.col("line").str.strip_chars().str.replace_all(r"\s+", " "))
        .filter(pl.col("line").fill_null("") != "")
        .collect(engine="streaming")
    )
    if lines.is_empty():
        raise DataError(f"{path} has no line with anything on it: nothing to learn from")
    _check_lines(path, lines)
    return (
        lines.lazy()
        .select(pl.col("line").str.split(" ").cast(pl.List(pl.Int64)))
        .select(user_id=pl.col("line").list.first(), item_id=pl.col("line").list.slice(1))
        .explode("item_id")
        .collect(engine="streaming")
        .lazy()
    )


def _check_lines(path: Path, lines: pl.DataFrame) -> None:
    line = pl.col("line")
    for wrong, reason in (
        (~line.str.contains(r"^[0-9 ]+$"), "ids of the text format are positive integers"),
        (line.str.contains(r"(^| )0+( |$)"), "id 0 is reserved for padding; ids start at 1"),
        (line.str.contains(r"[0-9]{19}"), "ids must be below 10^18"),
        (~line.str.contains(" "), "a line is a user and at least one item"),
    ):
        bad = lines.filter(wrong)
        if not bad.is_empty():
            number, text = bad.row(0)
            shown = text if len(text) <= 60 else text[:57] + "..."
            raise DataError(f"{path}, line {number}: {shown!r}: {reason}")


def _read_jsonl(path: Path) -> pl.LazyFrame:
    return pl.read_ndjson(path, infer_schema_length=None).lazy()


_READERS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    "text": _read_text,
    "csv": lambda path: _read_delimited(path, ","),
    "tsv": lambda path: _read_delimited(path, "\t"),
    "parquet": pl.scan_parquet,
    "jsonl": _read_jsonl,
}


def first_line_that_is_no_text(path: Path, column: str) -> int | None:
    """Line of a JSON Lines file where a column, text elsewhere, holds a number or the like; None if nowhere.

    Polars turns such values into text when it reads the file, so they are looked for in the lines.
    """
    pattern = rf'[{{,]\s*"{re.escape(column)}"\s*:\s*[-0-9tf\[{{]'
    found = _lines(path).filter(pl.col("line").str.contains(pattern)).head(1).collect(engine="streaming")
    return None if found.is_empty() else int(found["number"][0])


def fingerprint(frame: pl.DataFrame) -> str:
    """A short checksum of a frame's content and order, to notice that a log has changed."""
    checksum = 0
    for rows in frame.iter_slices(ROWS_AT_ONCE):
        checksum = zlib.crc32(rows.hash_rows(seed=0).to_numpy().tobytes(), checksum)
    return f"{frame.height}-{checksum:08x}"
