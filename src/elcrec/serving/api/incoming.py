"""Checks new events and converts them to stored ones, so that the log can hold each of them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from elcrec.data.clock import NANOSECONDS, SECOND, Clock, Time
from elcrec.data.joining import id_fault
from elcrec.data.kind_columns import refuse_unknown
from elcrec.errors import DataError
from elcrec.process.wording import counted
from elcrec.serving.api.schemas.users import NewEvent
from elcrec.serving.store import Event

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec


def stored_events(model: ELCRec, events: Sequence[NewEvent], newest: Mapping[str, Time]) -> list[Event]:
    """Events as the store takes them.

    Args:
        model: The served model: its log says which ids and times are valid.
        events: As they were sent. Without an ``event_id``, user, item, ``timestamp`` and kind, if it tells one,
            identify an event; without a ``timestamp`` either, each is an event of its own, now.
        newest: The last stored time of the users in :func:`users_without_time`.

    Raises:
        DataError: The log could not hold an id or a time, or has no event of a kind.
    """
    if model.lookup.kinds is not None:
        refuse_unknown([one.event for one in events if one.event is not None], model.lookup.kinds, "event")
    words = model.settings.missing == "keep"
    clock, kinds, last, stored = model.lookup.clock, model.log.frame.schema, dict(newest), []
    for one in events:
        user, item = (_id(name, getattr(one, name), kinds[name], words) for name in ("user_id", "item_id"))
        time = clock.now(last.get(user)) if one.timestamp is None else clock.kept(one.timestamp)
        if clock.kind == "numbers":
            last[user] = max(time, last.get(user, time))
        known = uuid.uuid4().hex if one.timestamp is None else _digest(user, item, time, one.event)
        stored.append(Event(one.event_id or known, user, item, time, one.event))
    return stored


def users_without_time(model: ELCRec, events: Sequence[NewEvent]) -> list[str]:
    """Users whose last stored time matters: the log has plain numbers for times, and they have an event without one."""
    if model.lookup.clock.kind == "moments":
        return []
    return sorted({str(one.user_id) for one in events if one.timestamp is None})


def odd_times(clock: Clock, events: Sequence[Event]) -> list[str]:
    """What looks odd about the times of events, in sentences; plain numbers may be any."""
    tomorrow = clock.now() + NANOSECONDS["day"]
    ahead = [event.time for event in events if event.time > tomorrow] if clock.kind == "moments" else []
    if not ahead:
        return []
    last = datetime.fromtimestamp(max(ahead) // SECOND, UTC).isoformat()
    return [
        f"{counted(len(ahead), 'event', 'is', 'are')} in the future (the last at {last}) and will be the newest of "
        "the user until then: are the unit and the format of times right?"
    ]


def _id(name: str, given: str | int, kind: pl.DataType, words: bool) -> str:
    text = str(given)
    if (fault := id_fault(text, kind, words)) is not None:
        raise DataError(f"{name} {fault}, and this event is to be added to it: no event of the request is stored")
    return text


def _digest(user: str, item: str, time: Time, kind: str | None) -> str:
    identity = json.dumps([user, item, time, *([] if kind is None else [kind])]).encode()
    return hashlib.blake2b(identity, digest_size=16, person=b"elcrec event").hexdigest()
