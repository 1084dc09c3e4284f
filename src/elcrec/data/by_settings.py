"""Logs, and tables of items and users, read by the settings of a run; logs filtered by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from elcrec.config import Settings, overridden, resolve, validate
from elcrec.data.catalogue import Catalogue, ItemSource
from elcrec.data.interactions import Interactions
from elcrec.data.joining import ID
from elcrec.data.kinds import with_kinds
from elcrec.data.layout import Kinds, Layout
from elcrec.data.reader import understand
from elcrec.errors import SettingsError
from elcrec.process.lazy import LazyModule
from elcrec.process.progress import step

if TYPE_CHECKING:
    from elcrec.data import user_table
    from elcrec.data.user_table import UserSource, UserTable
else:
    user_table = LazyModule("elcrec.data.user_table")  # it imports PyTorch

READING = "reading the log"
EXPORTED = tuple(("user_id", "item_id", *time, *kind, ID) for time in (("timestamp",), ()) for kind in (("event",), ()))
"""The columns of a server's events, written for the next training: with times and kinds where they are known."""
OF_READING = (
    *("columns", "user_column", "item_column", "timestamp_column"),
    *("time_format", "missing", "lists", "encoding"),
    *("event_column", "weight_column", "events"),
)
"""The settings that say how a log is read."""
OF_KINDS = ("event_weights", "target_event", "event_inputs")
"""The settings that need kinds of events in a log."""
OF_FILTERS = ("min_user_count", "min_item_count", "k_core")
"""The settings that say which users and items of a log are kept."""


def layout(format: str | None, settings: Settings) -> Layout:
    """What the settings say about a log."""
    named = {name: getattr(settings, name) for name in OF_READING}
    return Layout(format, **named, kinds="need" if settings.uses_kinds else "count")


def read_log(data: Any, format: str | None, settings: Settings) -> Interactions:
    """A log by what the settings say; see :meth:`Interactions.read`."""
    if isinstance(data, Interactions):
        return with_kinds(data.checked(), settings)
    with step(READING):
        return Interactions.understood(understand(data, layout(format, settings)))


def read_items(items: ItemSource, settings: Settings) -> Catalogue:
    """Item metadata by what the settings say about titles and the log; see :meth:`Catalogue.read`."""
    return Catalogue.read(items, title_column=settings.title_column, log_column=settings.item_column)


def read_users(users: UserSource, settings: Settings) -> UserTable:
    """What is known about users, by what the settings say about the log; see :meth:`UserTable.read`."""
    return user_table.UserTable.read(users, log_column=settings.user_column)


def read_with_kinds(data: Any, format: str | None, settings: Settings) -> Interactions:
    """A log by what the settings say, with its kinds of events where it has some."""
    asked = layout(format, settings)
    kinds: Kinds = "need" if settings.uses_kinds else "keep"
    with step(READING):
        return Interactions.understood(understand(data, replace(asked, kinds=kinds)))


def read_otherwise(data: Any, format: str | None, settings: Settings, given: dict[str, Any]) -> Interactions:
    """A log for the model of a run, in another layout than its training log.

    Raises:
        SettingsError: ``given`` names settings that say more than how a log is read.
    """
    others = [f"{name}={value}" for name, value in given.items() if name not in OF_READING]
    if others:
        raise SettingsError(
            f"the settings of the run hold, but those of how a log is read ({', '.join(OF_READING)}): leave out "
            f"{', '.join(others)}"
        )
    return read_log(data, format, validate(overridden(settings.model_dump(), given)))


def settings_of_log(given: Mapping[str, Any], filters: bool) -> Settings:
    """Settings for reading a log without training on it.

    Args:
        given: Values by name.
        filters: Whether rare users and items are left out, too.

    Raises:
        SettingsError: ``given`` names settings without effect on what is read, or a value is not allowed.
    """
    settings, used = resolve("default", given), (*OF_READING, *OF_KINDS, *(OF_FILTERS if filters else ()))
    others = [f"{name}={value}" for name, value in given.items() if name not in used]
    if others:
        raise SettingsError(
            f"{', '.join(others)} would have no effect: here the settings count that say how a log is read "
            f"({', '.join(used)})"
        )
    return settings


def read_new(data: Any, format: str | None, settings: Settings) -> Interactions:
    """New events for a log that was read by the settings; an export of a server's events is read as what it is.

    Their ``event_id`` is kept where they have one.
    """
    if isinstance(data, Interactions):
        return data.checked()
    exported = all(_header(one) in EXPORTED for one in (data if isinstance(data, list | tuple) else [data]))
    asked = Layout(format, missing="keep", lists="keep", exact=True) if exported else layout(format, settings)
    # New events may be of some kinds only, or of none: then they are of the kind that is predicted.
    kinds: Kinds = "keep" if exported or settings.uses_kinds or settings.weight_column else "count"
    # Events that the log has already are dropped later: copies are no surprise.
    return Interactions.understood(understand(data, replace(asked, event_ids=True, kinds=kinds)), copies=False)


def _header(data: Any) -> tuple[str, ...]:
    """The columns of a table, or of a file as ``elcrec events`` writes it."""
    path = Path(data) if isinstance(data, str | Path) else None
    try:
        if path is None:
            return tuple(getattr(data, "columns", ()))
        if path.suffix == ".parquet":
            return tuple(pl.read_parquet_schema(path))
        with path.open(encoding="utf-8") as lines:
            line = lines.readline(1000).rstrip("\n")
            return tuple(json.loads(line) if line.startswith("{") else line.split(","))
    except (OSError, ValueError, TypeError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return ()


def filtered(log: Interactions, settings: Settings) -> Interactions:
    """The training log: a view on a whole log, without the users and items that are too rare there.

    The whole log is what a run keeps, as rare users may not stay so; see :meth:`Interactions.filtered`.
    """
    return log.filtered(settings.min_user_count, settings.min_item_count, settings.k_core)
