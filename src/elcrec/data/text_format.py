"""The format of the benchmark files: ``user item item ...`` a line."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from elcrec.data.dialect import EPOCH, LAST_EPOCH, columns_for
from elcrec.data.encodings import text_lines, text_of
from elcrec.data.opening import Piece
from elcrec.data.raw import Asked, Raw
from elcrec.errors import DataError

_RATED = range(11)


def is_text_format(name: str, lines: Sequence[str]) -> bool:
    """Whether lines are ``user item item ...``, the format of the benchmark files.

    Raises:
        DataError: They are numbers that may as well be a user, an item, a rating and a time.
    """
    rows = [line.split() for line in lines if line.strip()]
    if not rows or not all(field.isdecimal() for row in rows for field in row):
        return False
    widths = {len(row) for row in rows}
    if len(widths) == 1 and 3 <= len(rows[0]) <= 6 and _like_events(rows):
        raise DataError(
            f"{name} has no header, and its lines of {len(rows[0])} numbers look like events: name its columns, for "
            f"example {columns_for(rows[0])}; if each line is a user and all their items, use --format text"
        )
    return True


def _like_events(rows: list[list[str]]) -> bool:
    users = [row[0] for row in rows]
    times = all(EPOCH <= int(row[-1]) < LAST_EPOCH for row in rows)
    rated = len(rows) > 2 and all(int(row[2]) in _RATED for row in rows) and any(int(r[1]) > _RATED[-1] for r in rows)
    return len(set(users)) < len(users) or times or rated


def read_text(piece: Piece, asked: Asked) -> Raw:
    """``user item item ...`` a line, positive integers, chronological; items exploded to rows in file order."""
    if asked.columns is not None:
        raise DataError(f"{piece.name} is read as 'user item item ...' lines: leave --columns out, or --format")
    text = text_of(piece, asked)
    _refuse_returns(piece.name, text_lines(text.piece))
    lines = (
        text_lines(text.piece)
        .with_columns(pl.col("line").str.strip_chars().str.replace_all(r"\s+", " "))
        .filter(pl.col("line").fill_null("") != "")
        .collect(engine="streaming")
    )
    if lines.is_empty():
        raise DataError(f"{piece.name} has no line with anything on it: nothing to train on")
    _check_lines(piece.name, lines)
    frame = (
        lines.lazy()
        .select(pl.col("line").str.split(" ").cast(pl.List(pl.Int64)))
        .select(user_id=pl.col("line").list.first(), item_id=pl.col("line").list.slice(1))
        .explode("item_id")
        .collect(engine="streaming")
    )
    return Raw(frame.lazy(), piece.name, "text", "blanks", text.encoding, piece.compression, header=False)


def _refuse_returns(name: str, lines: pl.LazyFrame) -> None:
    mixed = lines.filter(pl.col("line").str.contains(r"\r[^\r]")).head(1).collect(engine="streaming")
    if not mixed.is_empty():
        raise DataError(f"{name}, line {mixed['number'][0]}: lines end in several ways: save the file with one")


def _check_lines(name: str, lines: pl.DataFrame) -> None:
    line = pl.col("line")
    columns = "; name the columns of a file without a header with --columns user_id,item_id,..."
    for wrong, reason in (
        (~line.str.contains(r"^[0-9 ]+$"), f"ids of the text format are positive integers{columns}"),
        (line.str.contains(r"(^| )0+( |$)"), "id 0 is reserved for padding; ids start at 1"),
        (line.str.contains(r"(^| )0[0-9]"), f"ids with leading zeros are text{columns}"),
        (line.str.contains(r"[0-9]{19}"), "ids must be below 10^18"),
        (~line.str.contains(" "), "a line is a user and at least one item"),
    ):
        bad = lines.filter(wrong)
        if not bad.is_empty():
            number, text = bad.row(0)
            shown = text if len(text) <= 60 else text[:57] + "..."
            raise DataError(f"{name}, line {number}: {shown!r}: {reason}")
