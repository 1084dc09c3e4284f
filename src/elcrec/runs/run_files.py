"""What the files of a run hold, and how they are written to a folder."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.dataset import Dataset
from elcrec.intents.matching import NamedIntents
from elcrec.runs.manifest import MANIFEST
from elcrec.runs.records import EpochRecord, RunMetrics
from elcrec.storage import read_tensors, write_frame, write_json, write_tensors, write_text

FORMAT = 3
FEATURES, USERS, USER_FEATURES = "features.json", "users.parquet", "user_features.json"


def package_version() -> str:
    """The installed version, or ``unknown`` when run from a source tree."""
    try:
        return importlib.metadata.version("elcrec")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class TrainingInput:
    """What a training is given; a run folder holds it from the start.

    Attributes:
        recipe: Name or path.
        settings: Resolved.
        dataset: The whole log, its items, and what is known about items and users.
        data: Fingerprint of the log.
        earlier: Intents of an earlier model, whose names are to be carried over.
    """

    recipe: str
    settings: Settings
    dataset: Dataset
    data: str
    earlier: NamedIntents | None = None

    def write(self, folder: Path) -> None:
        """A file each.

        Raises:
            RunError: They cannot be written.
        """
        known, items = self.dataset, self.dataset.items
        document = {
            "format": FORMAT,
            "elcrec": package_version(),
            "manifest": MANIFEST,
            "recipe": self.recipe,
            "data": self.data,
            "log": "whole",
            "n_items": len(items),
            "settings": self.settings.model_dump(mode="json"),
        }
        write_json(folder / "config.json", document)
        write_frame(folder / "interactions.parquet", known.whole_log.frame)
        index = pl.Series("item_index", range(items.first, items.first + len(items)), dtype=pl.Int64)
        write_frame(folder / "vocabulary.parquet", pl.DataFrame([index, items.ids.alias("item_id")]))
        for name, described in (("items.parquet", known.whole_catalogue), (USERS, known.user_table)):
            if described is not None:
                write_frame(folder / name, described.table())
        for name, space in ((FEATURES, known.features), (USER_FEATURES, known.user_features)):
            if space is not None:
                write_text(folder / name, space.model_dump_json() + "\n")
        if self.earlier is not None:
            write_earlier(folder / "earlier.safetensors", self.earlier)


@dataclass(frozen=True)
class TrainingResult:
    """What a training gives; a run folder holds it from the end.

    Attributes:
        weights: The best.
        metrics: Of validation and test, ...
        history: One record an epoch.
        card: The model card.
        names: Given to intents.
        settings: Resolved, with what was chosen on validation.
    """

    weights: dict[str, Tensor]
    metrics: RunMetrics
    history: list[EpochRecord]
    card: str
    names: dict[int, str]
    settings: Settings

    def write(self, folder: Path) -> None:
        """A file each, but for the weights and the settings.

        Raises:
            RunError: They cannot be written.
        """
        write_names(folder, self.names)
        write_history(folder, self.history)
        write_json(folder / "metrics.json", self.metrics)
        write_text(folder / "README.md", self.card)


def write_history(folder: Path, history: list[EpochRecord]) -> None:
    """One line an epoch."""
    write_text(folder / "history.jsonl", "".join(json.dumps(record) + "\n" for record in history))


def write_names(folder: Path, names: dict[int, str]) -> None:
    """Write the given names of intents; no file where there are none."""
    if names:
        document = {"names": {str(intent): name for intent, name in sorted(names.items())}}
        write_json(folder / "intents.json", document)


def write_earlier(path: Path, earlier: NamedIntents) -> None:
    """Write what is needed to match an earlier model's intents with those that are being trained."""
    tensors = {"index": earlier.index_S, "items": earlier.item_SD, "centers": earlier.center_KD}
    write_tensors(path, tensors, {str(intent): name for intent, name in sorted(earlier.names.items())})


def read_earlier(path: Path) -> NamedIntents:
    """What :func:`write_earlier` wrote.

    Raises:
        RunError: It is missing or damaged.
    """
    tensors, names = read_tensors(path)
    given = {int(intent): name for intent, name in names.items()}
    return NamedIntents(tensors["index"], tensors["items"], tensors["centers"], given)
