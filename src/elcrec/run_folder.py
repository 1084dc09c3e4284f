"""A run on disk: what it consists of, and how it is read and written."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor

from elcrec.config import Settings, validate
from elcrec.data.by_settings import filtered
from elcrec.data.catalogue import Catalogue
from elcrec.data.interactions import Interactions
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataWarning, RunError, SettingsError
from elcrec.lock import locked
from elcrec.manifest import MANIFEST, hash_of, read_manifest, write_manifest
from elcrec.storage import (
    make_folder,
    read_json,
    read_parquet,
    read_tensors,
    sync_folder,
    write_frame,
    write_json,
    write_tensors,
    write_text,
)

FORMAT = 3
# What a model is made of: of each the manifest holds a hash. The names of intents change later and hold their own, as
# does the index; the model card and the report are for people.
HASHED = (
    "config.json",
    "model.safetensors",
    "metrics.json",
    "history.jsonl",
    "interactions.parquet",
    "vocabulary.parquet",
    "items.parquet",
)
NAMES = "intents.json"
FILES = (*HASHED, NAMES, "checkpoint.safetensors", "items.faiss", "report.html", "README.md", MANIFEST)


def package_version() -> str:
    """The installed version, or ``unknown`` when run from a source tree."""
    try:
        return importlib.metadata.version("elcrec")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class RunFolder:
    """The files of a run: see docs/run-folder.md."""

    path: Path

    @property
    def unfinished(self) -> RunFolder:
        """Where a training goes on that will replace the run here."""
        return RunFolder(self.path / ".new")

    @property
    def _whole(self) -> RunFolder:
        """Where a run lies that is whole and decided on: it takes the place of the one here."""
        return RunFolder(self.path / ".next")

    def file(self, name: str) -> Path:
        """Where a file of the run lies, also where a process was killed while a new run took its place."""
        whole = self._whole.path
        if not (whole / MANIFEST).exists():
            return self.path / name
        moved = name in read_manifest(whole / MANIFEST)["files"] and not (whole / name).exists()
        return self.path / name if moved else whole / name

    @property
    def manifest(self) -> dict[str, Any] | None:
        """Hashes of the run's files; None for a run of elcrec 0.1, which has none.

        Raises:
            RunError: Damaged.
        """
        path = self.file(MANIFEST)
        return read_manifest(path) if path.exists() else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one that writes here; what a killed writer left is put in order first.

        Raises:
            RunError: See :func:`elcrec.lock.locked`.
        """
        make_folder(self.path)
        with locked(self.path):
            self.settle()
            yield

    @property
    def generation(self) -> str | None:
        """Tells the run that is here from the one that takes its place; None where nothing tells."""
        try:
            manifest = self.manifest
        except RunError:
            return None
        return None if manifest is None else str(manifest["generation"])

    @property
    def resumable(self) -> bool:
        """Whether a training was interrupted here, be it of a run that will replace this one."""
        return self.checkpoint.exists() or self.unfinished.started

    @property
    def checkpoint(self) -> Path:
        """State of an unfinished training."""
        return self.path / "checkpoint.safetensors"

    @property
    def model(self) -> Path:
        """The best weights."""
        return self.file("model.safetensors")

    @property
    def item_search(self) -> Path:
        """Where the index for approximate search lies, if one was made."""
        return self.file("items.faiss")

    @property
    def report(self) -> Path:
        """Where a report of the run lies, if one was written here."""
        return self.path / "report.html"

    @property
    def started(self) -> bool:
        """Whether a run has begun here."""
        return self.file("config.json").exists()

    @property
    def finished(self) -> bool:
        """Whether it can be used."""
        return self.started and self.model.exists() and (not self._promised or self.file(MANIFEST).exists())

    @property
    def _promised(self) -> bool:
        """Whether a manifest is written when the run is whole; elcrec 0.1 wrote none."""
        document = read_json(self.file("config.json"))
        return isinstance(document, dict) and document.get("manifest") is True

    def refuse_others(self) -> None:
        """Raise RunError where no run can be written, because something else is here."""
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file: choose another --out")
        others = [] if self.started or not self.path.exists() else [path.name for path in self.path.glob("[!.]*")]
        if others:
            raise RunError(f"{self.path} holds other files ({others[0]}, ...): choose an empty or new folder")

    def begin(
        self,
        recipe: str,
        settings: Settings,
        log: Interactions,
        items: Vocabulary,
        data: str,
        names_from: str | None = None,
    ) -> None:
        """Write what is known before training: the whole log, the vocabulary of what is learnt from, the settings.

        Raises:
            RunError: The folder holds something else, or cannot be written.
        """
        self.refuse_others()
        if self.started:
            self.clear()
        self._sweep()
        make_folder(self.path)
        document = {
            "format": FORMAT,
            "elcrec": package_version(),
            "recipe": recipe,
            "data": data,
            "log": "whole",
            "manifest": True,
            "names_from": names_from,
            "n_items": len(items),
            "settings": settings.model_dump(),
        }
        # First, because a folder is known to be ours by it: whatever else lies in a folder is the caller's.
        write_json(self.path / "config.json", document)
        self.write_log(log, items)

    def write_log(self, log: Interactions, items: Vocabulary) -> None:
        """The log and the vocabulary; what a killed process left half written goes."""
        self._sweep()
        write_frame(self.path / "interactions.parquet", log.frame)
        index = pl.Series("item_index", range(items.first, items.first + len(items)), dtype=pl.Int64)
        write_frame(self.path / "vocabulary.parquet", pl.DataFrame([index, items.ids.alias("item_id")]))

    def _sweep(self) -> None:
        for left in self.path.glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def write_catalogue(self, catalogue: Catalogue) -> None:
        """What is known about the items."""
        write_frame(self.path / "items.parquet", catalogue.frame)

    def write_names(self, names: dict[int, str]) -> None:
        """The names people gave to intents; no file where there are none."""
        path = self.file(NAMES)
        if names:
            document = {"names": {str(intent): name for intent, name in sorted(names.items())}}
            write_json(path, {**document, "hash": _hash_of(document)})
        else:
            path.unlink(missing_ok=True)

    @contextmanager
    def replaced(self) -> Iterator[RunFolder]:
        """A folder within this one, whose run takes the place of the one here once it is written.

        What else lies here stays, and so does the index where the weights are the same; where writing fails,
        everything does.

        Raises:
            RunError: The files cannot be put in place.
        """
        fresh = RunFolder(self.path / f".{os.getpid()}.new")
        try:
            yield fresh
            self.adopt(fresh)
        except OSError as error:
            raise RunError(f"cannot replace the run in {self.path}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(fresh.path, ignore_errors=True)

    def adopt(self, fresh: RunFolder) -> None:
        """Put the whole run of a folder within this one in the place of the one here: decided by one rename.

        Whoever reads before it finds the old run, and whoever reads after it the new one, wherever a process is
        killed: :meth:`file` knows which files have moved. What else lies here stays.

        Raises:
            RunError: The files cannot be put in place.
        """
        try:
            for left in fresh.path.iterdir():
                if left.name not in FILES:
                    left.unlink()
            sync_folder(fresh.path)
            os.rename(fresh.path, self._whole.path)
            sync_folder(self.path)
            self.settle()
        except OSError as error:
            raise RunError(f"cannot replace the run in {self.path}: {error.strerror or error}") from error

    def settle(self) -> None:
        """Move the files of a run that was decided on into their places; the manifest, which names them, last."""
        whole = self._whole.path
        if (whole / MANIFEST).exists():
            files = read_manifest(whole / MANIFEST)["files"]
            model = self.path / "model.safetensors"
            same = model.exists() and hash_of(model) == files["model.safetensors"]
            for name in FILES:
                if name not in files and name != MANIFEST and not (same and name == "items.faiss"):
                    (self.path / name).unlink(missing_ok=True)
            for path in sorted(whole.iterdir(), key=lambda one: one.name == MANIFEST):
                os.replace(path, self.path / path.name)
            sync_folder(self.path)
        if whole.exists():
            shutil.rmtree(whole)
        for left in self.path.glob(".*[0-9].new"):  # of a process that was killed while it saved
            shutil.rmtree(left, ignore_errors=True)

    def clear(self) -> None:
        """Remove the files of the run that is here, config.json last; nothing where there is no run."""
        if self.started:
            for name in reversed(FILES):
                (self.path / name).unlink(missing_ok=True)

    def write_history(self, history: list[dict[str, Any]]) -> None:
        """One line an epoch."""
        write_text(self.path / "history.jsonl", "".join(json.dumps(record) + "\n" for record in history))

    def finish(self, weights: dict[str, Tensor], metrics: dict[str, Any], card: str) -> None:
        """Write the results; the run can be used from here on."""
        write_json(self.path / "metrics.json", metrics)
        write_text(self.path / "README.md", card)
        write_tensors(self.model, weights)
        write_manifest(self.path, (*HASHED, NAMES))
        self.checkpoint.unlink(missing_ok=True)

    def check(self) -> None:
        """See that the files are those that were written.

        Raises:
            RunError: One is missing or damaged, or the run is not finished.
        """
        self.config()
        if not self.finished:
            raise RunError(f"{self.path} is not finished: continue with elcrec train DATA --out {self.path} --resume")
        manifest = self.manifest
        if manifest is None:
            warnings.warn(
                f"{self.path} is of elcrec 0.1: it holds no hashes, damage cannot be told", DataWarning, stacklevel=3
            )
            return
        for name in HASHED:
            if (self.file(name).exists() or name in manifest["files"]) and (
                hash_of(self.file(name)) != manifest["files"].get(name)
            ):
                raise RunError(
                    f"{self.file(name)} is damaged: it is not the file that the run was written with; restore the run "
                    f"from a copy, or train it again"
                )

    def config(self) -> dict[str, Any]:
        """``config.json``, checked, with ``settings`` as :class:`Settings`.

        Raises:
            RunError: No run here, damaged, or from a newer version.
        """
        if not self.path.is_dir():
            raise RunError(f"no run folder at {self.path}: make one with elcrec train DATA --out {self.path}")
        if not self.started:
            raise RunError(f"{self.path} is not a run folder: it has no config.json")
        document = read_json(self.file("config.json"))
        if not isinstance(document, dict) or not isinstance(document.get("format"), int):
            raise RunError(f"{self.path / 'config.json'} is damaged: it names no format")
        if document["format"] > FORMAT:
            raise RunError(
                f"{self.path} was written by a newer elcrec ({document.get('elcrec')}): "
                f"this is {package_version()}; upgrade elcrec"
            )
        if document["format"] < FORMAT:
            raise RunError(
                f"{self.path} was written by an older elcrec ({document.get('elcrec')}) whose networks were built "
                f"otherwise: train it again with this one ({package_version()})"
            )
        try:
            return {**document, "settings": validate(document["settings"])}
        except (SettingsError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.path / 'config.json'} is damaged: {error}") from error

    def names_from(self) -> str | None:
        """The run whose names an unfinished training carries over, where it is one."""
        source = self.config().get("names_from")
        return source if isinstance(source, str) else None

    def vocabulary(self) -> Vocabulary:
        """The items.

        Raises:
            RunError: Missing or damaged.
        """
        frame = self._table("vocabulary.parquet", "item_index", "item_id")
        return Vocabulary(frame.sort("item_index")["item_id"], first=1, kind="item")

    def catalogue(self) -> Catalogue | None:
        """What is known about the items; None where nothing was given.

        Raises:
            RunError: Damaged.
        """
        if not self.file("items.parquet").exists():
            return None
        return Catalogue(self._table("items.parquet", "item_id", "title", "attributes"))

    def names(self) -> dict[int, str]:
        """The names people gave to intents; none where there is no file.

        Raises:
            RunError: Damaged.
        """
        path = self.file(NAMES)
        if not path.exists():
            return {}
        document = read_json(path)
        marked = isinstance(document, dict) and set(document) == {"names", "hash"}
        if marked and document["hash"] != _hash_of({"names": document["names"]}):
            raise RunError(f"{path} is damaged: its hash does not fit; remove it to go on without the names")
        if not marked and (self.file(MANIFEST).exists() or not isinstance(document, dict)):
            raise RunError(f"{path} is damaged: it should hold names by intent number and their hash")
        try:
            return {int(intent): str(name) for intent, name in document["names"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path} is damaged: it should hold names by intent number") from error

    def interactions(self) -> Interactions:
        """The whole log, before the run's filters.

        Raises:
            RunError: Missing or damaged.
        """
        frame = self._table("interactions.parquet", "user_id", "item_id")
        return Interactions(frame)

    def learnt_from(self, whole: Interactions) -> Interactions:
        """What the run learnt from, of its whole log; elcrec 0.1 kept no more than this.

        Raises:
            RunError: Damaged.
        """
        document = self.config()
        return filtered(whole, document["settings"]) if document.get("log") == "whole" else whole

    def _table(self, name: str, *columns: str) -> pl.DataFrame:
        frame = read_parquet(self.file(name))
        if not set(columns) <= set(frame.columns) or frame.is_empty():
            raise RunError(f"{self.file(name)} is damaged: it has no rows of {' and '.join(columns)}")
        return frame

    def weights(self) -> dict[str, Tensor]:
        """The best weights.

        Raises:
            RunError: Missing or damaged.
        """
        return read_tensors(self.model)[0]

    def metrics(self) -> dict[str, Any]:
        """``metrics.json``; empty where there is none."""
        path = self.file("metrics.json")
        document = read_json(path) if path.exists() else {}
        if not isinstance(document, dict):
            raise RunError(f"{path} is damaged: it is no JSON object")
        return document

    def history(self) -> list[dict[str, Any]]:
        """Records of the epochs; empty for imported weights.

        Raises:
            RunError: Damaged.
        """
        path = self.file("history.jsonl")
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            return [json.loads(line) for line in lines]
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} is damaged: {error}") from error


def _hash_of(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
