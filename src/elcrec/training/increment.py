"""Incremental training: epochs on trained weights, interpolated by the share of new events."""

from __future__ import annotations

import torch

from elcrec.config import Settings
from elcrec.data.splits import Split
from elcrec.evaluation.metrics import SELECTION_METRIC
from elcrec.model.network import ELCRecNetwork
from elcrec.training.centers import start_centers
from elcrec.training.checkpoint import Progress
from elcrec.training.loop import Reporter, train, validate, weights_of

# From this share of new events on, the weights move the full step.
FULL_STEP = 0.01


def step_share(n_new: int, n_events: int) -> float:
    """Interpolation weight of incremental training: 0 without a new event, 1 from a share of ``FULL_STEP`` on.

    Args:
        n_new: Number of new training events.
        n_events: Number of all training events, the new ones included.
    """
    return min(1.0, n_new / (FULL_STEP * n_events))


def train_on(
    network: ELCRecNetwork, split: Split, settings: Settings, epochs: int, reporter: Reporter, share: float
) -> Progress:
    """Train a few epochs over the whole log from trained weights, and interpolate.

    Epochs over a log that hardly changed would still change the recommendations of all users. So the weights end at
    ``start + share (best epoch - start)``. They stay at the start where validation is better there.

    Args:
        network: Trained, its vocabulary extended by new items; the result ends up in it.
        split: The whole log.
        settings: Settings of the model.
        epochs: Number of epochs.
        reporter: Receives every step and epoch.
        share: See :func:`step_share`.

    Returns:
        The progress; ``best_epoch`` is 0 where the start was kept.

    Source: interpolation between weights before and after fine-tuning (Wortsman et al. 2022).
    """
    settings = settings.model_copy(update={"epochs": epochs, "warmup_epochs": 0})
    first, value = weights_of(network), validate(network, split, settings)[SELECTION_METRIC]
    state = train(network, split, settings, reporter, start=Progress(best_value=value))
    if share < 1 and state.best_epoch:
        last = network.state_dict()
        network.load_state_dict({name: torch.lerp(first[name], last[name], share) for name in first})
        if validate(network, split, settings)[SELECTION_METRIC] < value:
            network.load_state_dict(first)
            state.best_epoch = 0
        elif settings.intent_learning == "em":  # k-means finds the centres in another order: no way in between
            start_centers(network, split, settings)
    return state
