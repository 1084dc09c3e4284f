"""A log as the settings of a run want it."""

from __future__ import annotations

from typing import Any

from elcrec.config import Settings
from elcrec.data.interactions import Interactions


def read_log(data: Any, format: str | None, settings: Settings) -> Interactions:
    """A log by the settings' names of columns; see :meth:`Interactions.read`."""
    return Interactions.read(data, format, settings.user_column, settings.item_column, settings.timestamp_column)


def filtered(log: Interactions, settings: Settings) -> Interactions:
    """A log without the users and items that are too rare; see :meth:`Interactions.filtered`."""
    return log.filtered(settings.min_user_count, settings.min_item_count, settings.k_core)
