"""A log as the settings of a run want it."""

from __future__ import annotations

from typing import Any

from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.reader import Layout, understand


def layout(format: str | None, settings: Settings) -> Layout:
    """What the settings say about a log."""
    s = settings
    return Layout(
        format, s.columns, s.user_column, s.item_column, s.timestamp_column, s.time_format, s.missing, s.encoding
    )


def read_log(data: Any, format: str | None, settings: Settings) -> Interactions:
    """A log by what the settings say; see :meth:`Interactions.read`."""
    if isinstance(data, Interactions):
        return data
    return Interactions.understood(understand(data, layout(format, settings)))


def filtered(log: Interactions, settings: Settings) -> Interactions:
    """A log without the users and items that are too rare; see :meth:`Interactions.filtered`."""
    return log.filtered(settings.min_user_count, settings.min_item_count, settings.k_core)
