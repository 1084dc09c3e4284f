"""The events of a store as a log to train on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from elcrec.data.clock import Clock, Time
from elcrec.data.joining import ID, id_fault
from elcrec.errors import DataError, SettingsError, StoreError, decoding
from elcrec.process.wording import counted
from elcrec.serving.histories import has_read_kind, in_log_time
from elcrec.serving.store import Event, in_order, open_store, shown

if TYPE_CHECKING:
    from elcrec.config import Settings
    from elcrec.recommender import ELCRec


class Exported(NamedTuple):
    """Events as rows, and how many are left out.

    Attributes:
        rows: ``user_id``, ``item_id``, ``timestamp`` (where the log has times) in the types that the log has, ``event``
            (where some event tells its kind; the others have the kind of new events), and ``event_id``; in order of
            time.
        left_out: Number of events whose ids or times the log cannot hold, or of kinds that are not read; a server
            refuses such events.
        first_left_out: Which event the first of these is, and why; None where there is none.
    """

    rows: pl.DataFrame
    left_out: int
    first_left_out: str | None = None


def events_kept_at(place: str, model: ELCRec) -> Exported:
    """:func:`events_as_log` of a store.

    Args:
        place: Its address, see :func:`elcrec.serving.store.open_store`.
        model: The model that was served.

    Raises:
        SettingsError: The store cannot be read, or holds times of another kind.
        DataError: There are no events.
    """
    remedy = "see that its server answers" if "://" in place else "restore a copy, or save what sqlite3 can .recover"

    def unreadable(why: object) -> SettingsError:
        return SettingsError(f"--store {shown(place)} cannot be read ({why}): {remedy}")

    with closing(open_store(place)) as store, decoding(unreadable):
        try:
            every = list(store.everything())
            if every:  # a server may have adopted an empty store already
                store.adopt(model.lookup.clock.kind)
        except StoreError as error:
            raise unreadable(error) from error
        return events_as_log(model, every)


def events_as_log(model: ELCRec, events: Iterable[Event]) -> Exported:
    """Events as new rows of the log that a model was trained on.

    Args:
        model: The model that was served; its log has the types of ids and times.
        events: The events of a store.

    Raises:
        DataError: There are none.
    """
    log, settings, every = model.log.frame.schema, model.settings, in_order(list(events))
    words = settings.missing == "keep"
    clock = model.lookup.clock
    faults = [_fault(event, log, words, settings, clock) for event in every]
    placed = in_log_time(clock, [event for event, fault in zip(every, faults, strict=True) if fault is None])
    odd = [f"event {event.event_id} ({fault})" for event, fault in zip(every, faults, strict=True) if fault]
    if not placed and odd:
        raise DataError(f"nothing in the store fits the log ({counted(len(odd), 'event')}): the first is {odd[0]}")
    if not placed:
        raise DataError("the store holds no events: nothing is new")
    return Exported(_rows(model, placed), len(odd), odd[0] if odd else None)


def _rows(model: ELCRec, placed: list[tuple[Event, Time]]) -> pl.DataFrame:
    """Events and their times in the log's unit as rows; see :class:`Exported`."""
    log, kept = model.log.frame.schema, [event for event, _ in placed]
    columns = [_ids(name, [getattr(event, name) for event in kept], log[name]) for name in ("user_id", "item_id")]
    if "timestamp" in log:
        columns.append(_times([time for _, time in placed], model.lookup.clock, log["timestamp"]))
    if any(event.event is not None for event in kept):
        columns.append(_kinds(kept, model.settings.kind_of_new))
    columns.append(pl.Series(ID, [event.event_id for event in kept], dtype=pl.String))
    return pl.DataFrame(columns)


def _fault(event: Event, log: pl.Schema, words: bool, settings: Settings, clock: Clock) -> str | None:
    """Why the log cannot hold an event; None where it can.

    Args:
        event: The event.
        log: Types of the log's columns.
        words: Words that stand for a missing value are ids, too.
        settings: Say which kinds of events are read.
        clock: Of the log.
    """
    for name in ("user_id", "item_id"):
        if (fault := id_fault(getattr(event, name), log[name], words)) is not None:
            return f"{name} {fault}"
    if not has_read_kind(event, settings):
        return f"kind {event.event!r}: the log reads no such kind"
    return None if clock.time_of(event.time) is not None else "its time is none that the log can hold"


def _ids(name: str, ids: list[str], dtype: pl.DataType) -> pl.Series:
    texts = pl.Series(name, ids, dtype=pl.String)
    return texts.cast(pl.UInt64 if dtype == pl.UInt64 else pl.Int64) if dtype.is_integer() else texts


def _times(times: list[Time], clock: Clock, dtype: pl.DataType) -> pl.Series:
    """Times in the log's unit, in the type that the log has."""
    return pl.Series("timestamp", times, dtype=pl.Int64 if clock.whole else pl.Float64).cast(dtype)


def _kinds(events: list[Event], kind_of_new: str | None) -> pl.Series:
    """Kinds of events; those that tell none have the kind of new events."""
    return pl.Series("event", [event.event or kind_of_new for event in events], dtype=pl.String)
