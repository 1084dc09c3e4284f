"""The events of a store as a log to train on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from elcrec.data.joining import ID, is_id
from elcrec.errors import DataError, SettingsError, StoreError, decoding
from elcrec.serving.histories import in_log_time
from elcrec.serving.store import Event, in_order, open_store, shown

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec


class Exported(NamedTuple):
    """Events as rows, and how many are left out.

    Attributes:
        rows: ``user_id``, ``item_id``, ``timestamp`` (where the log has times) in the types that the log has, and
            ``event_id``; in order of time.
        left_out: Number of events whose ids or times the log cannot hold; a server refuses such events.
    """

    rows: pl.DataFrame
    left_out: int


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
    log, every = model.log.frame.schema, in_order(list(events))
    users, items = log["user_id"], log["item_id"]
    words = model.settings.missing == "keep"
    fitting = [event for event in every if is_id(event.user_id, users, words) and is_id(event.item_id, items, words)]
    placed = in_log_time(model.lookup.clock, fitting)
    if not placed:
        raise DataError("the store holds no events: nothing is new")
    stored = [event for event, _ in placed]
    columns = [_ids("user_id", [event.user_id for event in stored], users)]
    columns.append(_ids("item_id", [event.item_id for event in stored], items))
    if "timestamp" in log:
        whole = pl.Int64 if model.lookup.clock.whole else pl.Float64
        times = pl.Series("timestamp", [time for _, time in placed], dtype=whole)
        columns.append(times.cast(log["timestamp"]))
    columns.append(pl.Series(ID, [event.event_id for event in stored], dtype=pl.String))
    return Exported(pl.DataFrame(columns), len(every) - len(stored))


def _ids(name: str, ids: list[str], kind: pl.DataType) -> pl.Series:
    texts = pl.Series(name, ids, dtype=pl.String)
    return texts.cast(pl.UInt64 if kind == pl.UInt64 else pl.Int64) if kind.is_integer() else texts
