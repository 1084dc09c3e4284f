"""Kinds of events, and what events are worth: which are read, which are targets, which are held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.kind_columns import refuse_unknown, with_shares
from elcrec.errors import DataError


class Worth(NamedTuple):
    """What events are worth.

    Attributes:
        weight_N: float32 [N], weight as a target, >= 0; 0: input only. None where all are alike.
        judged_N: bool [N], which events may be held out; None where all may.
    """

    weight_N: npt.NDArray[np.float32] | None = None
    judged_N: npt.NDArray[np.bool_] | None = None


def with_kinds(log: Interactions, settings: Settings) -> Interactions:
    """A log that was read elsewhere, with only the kinds of events that the settings keep.

    Raises:
        DataError: It lacks what the settings ask for.
    """
    if settings.weight_column is not None and "weight" not in log.frame.columns:
        raise DataError(
            "the log has no weights: read it with weight_column (Interactions.read(..., weight_column=...))"
        )
    if not settings.uses_kinds:
        return log
    kinds = log.kinds()
    if kinds is None:
        raise DataError("the log has no kinds of events: read it with kinds=True (Interactions.read(..., kinds=True))")
    if not settings.events or set(kinds) <= set(settings.events):
        return log
    refuse_unknown(settings.events, kinds, "events")
    return Interactions(log.frame.filter(pl.col("event").is_in(settings.events).fill_null(True)))


def check_kinds(log: Interactions, settings: Settings) -> None:
    """Raise DataError where weights or the kind to predict name kinds that a whole log lacks."""
    kinds = log.kinds()
    if kinds is not None:
        refuse_unknown(settings.event_weights, kinds, "event_weights")
        refuse_unknown(() if settings.target_event is None else (settings.target_event,), kinds, "target_event")


def unknown_kinds(log: Interactions, newer: Interactions, settings: Settings) -> str | None:
    """What to say of kinds of new events that a log lacks; None where there are none, or all kinds are alike."""
    before, kinds = log.kinds(), newer.kinds()
    if before is None or kinds is None or set(kinds) <= set(before):
        return None
    effects = []
    if settings.target_kind is not None:
        effects.append("they are input only, neither targets nor held out")
    if settings.reads_kinds:
        effects.append("they are read as unknown kinds (event_inputs) until a training from scratch")
    if not effects:
        return None
    return (
        f"new events are of kinds that the log does not have, {with_shares(kinds, set(kinds) - set(before))}: "
        f"{', and '.join(effects)}; the log has {with_shares(before)}"
    )


def worth_of(log: Interactions, settings: Settings) -> Worth:
    """What the events of a log are worth: weights of their kinds times those of their column."""
    frame, weight, judged = log.frame, _weight(log.frame, settings), None
    if settings.target_kind is not None and "event" in frame.columns:
        judged = (frame["event"] == settings.target_kind).fill_null(True).to_numpy()
    if weight is None:
        return Worth(None, judged)
    weight_N = weight.cast(pl.Float32).to_numpy(writable=True)
    counts_N = weight_N > 0
    return Worth(weight_N, counts_N if judged is None else judged & counts_N)


def _weight(frame: pl.DataFrame, settings: Settings) -> pl.Series | None:
    """Weights of events; None where all are alike."""
    weight = None
    if settings.event_weights and "event" in frame.columns:
        weight = _of_kinds(frame["event"], settings)
    if settings.weight_column is not None and "weight" in frame.columns:
        own = _own(frame["weight"], settings.min_weight or 0.0)
        weight = own if weight is None else weight * own
    return weight


def _of_kinds(events: pl.Series, settings: Settings) -> pl.Series:
    """Weights of kinds; an event without a kind is of the one that is predicted."""
    kinds = events.fill_null(settings.target_kind)
    weights = settings.event_weights
    return kinds.replace_strict(list(weights), list(weights.values()), default=0.0, return_dtype=pl.Float64)


def _own(weights: pl.Series, least: float) -> pl.Series:
    """Weights of a column; events without one are worth 1, or the least that counts."""
    whole = weights.fill_null(max(1.0, least))
    return whole.set(whole < least, 0.0)


def said_kinds(settings: Settings, kinds: Mapping[str, int] | None) -> list[str]:
    """Sentences about the kinds of a log, and about what is trained on and predicted of them."""
    lines = []
    if kinds:
        n_events = sum(kinds.values())
        lines.append(
            "events: " + ", ".join(f"{_share(kind, kinds, n_events)}{_role(settings, kind)}" for kind in kinds)
        )
    if settings.target_kind is not None:
        lines.append(f"predicted in validation and test: the last events of kind {settings.target_kind}")
    if settings.weight_column is not None:
        least = "" if settings.min_weight is None else f"; below {settings.min_weight:g} they are input only"
        lines.append(f"targets are weighed by the column {settings.weight_column}{least}")
    return lines


def _share(kind: str, kinds: Mapping[str, int], n_events: int) -> str:
    return f"{kind} {kinds[kind] / n_events:.1%}"


def _role(settings: Settings, kind: str) -> str:
    """Of a kind, what it is to training."""
    if not settings.event_weights:
        return ""
    weight = settings.event_weights.get(kind, 0.0)
    return f" (weight {weight:g})" if weight else " (input only)"
