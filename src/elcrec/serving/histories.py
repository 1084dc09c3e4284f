"""Histories of users: the events of the log, and those stored since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from elcrec.config import Settings
from elcrec.data.clock import Clock, Time
from elcrec.data.features import Features
from elcrec.data.vocabulary import Indices
from elcrec.serving.store import Event, UserRecord

if TYPE_CHECKING:
    from elcrec.inference.lookup import Lookup

NO_ITEMS = np.zeros(0, dtype=np.int64)


class UserHistory(NamedTuple):
    """A history.

    Attributes:
        items: int64 [n], item indices, oldest first.
        times: [n], as responses show them; None where unknown.
        codes: int64 [n], see :meth:`elcrec.inference.lookup.Lookup.codes_of`; None: nothing is known of the events.
    """

    items: Indices
    times: list[Time | None]
    codes: Indices | None = None


class RankedHistory(NamedTuple):
    """A history as it is ranked.

    Attributes:
        items: int64 [n], item indices, oldest first.
        baskets: int64 [n], see :meth:`elcrec.inference.lookup.Lookup.baskets_of`; None: none are known.
        codes: int64 [n], see :meth:`elcrec.inference.lookup.Lookup.codes_of`; None: nothing is known of the events.
        features: What is known of the user, a row; None: nothing.
    """

    items: Indices
    baskets: Indices | None = None
    codes: Indices | None = None
    features: Features | None = None


class TransferredHistory(NamedTuple):
    """A history that one model knows, as another reads it.

    Attributes:
        history: What the other model reads.
        unknown: Ids of the items that it does not know, each once, oldest first.
    """

    history: RankedHistory
    unknown: list[Any]


class _Merged(NamedTuple):
    """The events of a history: of the log, and new ones.

    Attributes:
        items: int64 [n], item indices, oldest first.
        times: [n], in the log's unit; None where it has no times.
        places: int64 [n], where they stand in the user's part of the log; -1: nowhere.
        kinds: [n], what new events tell; None elsewhere.
    """

    items: Indices
    times: Sequence[Time | None]
    places: Indices
    kinds: list[str | None]


class _NewEvent(NamedTuple):
    """An event that the log does not hold: its item index, its time in the log's unit, and its kind if it tells one."""

    item: int
    time: Time
    kind: str | None


def user_history(lookup: Lookup, user: str, record: UserRecord) -> UserHistory:
    """The history of a user: the log's, unless the user was deleted, and the events stored since.

    Stored events that the log holds, too, are left out, and those of items that the model does not know. The rest
    stands where a log that is joined with it will hold it (:meth:`elcrec.data.interactions.Interactions.joined`):
    in order of time, after events of the log with the same time; at the end of a log without times.
    """
    merged = _merged(lookup, user, record)
    times = [None if time is None else lookup.clock.shown(time) for time in merged.times]
    return UserHistory(merged.items, times, lookup.codes_of(user, merged.places, merged.times, merged.kinds))


def ranked_history(lookup: Lookup, user: str, record: UserRecord) -> RankedHistory:
    """The items of :func:`user_history`, their baskets, and what is known of them and, unless deleted, of the user."""
    items, times, places, kinds = _merged(lookup, user, record)
    features = None if record.forgotten else lookup.features_of(user)
    return RankedHistory(items, lookup.baskets_of(times), lookup.codes_of(user, places, times, kinds), features)


def transferred_history(lookup: Lookup, user: str, record: UserRecord, other: Lookup) -> TransferredHistory:
    """The items of :func:`user_history` as another model reads them; its own log adds nothing to them.

    The events are given to it as a store would hold them: in its own unit of time, with their kinds.
    """
    merged = _merged(lookup, user, record)
    items, in_log = lookup.item_ids(merged.items), lookup.kinds_of(user)
    kinds = [
        kind if place < 0 or in_log is None else in_log[place]
        for place, kind in zip(merged.places.tolist(), merged.kinds, strict=True)
    ]
    times: Sequence[Time] = range(len(items))  # to a log without times the order is all there is
    if has_times(other):
        times = [lookup.clock.kept_of(time) for time in merged.times if time is not None]
    known = zip(items, times, kinds, strict=True)
    events = tuple(Event("", user, str(item), time, kind) for item, time, kind in known)
    found = ranked_history(other, user, UserRecord(True, events))
    features = None if record.forgotten else other.features_of(user)
    return TransferredHistory(found._replace(features=features), unknown_to(other, items))


def unknown_to(lookup: Lookup, items: Sequence[Any]) -> list[Any]:
    """The ids that a model does not know, each once, in their order."""
    numbers = lookup.topn.item_numbers(items).tolist()
    return list(dict.fromkeys(item for item, number in zip(items, numbers, strict=True) if number <= 0))


def has_times(lookup: Lookup) -> bool:
    """Whether the log of a model has times."""
    return "timestamp" in lookup.fitted.log.frame.columns


def _merged(lookup: Lookup, user: str, record: UserRecord) -> _Merged:
    """The items of :func:`user_history`."""
    log = _items_in_log(lookup, user, record)
    known = lookup.times_of(user) if len(log) else None
    log_times: list[Time | None] = [None] * len(log) if known is None else known.tolist()
    new = _new_events(lookup, user, record.events, log, log_times) if record.events else []
    places, kinds = np.arange(len(log)), [None] * len(log)
    if not new:
        return _Merged(log, log_times, places, [*kinds])
    items = np.concatenate([log, np.array([event.item for event in new], dtype=np.int64)])
    merged = _Merged(
        items,
        [*log_times, *(event.time for event in new)],
        np.concatenate([places, np.full(len(new), -1)]),
        [*kinds, *(event.kind for event in new)],
    )
    return merged if known is None else _in_order(merged)


def _in_order(merged: _Merged) -> _Merged:
    """In order of time; equal times stay as they are."""
    order = np.argsort(np.array(merged.times), kind="stable")
    times, kinds = ([column[place] for place in order.tolist()] for column in (merged.times, merged.kinds))
    return _Merged(merged.items[order], times, merged.places[order], kinds)


def _items_in_log(lookup: Lookup, user: str, record: UserRecord) -> Indices:
    """The items of a user's part of the log; none of an unknown or deleted user."""
    items = None if record.forgotten else lookup.history_of(user)
    return NO_ITEMS if items is None else items


def _new_events(
    lookup: Lookup, user: str, events: Iterable[Event], log: Indices, log_times: list[Time | None]
) -> list[_NewEvent]:
    """The events that a user's part of the log does not hold."""
    kinds = lookup.kinds_of(user) if len(log) else None
    held, kind_of_new, new = _held(log, log_times, kinds), lookup.fitted.settings.kind_of_new, []
    for item, time, event in _of_known_items(lookup, events):
        if len(log) and event.event_id in lookup.learnt_events:
            continue
        kind = None if kinds is None else event.event or kind_of_new
        key = (item, time) if kind is None else (item, time, kind)
        if held[key] > 0:
            held[key] -= 1
        else:
            new.append(_NewEvent(item, time, event.event))
    return new


def _of_known_items(lookup: Lookup, events: Iterable[Event]) -> Iterator[tuple[int, Time, Event]]:
    """Events of kinds that are read and of items that the model knows, with item index and time; in order of time."""
    settings = lookup.fitted.settings
    placed = in_log_time(lookup.clock, [event for event in events if has_read_kind(event, settings)])
    items = lookup.topn.item_numbers(event.item_id for event, _ in placed).tolist()
    return ((item, time, event) for item, (event, time) in zip(items, placed, strict=True) if item >= 0)


def _held(log: Indices, log_times: list[Time | None], kinds: Sequence[str | None] | None) -> Counter[tuple[Any, ...]]:
    """How often a user's part of the log holds an item at a time, and the same of each kind where kinds are known."""
    in_log = list(zip(log.tolist(), log_times, strict=True))
    # Of any kind: for events of which nothing says which kind they have.
    held: Counter[tuple[Any, ...]] = Counter(in_log)
    if kinds is not None:
        held.update((*one, kind) for one, kind in zip(in_log, kinds, strict=True) if kind is not None)
    return held


def has_read_kind(event: Event, settings: Settings) -> bool:
    """Whether a log that is read by the settings keeps an event: it tells no kind, or one in ``events``."""
    return event.event is None or not settings.events or event.event in settings.events


def in_log_time(clock: Clock, events: Iterable[Event]) -> list[tuple[Event, Time]]:
    """Events and their times in the log's unit, in order; equal times stay as they came.

    An event that elcrec 0.1 stored at a time that such a log cannot hold is left out.
    """
    timed = [(event, clock.time_of(event.time)) for event in events]
    return sorted(((event, time) for event, time in timed if time is not None), key=lambda one: one[1])
