"""A log of who did what in which order: the one thing every other step starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data import joining
from elcrec.data.files import ROWS_AT_ONCE, first_line_that_is_no_text, read_column, scan_frame, sniff
from elcrec.data.named import locate
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError
from elcrec.storage import write_atomically

ALIASES: dict[str, tuple[str, ...]] = {
    "user_id": ("user_id", "user", "userid", "uid", "customer_id", "visitor_id", "session_id"),
    "item_id": ("item_id", "item", "itemid", "iid", "product_id", "movie_id", "movieid", "article_id"),
    "timestamp": ("timestamp", "time", "datetime", "date", "ts", "event_time", "unixreviewtime"),
}


@dataclass(frozen=True)
class Interactions:
    """A validated log.

    Attributes:
        frame: Columns ``user_id``, ``item_id`` (integers or strings, as they came) and, if known,
            ``timestamp``. Users in natural order, each user's rows in order of time; rows with equal
            time, or without times, keep the order they came in. Without times, ``event_id`` (text or null) stays
            where there is one: it tells which events are here already.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @classmethod
    def read(
        cls,
        source: Any,
        format: str | None = None,
        user_column: str | None = None,
        item_column: str | None = None,
        timestamp_column: str | None = None,
        event_ids: bool = False,
    ) -> Interactions:
        """Read a log from a file or a frame, a column at a time.

        What is in order already is not sorted again: a file that :meth:`write` wrote is read in seconds.

        Args:
            source: Path of a file, the name of a fetched data set (``beauty``, ...; see
                :mod:`elcrec.data.named`), or a pandas, Polars or Arrow table.
            format: See :func:`elcrec.data.files.read_frame`.
            user_column: Name of the user column; by default one of the usual names.
            item_column: Name of the item column, likewise.
            timestamp_column: Name of the time column, likewise; without one, file order is time order.
            event_ids: Keep the column ``event_id``, where there is one, of a log with times, too: for :meth:`joined`.

        Raises:
            DataError: What is wrong, with the column or line, and what to do.
        """
        if isinstance(source, Interactions):
            return source
        is_file = isinstance(source, str | Path)
        source = locate(source) if is_file else source
        raw = scan_frame(source, format) if is_file else _to_polars(source)
        kind = (format or sniff(Path(source))) if is_file else "table"
        asked = {"user_id": user_column, "item_id": item_column, "timestamp": timestamp_column}
        chosen = _choose_columns(raw.collect_schema().names(), asked)
        if (event_ids or "timestamp" not in chosen) and joining.ID not in chosen.values():
            chosen |= {joining.ID: joining.ID} if joining.ID in raw.collect_schema() else {}
        if kind == "jsonl":
            _refuse_mixed(Path(source), raw, chosen)
        columns = []
        for ours, theirs in chosen.items():
            column = read_column(raw, theirs, source, format) if is_file else raw.select(theirs).collect()[theirs]
            columns.append(_validate(column.alias(ours), untyped=kind in ("csv", "tsv")))
        return cls(_in_order(columns))

    def write(self, path: str | Path) -> None:
        """Write the log as a Parquet file, checked and in order: :meth:`read` has nothing left to do but read.

        Raises:
            RunError: The disk is full or the folder cannot be written.
        """
        write_atomically(Path(path), lambda beside: self.frame.write_parquet(beside))

    def filtered(self, min_user_count: int = 1, min_item_count: int = 1, k_core: int = 1) -> Interactions:
        """The log without rare users and items.

        Args:
            min_user_count: Users with fewer rows go (after the items, once).
            min_item_count: Items with fewer rows go (first, once).
            k_core: Users and items with fewer rows go, again and again until none is left.

        Raises:
            DataError: Nothing is left.
        """
        frame = _at_least(self.frame, "item_id", min_item_count)
        frame = _at_least(frame, "user_id", min_user_count)
        height = -1
        while k_core > 1 and frame.height != height:
            height = frame.height
            frame = _at_least(_at_least(frame, "item_id", k_core), "user_id", k_core)
        if frame.is_empty():
            raise DataError(
                f"no interaction is left after min_user_count={min_user_count}, "
                f"min_item_count={min_item_count}, k_core={k_core}: lower them"
            )
        return Interactions(frame)

    def joined(self, newer: Interactions) -> Interactions:
        """This log and newer events, each once.

        The log decides: ids become its type, times its unit (what is finer is cut off). Events with one ``event_id``
        are one. With times, events of one user, item and time are the same ones: what occurs m times here and n times
        there occurs max(m, n) times. Without, an event is new unless the log holds its ``event_id``; it follows the
        user's events here.

        Raises:
            DataError: The events do not fit the log.
        """
        return Interactions(_in_order(joining.joined(self.frame, newer.frame).get_columns()))

    def lengths(self) -> pl.Series:
        """Events of each user, in the order of the users."""
        return self.frame["user_id"].rle().struct.field("len").cast(pl.Int64)

    def _blocks(self, lengths: pl.Series) -> Iterator[pl.DataFrame]:
        """The rows in parts of bounded size that hold whole users."""
        end_U = lengths.cum_sum().to_numpy()
        first = 0
        while first < len(self):
            user = max(
                int(end_U.searchsorted(first + ROWS_AT_ONCE, "right")) - 1, int(end_U.searchsorted(first, "right"))
            )
            yield self.frame.slice(first, int(end_U[user]) - first)
            first = int(end_U[user])

    def summary(self) -> dict[str, Any]:
        """Size and shape of the log.

        Returns:
            ``rows``, ``users``, ``items``, ``density`` (rows over users x items), ``first`` and ``last``
            time (text) or None, ``repeats`` (share of rows whose user had the item before) and the
            lengths of histories: ``length_min``, ``length_median``, ``length_mean``, ``length_max``.
        """
        frame = self.frame
        lengths = self.lengths()
        users, items = len(lengths), frame["item_id"].n_unique()
        distinct = sum(block.select("user_id", "item_id").unique().height for block in self._blocks(lengths))
        times = frame["timestamp"] if "timestamp" in frame.columns else None
        return {
            "rows": frame.height,
            "users": users,
            "items": items,
            "density": frame.height / (users * items),
            "first": None if times is None else str(times.min()),
            "last": None if times is None else str(times.max()),
            "repeats": 1 - distinct / frame.height,
            "length_min": int(lengths.min()),  # type: ignore[arg-type]
            "length_median": float(lengths.median()),  # type: ignore[arg-type]
            "length_mean": float(lengths.mean()),  # type: ignore[arg-type]
            "length_max": int(lengths.max()),  # type: ignore[arg-type]
        }


def _at_least(frame: pl.DataFrame, column: str, count: int) -> pl.DataFrame:
    return frame if count <= 1 else frame.filter(pl.len().over(column) >= count)


def _to_polars(source: Any) -> pl.LazyFrame:
    try:
        frame = source.collect() if isinstance(source, pl.LazyFrame) else pl.DataFrame(source)
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"cannot use a {type(source).__name__} as interactions ({reason}): "
            f"pass a file, or a pandas, Polars or Arrow table with ids of one type per column"
        ) from error
    if frame.is_empty():
        raise DataError("the table has no rows: nothing to learn from")
    return frame.lazy()


def _refuse_mixed(path: Path, raw: pl.LazyFrame, chosen: dict[str, str]) -> None:
    for ours in ("user_id", "item_id"):
        if raw.collect_schema()[chosen[ours]] == pl.String:
            number = first_line_that_is_no_text(path, chosen[ours])
            if number is not None:
                raise DataError(
                    f"{path}, line {number}: {ours} is no text, as it is in other lines: "
                    f"ids are integers or strings, one type a column"
                )


def _choose_columns(there: list[str], asked: dict[str, str | None]) -> dict[str, str]:
    """The caller's column for each of ours; RecBole's ``name:type`` headers count as ``name``."""
    present = ", ".join(repr(column) for column in there[:8])
    plain = {column.split(":")[0].strip().lower(): column for column in there}
    chosen: dict[str, str] = {}
    for ours, wanted in asked.items():
        if wanted is not None:
            if wanted not in there:
                raise DataError(f"no column {wanted!r}: the data has {present}")
            chosen[ours] = wanted
            continue
        found = next((plain[alias] for alias in ALIASES[ours] if alias in plain), None)
        if found is not None:
            chosen[ours] = found
        elif ours != "timestamp":
            raise DataError(
                f"no {ours} column: the data has {present}; "
                f"name it with {ours.removesuffix('_id')}_column (--set {ours.removesuffix('_id')}_column=NAME)"
            )
    return chosen


def _validate(column: pl.Series, untyped: bool) -> pl.Series:
    if column.is_empty():
        raise DataError("the data has a header but no rows: nothing to learn from")
    if column.name == joining.ID:
        return joining.event_ids(column)
    return _validate_times(column) if column.name == "timestamp" else _validate_ids(column, untyped)


def _validate_ids(column: pl.Series, untyped: bool) -> pl.Series:
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    missing = column.null_count()
    if column.dtype.is_float():
        missing += int(column.is_nan().sum())
        if missing == 0 and (column.is_finite() & (column == column.round()) & (column.abs() <= 2**53)).all():
            column = column.cast(pl.Int64)
    if column.dtype == pl.String:
        missing += int(column.str.strip_chars().is_in(["", "NaN", "nan"] if untyped else [""]).sum())
    if missing:
        raise DataError(f"{missing:,} rows have no {column.name}: remove them or give them an id")
    if column.dtype == pl.String:
        return _integers_if_faithful(column) if untyped else column
    if not column.dtype.is_integer():
        raise DataError(f"{column.name} is of type {column.dtype}: ids are integers or strings, one type a column")
    return column


def _integers_if_faithful(column: pl.Series) -> pl.Series:
    """Text that reads as integers and prints back the same becomes integers; ``007`` stays text."""
    numbers = column.cast(pl.Int64, strict=False)
    if numbers.null_count() == 0 and (numbers.cast(pl.String) == column).all():
        return numbers
    return column


def _validate_times(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        column = _parse_times(column)
    if not (column.dtype.is_numeric() or column.dtype.is_temporal()):
        raise DataError(f"timestamp is of type {column.dtype}: use numbers, dates or ISO 8601 text")
    missing = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
    if missing:
        raise DataError(f"{missing:,} rows have no timestamp: remove them, or leave the column out")
    if column.dtype.is_float() and column.is_infinite().any():
        raise DataError(f"{column.is_infinite().sum():,} rows have an infinite timestamp: mend or remove them")
    return column


def _parse_times(column: pl.Series) -> pl.Series:
    known = column.null_count()
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.null_count() == known:
            return numbers
    zone = "UTC" if _has_zone(column) else None
    try:
        times = column.str.to_datetime(time_unit="us", time_zone=zone, strict=False)
    except pl.exceptions.PolarsError:  # not even one tells how they are written
        times = pl.repeat(None, len(column), dtype=pl.Datetime, eager=True)
    if times.null_count() > known:
        [example] = column.filter(times.is_null() & column.is_not_null()).head(1)
        [first] = column.drop_nulls().head(1)
        beside = "" if example == first else f" (the first is {first!r})"
        raise DataError(
            f"cannot read timestamps such as {example!r}{beside}: use numbers or ISO 8601 text, all of one form"
        )
    return times


def _has_zone(column: pl.Series) -> bool:
    first = column.drop_nulls().head(1)
    return bool(first.str.contains(r"(Z|[+-]\d\d:?\d\d)$").any())


def _in_order(columns: list[pl.Series]) -> pl.DataFrame:
    """The rows by user, then by time; columns leave the list one by one, so that none is there twice for long."""
    user_N = pl.Series("user", Vocabulary.of(columns[0]).indices(columns[0]))
    time_N = [column for column in columns if column.name == "timestamp"]
    if _is_in_order(user_N, *time_N):
        return pl.DataFrame(columns)
    by = pl.DataFrame([user_N, *time_N])
    order_N = by.select(pl.arg_sort_by(by.columns, maintain_order=True)).to_series()
    del by, user_N, time_N
    return pl.DataFrame([columns.pop(0).gather(order_N) for _ in range(len(columns))])


def _is_in_order(user_N: pl.Series, time_N: pl.Series | None = None) -> bool:
    if time_N is None:
        return user_N.is_sorted()
    for first in range(0, len(user_N) - 1, ROWS_AT_ONCE):
        user_B, time_B = (column.slice(first, ROWS_AT_ONCE + 1) for column in (user_N, time_N))
        before = (user_B.shift(-1) < user_B) | ((user_B.shift(-1) == user_B) & (time_B.shift(-1) < time_B))
        if before.any():
            return False
    return True
