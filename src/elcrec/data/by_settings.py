"""A log as the settings of a run want it."""

from __future__ import annotations

from typing import Any

from elcrec.config import Settings
from elcrec.data.interactions import Interactions


def read_log(data: Any, format: str | None, settings: Settings, event_ids: bool = False) -> Interactions:
    """A log by the settings' names of columns; see :meth:`Interactions.read`."""
    columns = (settings.user_column, settings.item_column, settings.timestamp_column)
    return Interactions.read(data, format, *columns, event_ids=event_ids)


def filtered(log: Interactions, settings: Settings) -> Interactions:
    """What a run learns from: a view on a whole log, without the users and items that are too rare there.

    The whole log is what a run keeps, as rare users may not stay so; see :meth:`Interactions.filtered`.
    """
    return log.filtered(settings.min_user_count, settings.min_item_count, settings.k_core)
