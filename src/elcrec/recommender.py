"""ELCRec as its users meet it: its parts put together, and the ways to come by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec.answering import Answering
from elcrec.config import resolve
from elcrec.data.by_settings import filtered, read_log
from elcrec.data.catalogue import Catalogue
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, SettingsError
from elcrec.learning import Learning
from elcrec.model.published import sizes, translate
from elcrec.run_folder import RunFolder
from elcrec.storage import read_weights
from elcrec.training.distributed import own_device


class ELCRec(Answering, Learning):
    """Next-item recommendation with learned intents.

    Example:
        >>> model = ELCRec(recipe="default", seed=1).fit("events.parquet")
        >>> model.recommend(users=["u1"], k=10)

    Attributes:
        settings: The resolved settings.
        recipe: Name or path of the recipe they came from.
        device: Where the tensors live.
        history: One record an epoch; see :func:`elcrec.training.loop.train`.
        metrics: Results of the last fit: ``valid``, ``test``, ``best_epoch``, ``train_seconds``, ...
    """

    def __init__(
        self, recipe: str | Path = "default", seed: int | None = None, device: str = "auto", **settings: Any
    ) -> None:
        """Choose a recipe.

        Args:
            recipe: A shipped name (``default``, ``paper``, ...) or the path of a TOML file.
            seed: Everything random follows from it; default: the recipe's.
            device: ``auto`` (CUDA if there is one), ``cpu`` or ``cuda``.
            settings: Any field of :class:`elcrec.config.Settings`, on top of the recipe.

        Raises:
            SettingsError: Unknown or impossible setting.
        """
        overrides = settings if seed is None else {**settings, "seed": seed}
        self.recipe = str(recipe)
        self.settings = resolve(recipe, overrides)
        self.device = own_device(resolve_device(device))
        self.history = []
        self.metrics = {}
        self._network = None
        self._learnt = None
        self._given_names = {}

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> ELCRec:
        """Read a run folder.

        Raises:
            RunError: Missing, damaged, unfinished or from a newer version.
        """
        model = cls(device=device)
        return model._restore(RunFolder(Path(path)))

    @classmethod
    def from_published(
        cls,
        weights: str | Path,
        data: Any,
        device: str = "auto",
        format: str | None = None,
        items: Any = None,
        **settings: Any,
    ) -> ELCRec:
        """A model with weights published with ELCRec.

        Args:
            weights: Published state dict, ``.safetensors`` or ``.pt``.
            data: The log they belong to: its item ids are the rows of the weights.
            device: See the constructor.
            format: Format of a data file.
            items: What is known about the items; see :meth:`fit`.
            settings: What shapes cannot tell: ``n_heads`` (2), ``fusion`` (``concat``).

        Raises:
            RunError: Not published weights.
            DataError: The log has other items.
        """
        published = read_weights(Path(weights))
        shapes = sizes(published)
        n_items = shapes.pop("n_items")
        clash = {name: value for name, value in settings.items() if name in shapes and str(shapes[name]) != str(value)}
        if clash:
            raise SettingsError(f"the weights say otherwise: {', '.join(f'{n}={shapes[n]}' for n in clash)}")
        model = cls("paper", device=device, **{"fusion": "concat", "n_heads": 2, **shapes, **settings})
        whole = read_log(data, format, model.settings)
        log = filtered(whole, model.settings)
        ids = log.frame["item_id"]
        lowest, highest = ids.min(), ids.max()
        if not isinstance(lowest, int) or not isinstance(highest, int) or lowest < 1 or highest > n_items:
            raise DataError(
                f"these weights number their items 1 to {n_items:,}, the data's item ids go from {lowest!r} "
                f"to {highest!r}: are they of the same data set?"
            )
        numbers = pl.Series("item_id", np.arange(1, n_items + 1)).cast(ids.dtype)
        catalogue = None if items is None else Catalogue.read(items)
        model._use(log, Vocabulary(numbers, first=1, kind="item"), catalogue, whole)
        model._set_weights(translate(published), f"{weights}")
        model.metrics = {"imported_from": Path(weights).name, **model._results()}
        return model


def resolve_device(device: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda`` (also ``cuda:1``) as a device that is there.

    Raises:
        SettingsError: There is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    if not device.startswith("cuda"):
        raise SettingsError(f"device={device!r}: use auto, cpu or cuda")
    if not torch.cuda.is_available():
        raise SettingsError("device=cuda: PyTorch sees no GPU here; use --device cpu or install a CUDA build")
    return torch.device(device)
