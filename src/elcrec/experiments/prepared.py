"""A log that is checked to have training items and items to predict."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from elcrec.config import Settings
from elcrec.data.dataset import Dataset
from elcrec.data.interactions import Interactions


def prepare(log: Interactions, settings: Settings, parts: Iterable[str] = ("valid", "test")) -> Dataset:
    """A log as settings want it, on the CPU, with the training part of every user (whatever ``train_share``).

    Args:
        log: As :func:`elcrec.data.by_settings.read_log` read it, not filtered yet.
        settings: Filters and split.
        parts: What there has to be something to predict for.

    Raises:
        DataError: The filters leave nothing, or no user has an item to predict or two training items.
    """
    dataset = Dataset.of(log, settings.model_copy(update={"train_share": 1.0}), torch.device("cpu"))
    for part in parts:
        dataset.split.targets(part)
    dataset.split.learning_from(settings.train_share, settings.seed).learners()
    return dataset
