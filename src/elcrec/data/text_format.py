"""The format of the benchmark files: ``user item item ...`` a line."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from elcrec.data.dialect import columns_for
from elcrec.data.encodings import refuse_mixed_line_ends, text_lines, text_of
from elcrec.data.opening import Piece
from elcrec.data.raw import RawTable, ReadOptions
from elcrec.data.times import FIRST_SECONDS, LAST_MILLISECONDS
from elcrec.errors import DataError
from elcrec.wording import argument

_HIGHEST_RATING = 10


def is_text_format(name: str, lines: Sequence[str]) -> bool:
    """Whether lines are ``user item item ...``, the format of the benchmark files.

    Raises:
        DataError: They are numbers that may as well be a user, an item, a rating and a time.
    """
    rows = [line.split() for line in lines if line.strip()]
    if not rows or not all(field.isdecimal() for row in rows for field in row):
        return False
    if len({len(row) for row in rows}) == 1 and _look_like_events(rows):
        raise DataError(
            f"{name} has no header, and its lines of {len(rows[0])} numbers look like events: name its columns, for "
            f"example {columns_for(rows[0])}; if each line is a user and all their items, use "
            f"{argument('format', 'text')}"
        )
    return True


def _look_like_events(rows: list[list[str]]) -> bool:
    """Whether rows of one length may each be an event: users come again, or times or ratings stand in their places."""
    if not 3 <= len(rows[0]) <= 6:
        return False
    users = {row[0] for row in rows}
    timed = all(FIRST_SECONDS <= int(row[-1]) < LAST_MILLISECONDS for row in rows)
    rated = (
        len(rows) > 2
        and all(int(row[2]) <= _HIGHEST_RATING for row in rows)
        and any(int(row[1]) > _HIGHEST_RATING for row in rows)
    )
    return len(users) < len(rows) or timed or rated


def read_text(piece: Piece, options: ReadOptions) -> RawTable:
    """``user item item ...`` a line, positive integers, chronological; items exploded to rows in file order."""
    if options.columns is not None:
        raise DataError(
            f"{piece.name} is read as 'user item item ...' lines: leave {argument('columns')} out, "
            f"or {argument('format')}"
        )
    text = text_of(piece, options)
    refuse_mixed_line_ends(text.piece)
    lines = (
        text_lines(text.piece.source())
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
    return RawTable(frame.lazy(), piece.name, "text", "blanks", text.encoding, piece.compression, header=False)


def _check_lines(name: str, lines: pl.DataFrame) -> None:
    line = pl.col("line")
    columns = f"; name the columns of a file without a header with {argument('columns', 'user_id,item_id,...')}"
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
