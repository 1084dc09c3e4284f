"""Divergence: a training with non-finite numbers ends with an error; its weights are never kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.errors import TrainingError
from elcrec.training.distributed import Team

CONTRASTS = ("instance", "intent")


def check_losses(
    means: Mapping[str, float], terms_S: Sequence[Tensor], epoch: int, settings: Settings, team: Team
) -> None:
    """Raise unless the mean of every loss term is finite.

    A term that is infinite or not a number at one step makes its sum so: the steps are looked at only then, so that a
    training that goes well waits for no device.

    Args:
        means: Mean of each term over the steps so far, over all processes.
        terms_S: The terms of each step so far, [terms] each, as in ``means``; this process's part.
        epoch: Number of the epoch, for the message.
        settings: Settings, for the message.
        team: The processes; all of them see the same ``means``.

    Raises:
        TrainingError: One is not; with the first such step and the terms.
    """
    if all(math.isfinite(mean) for mean in means.values()):
        return
    bad_SX = ~team.sum(torch.stack(list(terms_S))).isfinite()
    step = int(bad_SX.any(dim=1).int().argmax())
    named = [name for name, bad in zip(means, bad_SX[step].tolist(), strict=True) if bad]
    parts = [name for name in named if name != "total"] or list(means)
    raise TrainingError(_sentence(f"step {step + 1}, the loss ({', '.join(parts)})", parts, epoch, settings))


def check_weights(weights: Iterable[Tensor], epoch: int, settings: Settings) -> None:
    """Raise unless all weights are finite: the last step of an epoch shows in no loss.

    Raises:
        TrainingError: One is not.
    """
    if not all(bool(weight.isfinite().all()) for weight in weights):
        raise TrainingError(_sentence("after its last step, a weight", (), epoch, settings))


def _sentence(what: str, terms: Sequence[str], epoch: int, settings: Settings) -> str:
    remedy = f"lower learning_rate (now {settings.learning_rate:g})"
    if any(term in CONTRASTS for term in terms):
        remedy += f" or raise temperature (now {settings.temperature:g})"
    return f"training diverged in epoch {epoch}: {what} is not finite; {remedy}. The model does not change"
