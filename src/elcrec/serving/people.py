"""Histories: what the log knows of a user, and what was kept since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from elcrec.data.clock import Clock, Time
from elcrec.serving.store import Event, Kept

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec

Numbers = npt.NDArray[np.int64]
NOTHING = np.zeros(0, dtype=np.int64)


class Past(NamedTuple):
    """A history.

    Attributes:
        items: int64 [n], the model's item indices, oldest first.
        times: [n], when, as answers show it; None where nobody knows.
    """

    items: Numbers
    times: list[Time | None]


def past(model: ELCRec, user: str, kept: Kept) -> Past:
    """The history of a user: the log's, unless they are forgotten, and what was kept since.

    Of the events kept, those go that the log holds, too, and those of items that the model does not know. The rest
    stands where a log that has learnt from it will hold it (:meth:`elcrec.data.interactions.Interactions.joined`):
    in order of time, after what the log has of the same time; at the end of a log without times.
    """
    clock = model.clock
    log = None if kept.gone else model.history_of(user)
    known = None if log is None else model.times_of(user)
    log_times: list[Time | None] = [None] * (0 if log is None else len(log)) if known is None else known.tolist()
    log = NOTHING if log is None else log
    fresh = _fresh(model, kept.events, log, log_times)
    items = np.concatenate([log, np.array([item for item, _ in fresh], dtype=np.int64)])
    times = [*log_times, *(time for _, time in fresh)]
    if fresh and known is not None:
        order = np.argsort(np.array(times), kind="stable")
        items, times = items[order], [times[at] for at in order.tolist()]
    return Past(items, [None if time is None else clock.shown(time) for time in times])


def _fresh(
    model: ELCRec, events: Iterable[Event], log: Numbers, log_times: list[Time | None]
) -> list[tuple[int, Time]]:
    """Items and log times of the events that a user's part of the log does not hold."""
    placed = in_log_time(model.clock, events)
    items = model.item_numbers(event.item_id for event, _ in placed).tolist()
    held = Counter(zip(log.tolist(), log_times, strict=True))
    fresh = []
    for item, (event, time) in zip(items, placed, strict=True):
        if item < 0 or (len(log) and event.event_id in model.learnt_events):
            continue
        if held[item, time] > 0:
            held[item, time] -= 1
            continue
        fresh.append((item, time))
    return fresh


def in_log_time(clock: Clock, events: Iterable[Event]) -> list[tuple[Event, Time]]:
    """Events and their times in the log's unit, in order; those at the same time stay as they come.

    What elcrec 0.1 kept at a time that is none of such a log is left out.
    """
    told = [(event, clock.time_of(event.time)) for event in events]
    return sorted(((event, time) for event, time in told if time is not None), key=lambda one: one[1])


def history(model: ELCRec, user: str, kept: Kept) -> Numbers:
    """The items of :func:`past`."""
    if kept.events:
        return past(model, user, kept).items
    log = None if kept.gone else model.history_of(user)
    return NOTHING if log is None else log
