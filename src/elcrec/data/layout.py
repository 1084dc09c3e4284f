"""The layout of a log, as the caller describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from elcrec.data.raw import ReadOptions
from elcrec.errors import DataError
from elcrec.process.wording import argument, setting

Missing = Literal["refuse", "drop", "keep"]
Lists = Literal["refuse", "keep"]
Kinds = Literal["count", "keep", "need"]


@dataclass(frozen=True)
class Layout:
    """What the caller says about a log; whatever is None is detected from the data.

    Attributes:
        format: One of :data:`elcrec.data.raw.Format`.
        columns: Names by position, separated by commas, for files without a header; ``_`` is a column not read.
        user_column: Name of the user column.
        item_column: Name of the item column.
        timestamp_column: Name of the time column.
        time_format: How text times are written (``%m/%d/%Y``).
        missing: What happens to rows without an id or a time: ``refuse`` the log, ``drop`` the rows, or ``keep``
            words such as ``None`` as ids.
        lists: What happens to ids that look like lists (``1,5``, ``A1 B2``): ``refuse`` the log, or ``keep`` them.
        encoding: Of text that is not UTF-8.
        event_ids: Read the column ``event_id``, where there is one.
        event_column: Name of the column with kinds of events.
        weight_column: Name of a column that weighs events.
        events: Kinds of events to keep; empty: all.
        kinds: Whether kinds of events are only counted (``count``), are kept where there are some (``keep``), or must
            be there (``need``), those of ``events`` included.
        kinds_of_log: Kinds of the log that new events are for, where they make a difference: new events that tell
            none are refused.
        exact: Text ids are what they say, also where they look like lists, totals or numbers with a point: elcrec
            wrote them.
    """

    format: str | None = None
    columns: str | None = None
    user_column: str | None = None
    item_column: str | None = None
    timestamp_column: str | None = None
    time_format: str | None = None
    missing: Missing = "refuse"
    lists: Lists = "refuse"
    encoding: str | None = None
    event_ids: bool = False
    exact: bool = False
    event_column: str | None = None
    weight_column: str | None = None
    events: tuple[str, ...] = ()
    kinds: Kinds = "count"
    kinds_of_log: tuple[str, ...] = ()

    @property
    def by_role(self) -> dict[str, str | None]:
        """The caller's column for each role."""
        ids = {"user_id": self.user_column, "item_id": self.item_column}
        weight = {} if self.weight_column is None else {"weight": self.weight_column}
        return {**ids, "timestamp": self.timestamp_column, "event": self.event_column, **weight}

    def read_options(self) -> ReadOptions:
        """What reading a file needs to know.

        Raises:
            DataError: ``columns`` names nothing, something twice, or what a column holds (``user=Customer``).
        """
        names = None
        if self.columns is not None:
            names = tuple(name.strip() for name in self.columns.split(","))
            read = [name for name in names if name not in ("_", "")]
            if any("=" in name for name in read):
                raise DataError(
                    f"{argument('columns', self.columns)}: this names all columns of a file by position; to say what "
                    f"one column holds, use {setting('user_column', 'NAME')}, item_column, timestamp_column, ..."
                )
            if len(set(read)) < len(read) or not read:
                raise DataError(
                    f"{argument('columns', self.columns)}: name each column once, '_' for one that is not read"
                )
        return ReadOptions(self.format, names, self.encoding, tuple(filter(None, self.by_role.values())))
