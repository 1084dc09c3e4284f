"""What is known of each event of a history as one number: its kind, and the time since the event before it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.clock import NANOSECONDS, SECOND, Clock
from elcrec.data.interactions import Interactions
from elcrec.data.kind_columns import refuse_unknown
from elcrec.data.vocabulary import Indices
from elcrec.errors import DataError

MINUTE, HOUR, DAY = 60, 3600, 86_400
GAPS_FROM = (MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY)
"""In seconds: from these on a gap has the next code. Codes begin with 1, the same moment, and 2, less than a minute."""
N_GAPS = len(GAPS_FROM) + 3
"""Codes of gaps, with 0: unknown, or the first event of a history."""

Codes = TypeVar("Codes", Indices, Tensor)


def packed(kind_N: Codes, gap_N: Codes) -> Codes:
    """Codes of events, int64 [N], from the codes of their kinds and of their gaps."""
    return kind_N * N_GAPS + gap_N


def kinds_in(code_N: Codes) -> Codes:
    """The codes of kinds in codes of events: int64 [N]."""
    return code_N // N_GAPS


def gaps_in(code_N: Codes) -> Codes:
    """The codes of gaps in codes of events: int64 [N], below ``N_GAPS``."""
    return code_N % N_GAPS


def event_codes(log: Interactions, settings: Settings) -> Indices | None:
    """Codes of the events of a log: int64 [N], 0 where nothing is known; None where the model reads none.

    The kind counts from 1, in the order of ``input_kinds``; 0 are events of other kinds, or of none.
    """
    if settings.event_inputs == "none":
        return None
    kind_N = gap_N = np.zeros(len(log), dtype=np.int64)
    if settings.reads_kinds and "event" in log.frame.columns:
        kind_N = kind_codes(log.frame["event"], settings)
    unit = seconds_of(log)
    if settings.reads_gaps and unit is not None:
        length_U = log.lengths().to_numpy()
        gap_N = gap_codes(log.frame["timestamp"].to_physical().to_numpy(), unit, length_U.cumsum() - length_U)
    return packed(kind_N, gap_N)


def kind_codes(kinds: pl.Series, settings: Settings) -> Indices:
    """Codes of kinds of events, text [N]: int64 [N], 0 for those without an embedding."""
    code_by_kind = code_of_kinds(settings)
    codes: Indices = kinds.replace_strict(
        list(code_by_kind), list(code_by_kind.values()), default=0, return_dtype=pl.Int64
    ).to_numpy()
    return codes


def code_of_kinds(settings: Settings) -> dict[str, int]:
    """The code of each kind that has an embedding, from 1."""
    return {kind: code for code, kind in enumerate(settings.input_kinds, start=1)}


def gap_codes(time_N: npt.NDArray[Any], unit: float, first_X: Any = 0) -> Indices:
    """Codes of the time between each event and the one before it.

    Args:
        time_N: [N], times in order within each history.
        unit: Seconds of one unit of these times.
        first_X: Where histories begin.

    Returns:
        int64 [N], 0 to 7: 0 for the first event of each history.
    """
    gap_N = np.diff(time_N, prepend=time_N[:1])
    code_N: Indices = 1 + (gap_N > 0) + np.searchsorted(np.array(GAPS_FROM) / unit, gap_N, side="right")
    code_N[first_X] = 0
    return code_N


def seconds_of(log: Interactions) -> float | None:
    """Seconds of one unit of a log's times; None where it has none, or plain numbers (steps, years)."""
    times = log.frame.get_column("timestamp", default=None)
    clock = Clock.of(times)
    return None if times is None or clock.kind == "numbers" else NANOSECONDS[clock.unit] / SECOND


def with_input_kinds(settings: Settings, log: Interactions) -> Settings:
    """Settings with the kinds that the log has, the most frequent first, where those to embed are not named.

    Raises:
        DataError: The log lacks what ``event_inputs`` names.
    """
    if settings.reads_gaps and seconds_of(log) is None:
        raise DataError(
            f"event_inputs={settings.event_inputs} reads the time between events, and the log has no times that are "
            "moments: set event_inputs=kind or none"
        )
    if not settings.reads_kinds:
        return settings
    kinds = log.kinds() or {}
    refuse_unknown(settings.input_kinds, kinds, "input_kinds")
    if settings.input_kinds:
        return settings
    if len(kinds) < 2:
        raise DataError(
            f"event_inputs={settings.event_inputs} tells kinds of events apart, and the log has one: set "
            "event_inputs=gap or none"
        )
    return settings.model_copy(update={"input_kinds": tuple(kinds)})
