"""Records of a training, one per epoch."""

from __future__ import annotations

from typing import TypedDict

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
    valid: dict[str, float]
    intents: IntentHealth
    seconds: dict[str, float]
