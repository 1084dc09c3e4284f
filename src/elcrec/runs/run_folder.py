"""A run on disk: what it consists of, and how it is read and written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import polars as pl
from torch import Tensor

from elcrec.config import validate
from elcrec.data.by_settings import filtered
from elcrec.data.catalogue import Catalogue
from elcrec.data.features import FeatureSpace
from elcrec.data.interactions import Interactions
from elcrec.data.user_table import UserTable
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import RunError, RunWarning, SettingsError
from elcrec.intents.matching import NamedIntents
from elcrec.process.warning import warn
from elcrec.process.wording import argument, worded
from elcrec.runs.generation import (
    FILES,
    INDEX,
    MODEL,
    check,
    discard,
    finish_switch,
    manifest_of,
    next_generation,
    place,
    put_in_place,
    stable,
)
from elcrec.runs.lock import locked
from elcrec.runs.manifest import MANIFEST, Entry, Manifest
from elcrec.runs.records import EpochRecord, RunMetrics
from elcrec.runs.run_files import (
    FEATURES,
    FORMAT,
    USER_FEATURES,
    USERS,
    TrainingInput,
    TrainingResult,
    package_version,
    read_earlier,
    write_history,
    write_names,
)
from elcrec.storage import make_folder, read_json, read_parquet, read_tensors, write_json, write_tensors, write_text

START = ("config.json", "interactions.parquet", "vocabulary.parquet", "items.parquet", FEATURES, USERS, USER_FEATURES)
EARLIER = "earlier.safetensors"
SHORT_WAIT = 3.0  # seconds: names and indices are written faster
Found = TypeVar("Found")


@dataclass(frozen=True)
class RunFolder:
    """The files of a run: see docs/run-folder.md."""

    path: Path

    def place(self, name: str) -> Path:
        """Where a file of the run lies, or would lie; see :func:`elcrec.runs.generation.place`."""
        return place(self.path, name)

    @property
    def checkpoint(self) -> Path:
        """State of an unfinished training."""
        return self.place("checkpoint.safetensors")

    @property
    def model(self) -> Path:
        """The best weights."""
        return self.place(MODEL)

    @property
    def item_search(self) -> Path:
        """Where the index for approximate search lies, if one was made."""
        return self.place(INDEX)

    @property
    def report(self) -> Path:
        """Where a report of the run lies, if one was written here."""
        return self.place("report.html")

    @property
    def started(self) -> bool:
        """Whether a run has begun here."""
        return self.place("config.json").exists()

    @property
    def finished(self) -> bool:
        """Whether it can be used."""
        return self.started and self.model.exists()

    @property
    def training(self) -> RunFolder:
        """Where a run is trained that will replace the finished one here."""
        return RunFolder(self.path / ".training")

    @property
    def unfinished(self) -> RunFolder | None:
        """Where a training was interrupted: here, or in :attr:`training`; None where none was."""
        if self.training.started:
            return self.training
        return self if self.started and not self.finished else None

    # ------------------------------------------------------------------ writing

    @contextmanager
    def locked(self, wait: float = 0.0) -> Iterator[None]:
        """Hold the folder, made if need be, against other writers; what a killed one left is put in order.

        Args:
            wait: Seconds to wait for another writer.

        Raises:
            RunError: The folder holds something else, cannot be written, or is being written.
        """
        self.refuse_others()
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        make_folder(self.path)
        try:
            with locked(self.path, wait):
                for folder in (self, self.training):
                    finish_switch(folder.path)
                yield
        finally:
            for path in (self.training.path, *made):
                with contextlib.suppress(OSError):  # something was written there
                    path.rmdir()

    def refuse_others(self) -> None:
        """Raise RunError where no run can be written, because something else is here."""
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file: choose another {argument('out')}")
        others = [] if self.started or not self.path.exists() else [path.name for path in self.path.glob("[!.]*")]
        if others:
            raise RunError(f"{self.path} holds other files ({others[0]}, ...): choose an empty or new folder")

    def begin(self, given: TrainingInput) -> None:
        """Make this folder an unfinished training, by one rename; within :meth:`locked`.

        Raises:
            RunError: The folder cannot be written.
        """
        make_folder(self.path)
        with next_generation(self.path) as fresh:
            given.write(fresh)

    def finish(self, result: TrainingResult) -> None:
        """Make a training a run that can be used, by one rename.

        Raises:
            RunError: The folder cannot be written.
        """
        config, settings = read_json(self.place("config.json")), result.settings.model_dump(mode="json")
        with next_generation(self.path, keep=START) as fresh:
            if config["settings"] != settings:  # something was chosen on validation
                write_json(fresh / "config.json", {**config, "settings": settings})
            result.write(fresh)
            write_tensors(fresh / MODEL, result.weights)

    def adopt_training(self) -> None:
        """Put the finished run in :attr:`training` in the place of the one here, by one rename.

        Raises:
            RunError: The folder cannot be written.
        """
        put_in_place(self.path, self.training.path)

    def write(self, given: TrainingInput, result: TrainingResult) -> None:
        """Put a whole run in the place of what is here, by one rename; an interrupted training here is given up.

        What else lies here stays, and so does the index where the weights are the same.

        Raises:
            RunError: The folder cannot be written.
        """
        with next_generation(self.path, keep=(INDEX,) if self._readable else ()) as fresh:
            given.write(fresh)
            result.write(fresh)
            write_tensors(fresh / MODEL, result.weights)
        discard(self.training.path)

    def write_names(self, names: dict[int, str]) -> None:
        """The given names of intents."""
        with next_generation(self.path, keep=[name for name in FILES if name != "intents.json"]) as fresh:
            write_names(fresh, names)

    def write_item_search(self, write: Callable[[Path], object]) -> None:
        """An index, which ``write`` fills."""
        with next_generation(self.path, keep=FILES) as fresh:
            write(fresh / INDEX)

    def write_report(self, page: str) -> None:
        """A page about the run."""
        with next_generation(self.path, keep=FILES) as fresh:
            write_text(fresh / "report.html", page)

    def refuse_other_weights(self, weights: str | None) -> None:
        """Raise RunError where the run here has other weights than those of this mark: it was replaced meanwhile."""
        if not self.finished or self.weights_mark() != weights:
            raise RunError(f"{self.path} holds another model by now: load it again first")

    def write_history(self, history: list[EpochRecord]) -> None:
        """One line an epoch, of a training that goes on."""
        write_history(self.path, history)

    # ------------------------------------------------------------------ reading

    def stable(self, read: Callable[[], Found]) -> Found:
        """What is read here, all of one generation; see :func:`elcrec.runs.generation.stable`."""
        return stable(self.path, read)

    def check(self) -> None:
        """See that the run is finished, and every file of it what was written.

        Raises:
            RunError: One is missing or damaged.
        """
        self.refuse_unfinished()
        manifest = manifest_of(self.path)
        if manifest is not None:
            check(self.path, manifest)
        elif "manifest" in self.config():
            raise RunError(f"{self.path} is damaged: it has lost its {MANIFEST}; restore it, or train it again")
        else:
            note = f"{self.path} is of elcrec 0.1: it holds no hashes, so damage cannot be detected; load and save it"
            warn(f"{note}, or train it again", RunWarning)

    def check_start(self) -> None:
        """See that what a training began with is what was written.

        Raises:
            RunError: It is damaged, or of an older elcrec.
        """
        manifest = manifest_of(self.path)
        if manifest is None:
            raise RunError(
                f"{self.path} was begun by an older elcrec, or lost its {MANIFEST}: start from scratch "
                f"({argument('overwrite', True)})"
            )
        begun = {name: entry for name, entry in manifest.files.items() if name in (*START, EARLIER)}
        check(self.path, Manifest(manifest.written, begun))

    def refuse_unfinished(self) -> None:
        """Raise RunError where there are no weights yet."""
        if not self.model.exists() and self.started:
            again = worded(
                f"elcrec train DATA --out {self.path} --resume", f"fit(log, {str(self.path)!r}, resume=True)"
            )
            raise RunError(f"{self.path} is not finished: continue with {again}")

    @property
    def _readable(self) -> bool:
        try:
            manifest_of(self.path)
        except RunError:
            return False
        return True

    def weights_mark(self) -> str:
        """Hash of the file of the weights, as it was written."""
        manifest = manifest_of(self.path)
        return Entry.of(self.model).sha256 if manifest is None else manifest.files[MODEL].sha256

    def config(self) -> dict[str, Any]:
        """``config.json``, checked, with ``settings`` as :class:`Settings`.

        Raises:
            RunError: No run here, damaged, or from a newer version.
        """
        if self.path.is_file():
            raise RunError(f"{self.path} is a file and no run folder: name the folder that training wrote")
        if not self.path.is_dir():
            make = worded(f"elcrec train DATA --out {self.path}", f"ELCRec().fit(log, {str(self.path)!r})")
            raise RunError(f"no run folder at {self.path}: make one with {make}")
        if not self.started:
            raise RunError(f"{self.path} is not a run folder: it has no config.json")
        document = read_json(self.place("config.json"))
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
        if not self.place("items.parquet").exists():
            return None
        return Catalogue.from_table(self._table("items.parquet", "item_id", "title", "attributes"))

    def features(self) -> FeatureSpace | None:
        """How the features of items are numbered; None where the model has learned from none.

        Raises:
            RunError: Damaged.
        """
        return self._features(FEATURES, "items")

    def user_table(self) -> UserTable | None:
        """What is known about the users; None where nothing was given.

        Raises:
            RunError: Damaged.
        """
        return UserTable.from_table(self._table(USERS, "user_id")) if self.place(USERS).exists() else None

    def user_features(self) -> FeatureSpace | None:
        """How the features of users are numbered; None where the model has learned from none.

        Raises:
            RunError: Damaged.
        """
        return self._features(USER_FEATURES, "users")

    def _features(self, name: str, of: str) -> FeatureSpace | None:
        path = self.place(name)
        if not path.exists():
            return None
        try:
            return FeatureSpace.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is damaged: it should hold the features of {of}") from error

    def earlier(self) -> NamedIntents | None:
        """Intents whose names an unfinished training is to carry over; None where there are none.

        Raises:
            RunError: Damaged.
        """
        path = self.place(EARLIER)
        return read_earlier(path) if path.exists() else None

    def names(self) -> dict[int, str]:
        """The given names of intents; none where there is no file.

        Raises:
            RunError: Damaged.
        """
        path = self.place("intents.json")
        if not path.exists():
            return {}
        document = read_json(path)
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
        """The training log, filtered from the whole log of the run; elcrec 0.1 kept only the filtered one.

        Raises:
            RunError: Damaged.
        """
        document = self.config()
        return filtered(whole, document["settings"], self.vocabulary().ids) if document.get("log") == "whole" else whole

    def _table(self, name: str, *columns: str) -> pl.DataFrame:
        frame = read_parquet(self.place(name))
        if not set(columns) <= set(frame.columns) or frame.is_empty():
            raise RunError(f"{self.path / name} is damaged: it has no rows of {' and '.join(columns)}")
        return frame

    def weights(self) -> dict[str, Tensor]:
        """The best weights.

        Raises:
            RunError: Missing, damaged, or training is unfinished.
        """
        self.refuse_unfinished()
        return read_tensors(self.model)[0]

    def metrics(self) -> RunMetrics:
        """``metrics.json``; empty where there is none."""
        path = self.place("metrics.json")
        document = read_json(path) if path.exists() else {}
        if not isinstance(document, dict):
            raise RunError(f"{path} is damaged: it is no JSON object")
        return cast("RunMetrics", document)

    def history(self) -> list[EpochRecord]:
        """Records of the epochs; empty for imported weights.

        Raises:
            RunError: Damaged.
        """
        path = self.place("history.jsonl")
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is damaged: {error}") from error
