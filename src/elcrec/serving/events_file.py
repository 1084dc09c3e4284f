"""What a server keeps, as a log to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from elcrec.errors import DataError
from elcrec.serving.store import Event

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec


def events_as_log(model: ELCRec, events: Iterable[Event]) -> pl.DataFrame:
    """Events as new rows of the log that a model learnt from.

    Args:
        model: The model that was served; its log says what ids and times look like.
        events: What a store gave.

    Returns:
        ``user_id``, ``item_id`` and, where the log has times, ``timestamp``: whole numbers and dates where the log has
        them and all events do.

    Raises:
        DataError: There are none.
    """
    rows = [(event.user_id, event.item_id, event.time) for event in events]
    if not rows:
        raise DataError("the store holds no events: nothing is new")
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    log = model.log.frame
    columns = [_ids(frame[name], log.schema[name]) for name in ("user_id", "item_id")]
    return pl.DataFrame(
        [*columns, *([_times(frame["timestamp"], log.schema["timestamp"])] if "timestamp" in log else [])]
    )


def _ids(ids: pl.Series, kind: pl.DataType) -> pl.Series:
    numbers = ids.cast(kind, strict=False) if kind.is_integer() else None
    return ids if numbers is None or numbers.has_nulls() else numbers


def _times(seconds: pl.Series, kind: pl.DataType) -> pl.Series:
    if kind.is_temporal():
        zone = getattr(kind, "time_zone", None)
        moments = (seconds * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us"))
        return moments if zone is None else moments.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    whole = kind.is_integer() and bool((seconds == seconds.round()).all())
    return seconds.cast(pl.Int64) if whole else seconds
