"""Interaction logs: users, items and times, in order. All other steps start from one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from elcrec.data import joining
from elcrec.data.accepted import Table
from elcrec.data.files import ROWS_AT_ONCE
from elcrec.data.ids import as_list
from elcrec.data.layout import Kinds, Layout, Lists, Missing
from elcrec.data.notebook import table
from elcrec.data.reader import Understood, understand
from elcrec.data.times import dated, unit_of
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, DataWarning
from elcrec.process.warning import warn
from elcrec.process.wording import counted
from elcrec.storage import sink, table_format, write_atomically

LogSource: TypeAlias = "str | Path | Sequence[str | Path] | Table | Interactions"
"""See :meth:`Interactions.read`."""
_NAMES = {"csv": "CSV", "jsonl": "JSON Lines"}
"""What people call the formats of text."""


@dataclass(frozen=True)
class Interactions:
    """A validated log.

    Examples:
        >>> log = Interactions.read(pl.DataFrame({"user": ["u1", "u1"], "item": ["b", "a"], "time": [2, 1]}))
        >>> log.frame["item_id"].to_list()
        ['a', 'b']

    Attributes:
        frame: Columns ``user_id``, ``item_id`` (integers or strings, as they came) and, if known,
            ``timestamp``. Users in natural order, each user's rows in order of time; rows with equal
            time, or without times, keep the order they came in. Where kinds of events or weights make a difference,
            ``event`` (text) and ``weight`` (float) are kept; null stands for the kind that is predicted, and for 1.
            New events, and a log without times that such events were added to, keep ``event_id`` (text or null), too:
            it identifies the events of the log.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        shape = ", ".join(counted(number, thing) for thing, number in self._counts().items())
        return f"Interactions({shape})"

    def _repr_html_(self) -> str:
        """For notebooks: the size of the log and its period."""
        rows = {f"{thing}s": f"{number:,}" for thing, number in self._counts().items()}
        if "timestamp" in self.frame.columns and len(self):
            rows |= dict(zip(("first", "last"), _ends(self.frame["timestamp"]), strict=True))
        return table("Interactions", rows)

    def _counts(self) -> dict[str, int]:
        ids = {name: self.frame[f"{name}_id"].n_unique() for name in ("user", "item")}
        return {"event": len(self), **ids}

    def checked(self) -> Interactions:
        """This log, which the caller made.

        Raises:
            DataError: Columns are missing, or rows are in another order than ``read`` gives them.
        """
        if missing := {"user_id", "item_id"}.difference(self.frame.columns):
            raise DataError(f"the log has no column {min(missing)!r}: make it with Interactions.read(frame)")
        for name in ("user_id", "item_id"):
            if not (self.frame[name].dtype == pl.String or self.frame[name].dtype.is_integer()):
                kind = self.frame[name].dtype
                raise DataError(f"{name} is of type {kind}: make the log with Interactions.read(frame)")
        user_N, time_N = self.frame["user_id"], self.frame.get_column("timestamp", default=None)
        begins_N = user_N.ne_missing(user_N.shift(1))
        sorted_N = True if time_N is None else (begins_N | (time_N >= time_N.shift(1))).slice(1).all()
        user_U = user_N.filter(begins_N)
        if user_U.n_unique() < len(user_U) or not sorted_N or not Vocabulary.of(user_U).ids.equals(user_U):
            raise DataError("rows are not in order of users and times: make the log with Interactions.read(frame)")
        return self

    # reason: public signature
    @classmethod
    def read(
        cls,
        source: LogSource,
        format: str | None = None,
        user_column: str | None = None,
        item_column: str | None = None,
        timestamp_column: str | None = None,
        columns: str | None = None,
        time_format: str | None = None,
        missing: Missing = "refuse",
        encoding: str | None = None,
        event_ids: bool = False,
        lists: Lists = "refuse",
        event_column: str | None = None,
        weight_column: str | None = None,
        events: Sequence[str] = (),
        kinds: bool = False,
    ) -> Interactions:
        """Read a log from a file or a frame, a column at a time.

        What is in order already is not sorted again: a file that :meth:`write` wrote is read in seconds.

        Args:
            source: Path of a file, a folder of parts, an archive, several of these in a list, the name of a fetched
                data set (``beauty``, ...; see :mod:`elcrec.data.named`), or a pandas, Polars or Arrow table.
            format: See :func:`elcrec.data.files.read_frame`.
            user_column: Name of the user column; by default one of the usual names.
            item_column: Name of the item column; by default one of the usual names.
            timestamp_column: Name of the time column; by default one of the usual names. Without a time column, file
                order is time order.
            columns: Names by position, for files without a header: ``user_id,item_id,_,timestamp``.
            time_format: Timestamp format (strptime), where it is ambiguous: ``%m/%d/%Y``.
            missing: ``refuse`` a log with rows that lack an id or a time, ``drop`` such rows, or ``keep`` words for
                "missing" (``None``, ``NULL``, ...) as ids.
            encoding: Character encoding of text that is not UTF-8.
            event_ids: Keep the column ``event_id``, where there is one: for :meth:`joined`.
            lists: ``refuse`` a log whose ids look like lists (``1,5``, ``A1 B2``), or ``keep`` them as they are.
            event_column: Name of the column with kinds of events; by default one of the usual names.
            weight_column: Name of a column that weighs events; kept as ``weight``.
            events: Kinds of events to keep; by default all.
            kinds: Keep the column ``event``; kept with ``events``, too.

        Raises:
            DataError: The log cannot be read with certainty; the message has the column or line, and the remedy.
        """
        if isinstance(source, Interactions):
            return source.checked()
        named = (user_column, item_column, timestamp_column)
        asked = Layout(format, columns, *named, time_format, missing, lists, encoding, event_ids)
        chosen: Kinds = "need" if kinds or events else "count"
        asked = replace(
            asked, event_column=event_column, weight_column=weight_column, events=tuple(as_list("events", events))
        )
        return cls.understood(understand(source, replace(asked, kinds=chosen)))

    @classmethod
    def understood(cls, log: Understood, quiet: bool = False, copies: bool = True) -> Interactions:
        """The log that was read; what may surprise is a :class:`elcrec.errors.DataWarning`.

        Args:
            log: What was read.
            quiet: Warn of nothing.
            copies: Warn of events that equal an earlier one.
        """
        read = cls(_in_order(log.columns))
        for note in [] if quiet else [*log.notes, *(said_copies(read.copies()) if copies else [])]:
            warn(note, DataWarning)
        return read

    def write(self, path: str | Path) -> None:
        """Write the log, checked and in order, in the format of the file's ending; :meth:`read` gives the same log.

        Parquet is read fastest: :meth:`read` has nothing left to do but read. CSV (``.csv``) and JSON Lines
        (``.jsonl``) are text, and text does not hold every log: CSV has no ids such as ``12`` that are no numbers.

        Raises:
            SettingsError: The ending is none of a table.
            RunError: The disk is full, the folder cannot be written, or the text would be read as another log; what was
                at ``path`` is untouched.
        """
        path = Path(path)
        format = table_format(path)

        def write(beside: Path) -> None:
            sink(self.frame.lazy(), beside, format)
            changed = None if format == "parquet" else self._changed_by(beside, format)
            if changed is not None:
                raise DataError(f"{changed}; name it {path.with_suffix('.parquet')}")

        write_atomically(path, write)

    def _changed_by(self, path: Path, format: str) -> str | None:
        """How a file of text that this log was written to would be read as another log; None: it is the same."""
        there = self.frame.columns
        kinds: Kinds = "keep" if "event" in there else "count"
        weight = "weight" if "weight" in there else None
        exactly = Layout(format, missing="keep", lists="keep", event_ids=True, kinds=kinds, weight_column=weight)
        try:
            again = Interactions.understood(understand(path, exactly), quiet=True).frame
        except DataError as error:
            return f"{_NAMES[format]} cannot hold this log ({str(error).removeprefix(path.name + ', ')})"
        changed = next(
            (name for name in there if not _is_same(self.frame[name], again.get_column(name, default=None))), None
        )
        return changed and f"the values of {changed} would be others when they are read from {_NAMES[format]}"

    def filtered(
        self, min_user_count: int = 1, min_item_count: int = 1, k_core: int = 1, known: pl.Series | None = None
    ) -> Interactions:
        """The log without rare users and items.

        Args:
            min_user_count: Users with fewer rows go (after the items, once).
            min_item_count: Items with fewer rows go (first, once).
            k_core: Users and items with fewer rows go, again and again until none is left.
            known: Items whose events stay however rare they are. Other items do not stay for them; users do.

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
        if known is not None and len(frame) < len(self.frame):
            frame = _with_events_of(known, frame, self.frame, max(min_user_count, k_core))
        return Interactions(frame)

    def in_time_of(self, log: Interactions) -> Interactions:
        """The same with times of the type and unit of another log that has some; as it is without times.

        Raises:
            DataError: They cannot be expressed in it.
        """
        if "timestamp" not in self.frame.columns:
            return self
        times = joining.times_in_unit_of(log.frame["timestamp"], self.frame["timestamp"])
        return Interactions(self.frame.with_columns(timestamp=times))

    def kinds(self) -> dict[str, int] | None:
        """Events of each kind, most frequent first; None where no kinds are kept."""
        if "event" not in self.frame.columns:
            return None
        counts = self.frame["event"].drop_nulls().value_counts().sort(["count", "event"], descending=[True, False])
        return dict(counts.iter_rows())

    def joined(self, newer: Interactions, kind: str | None = None) -> Interactions:
        """This log and newer events, each once.

        The log decides: ids become its type, times its unit (what is finer is cut off). Events with one ``event_id``
        are one. With times, events of one user, item and time are the same ones: what occurs m times here and n times
        there occurs max(m, n) times. Without, an event is new unless the log holds its ``event_id``; it follows the
        user's events here. Where the log keeps kinds, events of one user, item and time but of different kinds are
        different ones, too.

        Args:
            newer: The events.
            kind: Where the log keeps kinds, that of newer events without one.

        Raises:
            DataError: The events do not fit the log.
        """
        return Interactions(_in_order(joining.joined(self.frame, newer.frame, kind).get_columns()))

    def lengths(self) -> pl.Series:
        """Events of each user, in the order of the users."""
        return self.frame["user_id"].rle().struct.field("len").cast(pl.Int64)

    def begins_basket(self) -> pl.Series:
        """Whether each event begins a basket, the events of one user at one time; without times each event does."""
        if "timestamp" not in self.frame.columns:
            return pl.repeat(True, len(self), dtype=pl.Boolean, eager=True)
        changes = [pl.col(name).ne_missing(pl.col(name).shift(1)) for name in ("user_id", "timestamp")]
        return self.frame.select(begins=pl.any_horizontal(changes)).to_series()

    def tied_share(self) -> float:
        """Share of the events that share their time with another event of their user, 0 to 1; 0 without times."""
        begins = self.begins_basket()
        tied = ~(begins & begins.shift(-1, fill_value=True))
        return float(tied.mean())  # type: ignore[arg-type]

    def copies(self) -> int:
        """Number of rows that an earlier row equals, time included; 0 without times."""
        if self.begins_basket().all():
            return 0
        return sum(map(_copies, self._blocks(self.lengths())))

    def most_baskets(self) -> int:
        """The largest number of different times, or without times of events, that a user has."""
        counts = self.frame["user_id"].filter(self.begins_basket()).rle().struct.field("len")
        return int(counts.max())  # type: ignore[arg-type]

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
            time (text; a moment, UTC, where numbers count moments) or None, ``repeats`` (share of rows whose user had
            the item before) and the lengths of histories: ``length_min``, ``length_median``, ``length_mean``,
            ``length_max``; where kinds of events are kept, ``kinds`` (events of each).
        """
        frame = self.frame
        lengths = self.lengths()
        users, items = len(lengths), frame["item_id"].n_unique()
        distinct = sum(block.select("user_id", "item_id").unique().height for block in self._blocks(lengths))
        first, last = _ends(frame["timestamp"]) if "timestamp" in frame.columns else (None, None)
        kinds = self.kinds()
        return {
            "rows": frame.height,
            "users": users,
            "items": items,
            "density": frame.height / (users * items),
            "first": first,
            "last": last,
            "repeats": 1 - distinct / frame.height,
            "length_min": int(lengths.min()),  # type: ignore[arg-type]
            "length_median": float(lengths.median()),  # type: ignore[arg-type]
            "length_mean": float(lengths.mean()),  # type: ignore[arg-type]
            "length_max": int(lengths.max()),  # type: ignore[arg-type]
            **({} if kinds is None else {"kinds": kinds}),
        }


def _copies(frame: pl.DataFrame) -> int:
    """Number of rows that an earlier row equals; only rows of one hash are compared, which is ten times as fast."""
    hashes = frame.hash_rows(seed=0)
    if hashes.n_unique() == frame.height:
        return 0
    alike = frame.filter(hashes.is_duplicated())
    return alike.height - alike.n_unique()


def said_copies(number: int) -> list[str]:
    """What to say of events that equal an earlier one in all that is read; nothing without any."""
    if not number:
        return []
    return [f"{counted(number, 'event', 'has', 'have')} the user, item and time of an earlier one: each counts"]


def _is_same(column: pl.Series, again: pl.Series | None) -> bool:
    """Whether values that were written are read as they were; times may have come in another unit."""
    if again is None or (column.dtype == pl.String) != (again.dtype == pl.String):
        return False
    return column.equals(again.cast(column.dtype, strict=False))


def _ends(times: pl.Series) -> list[str]:
    ends = pl.Series([times.min(), times.max()], dtype=times.dtype)
    return [str(end) for end in dated(ends, unit_of(times))]


def _at_least(frame: pl.DataFrame, column: str, count: int) -> pl.DataFrame:
    return frame if count <= 1 else frame.filter(pl.len().over(column) >= count)


def _with_events_of(known: pl.Series, kept: pl.DataFrame, whole: pl.DataFrame, least: int) -> pl.DataFrame:
    """The rows that are kept, and all rows of known items by users who are kept or have so many rows of both."""
    items, users = kept["item_id"].unique(), kept["user_id"].unique()
    known = known.cast(items.dtype).rename(items.name)
    rare = known.filter(~known.is_in(items.implode()))
    if not whole["item_id"].is_in(rare.implode()).any():
        return kept
    frame = whole.filter(pl.col("item_id").is_in(pl.concat([items, rare]).implode()))
    return frame.filter(pl.col("user_id").is_in(users.implode()) | (pl.len().over("user_id") >= least))


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
