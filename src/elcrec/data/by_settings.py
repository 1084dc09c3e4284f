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
from elcrec.data.new_kinds import no_kinds
from elcrec.data.reader import understand
from elcrec.errors import DataWarning, SettingsError
from elcrec.process.lazy import LazyModule
from elcrec.process.progress import step
from elcrec.process.warning import warn

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
OF_LAYOUT = tuple(name for name in OF_READING if name != "events")
"""Those of them that may differ from file to file: what is read stays the same."""
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
    return read_log(data, format, _read_by(settings, given, OF_READING))


def read_new_otherwise(
    data: Any, format: str | None, log: Interactions, settings: Settings, given: dict[str, Any]
) -> Interactions:
    """New events for the log of a run, in another layout than it was read in; see :func:`read_new`.

    Raises:
        SettingsError: ``given`` names settings that say more than where a file has its columns, and how it is written.
    """
    return read_new(data, format, _read_by(settings, given, OF_LAYOUT), log)


def _read_by(settings: Settings, given: dict[str, Any], changeable: tuple[str, ...]) -> Settings:
    """Settings of a run with some of those that say how a log is read."""
    others = [f"{name}={value}" for name, value in given.items() if name not in changeable]
    if others:
        raise SettingsError(
            f"the settings of the run hold, but those of how a log is read ({', '.join(changeable)}): leave out "
            f"{', '.join(others)}"
        )
    return validate(overridden(settings.model_dump(), given))


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


def read_new(data: Any, format: str | None, settings: Settings, log: Interactions | None = None) -> Interactions:
    """New events for a log that was read by the settings; an export of a server's events is read as what it is.

    Their ``event_id`` is kept where they have one.

    Args:
        data: The events.
        format: Format of a data file.
        settings: Those of the log.
        log: The log; None: it is not known yet.

    Raises:
        DataError: They cannot be read, or tell no kinds, where the kinds of the log make a difference. Those of a
            server may tell none.
    """
    of_log = tuple(log.kinds() or ()) if log is not None and settings.uses_kinds else ()
    if isinstance(data, Interactions):
        if of_log and not _tells_kinds_or_is_sent(data):
            raise no_kinds("the table of new events", of_log, layout(None, settings))
        newer = data.checked()
    else:  # events that the log has already are dropped later: copies are no surprise
        understood = understand(data, _layout_of_new(data, format, settings, of_log))
        newer = Interactions.understood(understood, copies=False)
    if settings.weight_column is not None and not {"weight", ID} & set(newer.frame.columns):
        warn(f"the new events have no column {settings.weight_column!r} (weight_column): each counts as 1", DataWarning)
        return Interactions(newer.frame.with_columns(weight=pl.lit(None, pl.Float64)))  # where read again, it is known
    return newer


def _layout_of_new(data: Any, format: str | None, settings: Settings, of_log: tuple[str, ...]) -> Layout:
    """What is known about new events: those of a server are as elcrec wrote them, and may tell no kinds."""
    if all(_header(one) in EXPORTED for one in (data if isinstance(data, list | tuple) else [data])):
        return Layout(format, missing="keep", lists="keep", exact=True, event_ids=True, kinds="keep")
    # New events may be of some kinds only.
    kinds: Kinds = "keep" if settings.uses_kinds or settings.weight_column else "count"
    return replace(layout(format, settings), event_ids=True, kinds=kinds, kinds_of_log=of_log)


def _tells_kinds_or_is_sent(newer: Interactions) -> bool:
    """Whether new events tell kinds, or have the ids of a server, whose events may tell none."""
    return bool(newer.kinds()) or ID in newer.frame.columns


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


def filtered(log: Interactions, settings: Settings, known: pl.Series | None = None) -> Interactions:
    """The training log: a view on a whole log, without the users and items that are too rare there.

    The whole log is what a run keeps, as rare users may not stay so; see :meth:`Interactions.filtered`.

    Args:
        log: The whole log.
        settings: The filters.
        known: Items of a trained model, which are kept however rare they are: some were added without events.
    """
    return log.filtered(settings.min_user_count, settings.min_item_count, settings.k_core, known)
