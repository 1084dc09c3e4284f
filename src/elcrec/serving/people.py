"""Histories: what the log knows of a user, and what was kept since."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from elcrec.serving.store import Kept

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec

Numbers = npt.NDArray[np.int64]
NOTHING = np.zeros(0, dtype=np.int64)


class Past(NamedTuple):
    """A history.

    Attributes:
        items: int64 [n], the model's item indices, oldest first.
        times: float64 [n], when; NaN where nobody knows.
    """

    items: Numbers
    times: npt.NDArray[np.float64]


def past(model: ELCRec, user: str, kept: Kept) -> Past:
    """The history of a user: the log's, unless he is forgotten, then what was kept.

    Of the events kept, those go that the log holds, too (same item, same time: the model learnt from an export of the
    store), and those of items that the model does not know.
    """
    log = None if kept.gone else model.history_of(user)
    if log is None:
        log, times = NOTHING, np.zeros(0)
    else:
        known = model.times_of(user)
        times = np.full(len(log), np.nan) if known is None else known
    if not kept.events:
        return Past(log, times)
    items = model.item_numbers(event.item_id for event in kept.events)
    in_log = set(zip(log.tolist(), times.tolist(), strict=True))
    fresh = [
        item > 0 and (item, event.time) not in in_log for item, event in zip(items.tolist(), kept.events, strict=True)
    ]
    when = np.array([event.time for event in kept.events])
    return Past(np.concatenate([log, items[fresh]]), np.concatenate([times, when[fresh]]))


def history(model: ELCRec, user: str, kept: Kept) -> Numbers:
    """The items of :func:`past`."""
    if kept.events:
        return past(model, user, kept).items
    log = None if kept.gone else model.history_of(user)
    return NOTHING if log is None else log
