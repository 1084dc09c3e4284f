"""Import of published weights: with the log they belong to they become a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec.config import Settings, resolve
from elcrec.data.by_settings import filtered, read_items, read_log
from elcrec.data.dataset import Dataset
from elcrec.data.interactions import Interactions
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, SettingsError
from elcrec.fitted import FittedModel
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.model.published import sizes, translate
from elcrec.runs.run import Run, network_of
from elcrec.runs.state_dict import read_weights

RECIPE = "paper"
DEFAULTS = {"fusion": "concat", "n_heads": 2}
"""Settings that do not follow from the shapes of the weights."""


def read_published(
    weights: Path, data: Any, device: torch.device, format: str | None, items: Any, overrides: Mapping[str, Any]
) -> Run:
    """See :meth:`elcrec.ELCRec.from_published`.

    Returns:
        A run of the recipe ``paper``, not evaluated yet.

    Raises:
        RunError: The file does not hold published weights.
        SettingsError: The weights contradict the settings.
        DataError: The log has other items.
    """
    published = read_weights(weights)
    shapes = sizes(published)
    n_items = shapes.pop("n_items")
    settings = _settings(shapes, overrides)
    whole = read_log(data, format, settings)
    log = filtered(whole, settings)
    vocabulary = Vocabulary(_numbered_ids(log, n_items), first=1, kind="item")
    catalogue = None if items is None else read_items(items, settings)
    dataset = Dataset.of(whole, settings, device, catalogue, vocabulary, log)
    network = network_of(translate(published), settings, n_items, f"{weights}").to(device)
    intents = Intents(IntentAssigner(FittedModel(settings, network, dataset)))
    return Run(RECIPE, intents, metrics={"imported_from": weights.name})


def _settings(shapes: Mapping[str, int], overrides: Mapping[str, Any]) -> Settings:
    """The recipe with the sizes that the weights have.

    Raises:
        SettingsError: The weights contradict an override.
    """
    clash = [name for name, value in overrides.items() if name in shapes and str(shapes[name]) != str(value)]
    if clash:
        raise SettingsError(f"the weights say otherwise: {', '.join(f'{name}={shapes[name]}' for name in clash)}")
    return resolve(RECIPE, {**DEFAULTS, **shapes, **overrides})


def _numbered_ids(log: Interactions, n_items: int) -> pl.Series:
    """The ids of published weights' items, 1 to ``n_items``, in the type of a log's.

    Raises:
        DataError: The log has other items.
    """
    ids = log.frame["item_id"]
    lowest, highest = ids.min(), ids.max()
    if not isinstance(lowest, int) or not isinstance(highest, int) or lowest < 1 or highest > n_items:
        raise DataError(
            f"these weights number their items 1 to {n_items:,}, the data's item ids go from {lowest!r} "
            f"to {highest!r}: are they of the same data set?"
        )
    return pl.Series("item_id", np.arange(1, n_items + 1)).cast(ids.dtype)
