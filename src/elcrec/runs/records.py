"""What is kept of a training: a record an epoch, and one of the whole."""

from __future__ import annotations

from typing import TypedDict

from elcrec.evaluation.metrics import RankingMetrics, Results
from elcrec.intents.intent_health import IntentHealth


class EpochRecord(TypedDict):
    """What is kept of an epoch.

    Attributes:
        epoch: From 1.
        losses: Mean of each loss term.
        valid: Validation metrics.
        intents: Health of the intents of the training rows.
        seconds: By phase.
    """

    epoch: int
    losses: dict[str, float]
    valid: RankingMetrics
    intents: IntentHealth
    seconds: dict[str, float]


class Increment(TypedDict):
    """What an incremental training was given.

    Attributes:
        new_events: Events that the log did not hold.
        known_events: Those that it held already.
        new_users: Users without earlier events.
        new_items: Items without earlier events.
        step: Interpolation weight of the trained weights, 0 to 1; see :func:`elcrec.training.increment.step_share`.
    """

    new_events: int
    known_events: int
    new_users: int
    new_items: int
    step: float


class ChoiceRecord(TypedDict):
    """A value that training chose for a setting.

    Attributes:
        value: Of the setting.
        reason: Why, as a phrase.
    """

    value: bool | int | float | str
    reason: str


class RunMetrics(Results, total=False):
    """What ``metrics.json`` holds in addition to the metrics.

    Attributes:
        intents: Health of the intents, by full histories.
        train_seconds: Of all epochs.
        imported_from: Name of the file of published weights.
        learnt_on: The latest incremental training.
        choices: What training chose, by setting.
        added_items: Number of items that were added since the training, the last ones.
        added_popularity: How much the latest of them are shown, 0 to 1; see :meth:`elcrec.ELCRec.add_items`.
    """

    intents: IntentHealth
    train_seconds: float
    imported_from: str
    learnt_on: Increment
    choices: dict[str, ChoiceRecord]
    added_items: int
    added_popularity: float
