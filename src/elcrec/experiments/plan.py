"""The runs of a suite, all built before the first of them starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from elcrec.config import DATA_SETTINGS, EVALUATION_SETTINGS, Settings, resolve
from elcrec.data.by_settings import filtered, read_log
from elcrec.data.interactions import Interactions
from elcrec.data.named import NAMED, locate
from elcrec.errors import DataError, ElcrecError, SettingsError
from elcrec.evaluation.baselines import BASELINES
from elcrec.experiments.key import DIGITS, content_hash, result_key
from elcrec.experiments.prepared import prepare
from elcrec.experiments.suite import Row, Suite, changes, variants
from elcrec.training.automatic import choose

CONDITIONS = ("noise",)
"""What may vary in addition to settings: see :class:`PlannedRun`."""
LEFT_TO_LOG = ("ties", "split")
LONGEST_NAME = 150


class PlannedRun(BaseModel):
    """One training (or baseline) and its evaluation.

    Attributes:
        row: Name of the row it belongs to.
        data: The file.
        recipe: See :class:`elcrec.experiments.suite.Row`.
        overrides: Settings on top of it, without the seed.
        seed: Of the training; 0 for baselines, which have none.
        settings: All that follows from these.
        noise: Probability of each event before the held-out items to be followed by a random item at evaluation;
            training has no noise.
        content: Hash of the log, see :func:`elcrec.experiments.key.content_hash`; empty until it is read.
        chosen: Of a baseline, settings that are left to the log, where it chooses others than the defaults: a model
            chooses the same.
    """

    model_config = ConfigDict(frozen=True)

    row: str
    data: Path
    recipe: str
    overrides: dict[str, Any]
    seed: int
    settings: Settings
    noise: float = 0.0
    content: str = ""
    chosen: dict[str, Any] = {}

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline, which is computed without training."""
        return self.recipe in BASELINES

    @property
    def deciding(self) -> dict[str, Any]:
        """The settings that make its result."""
        every = self.settings.model_dump(mode="json")
        return {name: every[name] for name in EVALUATION_SETTINGS} if self.is_baseline else every

    @property
    def key(self) -> str:
        """What its result is known by."""
        recipe, deciding = (self.recipe if self.is_baseline else "trained"), {**self.deciding, **self.chosen}
        return result_key(self.content, recipe, deciding, self.noise)

    @property
    def training(self) -> str:
        """Name of the folder of the training alone: runs that differ in noise share it."""
        return self._named(result_key(self.content, "trained", self.deciding, 0.0), noise=False)

    @property
    def name(self) -> str:
        """Name of its result file: for readers; a result is identified by its key."""
        return self._named(self.key)

    @property
    def shown(self) -> str:
        """The name without the key, which is known before the data are read."""
        return self._named("")

    def _named(self, key: str, noise: bool = True) -> str:
        text = "-".join([self.data.stem, Path(self.recipe).stem, *changes(self.overrides)])
        plain = re.sub(r"[^\w.=+,-]+", "_", text).encode()[:LONGEST_NAME].decode(errors="ignore")
        tail = [f"noise={self.noise:g}"] if noise and self.noise else []
        return "-".join([plain, *([key[:DIGITS]] if key else []), f"seed{self.seed}", *tail])

    def read(self) -> Interactions:
        """Its log, by the columns its settings name.

        Raises:
            DataError: It cannot be read, or has changed since the runs were planned.
        """
        log = read_log(self.data, None, self.settings)
        if self.content and content_hash(log) != self.content:
            raise DataError(f"{self.data} has changed since the suite began: run the suite again")
        return log


def planned_runs(suite: Suite, beside: Path, only: str | None = None) -> list[PlannedRun]:
    """All runs of a suite, or those with a text in their name: every setting resolved, every log read and split once.

    Args:
        suite: The suite.
        beside: Folder of its file; data paths are relative to it.
        only: Text to look for in names, whatever its case.

    Raises:
        SettingsError: A recipe or a setting does not exist, two rows are mixed up, or no run has such a name.
        DataError: A data set is not on this machine, or cannot be used by a row's settings.
    """
    runs: dict[tuple[str, Path, int], PlannedRun] = {}
    for run in unread_runs(suite, lambda data: _file(data, beside)):
        before = runs.setdefault((run.row, run.data, run.seed), run)
        if (before.recipe, before.deciding, before.noise) != (run.recipe, run.deciding, run.noise):
            raise SettingsError(
                f"two rows are called {run.row!r} and are not the same ({before.shown} of {before.recipe}, "
                f"{run.shown} of {run.recipe}): give them different names (name = ...)"
            )
    chosen = [run for run in runs.values() if only is None or only.lower() in run.shown.lower()]
    if not chosen:
        raise SettingsError(f"no run has {only!r} in its name: --dry-run lists the names")
    return _with_data(chosen)


def _with_data(runs: list[PlannedRun]) -> list[PlannedRun]:
    """The runs with the hash of their training log; each log is read once for each way to read it."""
    contents: dict[str, tuple[str, dict[str, Any]]] = {}
    names: dict[str, PlannedRun] = {}
    for run in runs:
        settings, share = run.settings.model_dump(mode="json"), run.settings.train_share
        asked = str([str(run.data), *(settings[name] for name in DATA_SETTINGS), share, share < 1 and run.seed])
        if asked not in contents:
            try:
                log = run.read()
                chosen = _chosen(log, run.settings)
                prepare(log, run.settings.model_copy(update=_left_to_log(run, chosen)))
            except ElcrecError as error:
                raise type(error)(f"row {run.row!r} on {run.data}: {error}") from error
            contents[asked] = content_hash(log), chosen
        content, chosen = contents[asked]
        taken = _left_to_log(run, chosen) if run.is_baseline else {}
        ready = run.model_copy(update={"content": content, "chosen": taken})
        before = names.setdefault(ready.name, ready)
        if before.row != ready.row:
            raise SettingsError(f"rows {before.row!r} and {ready.row!r} are the same run {ready.shown}: remove one")
    return list(names.values())


def _chosen(log: Interactions, settings: Settings) -> dict[str, Any]:
    """What a log chooses of the settings by which results are evaluated, where they are left to it."""
    left = settings.model_copy(update={"auto": LEFT_TO_LOG})
    found, _ = choose(left, filtered(log, settings))
    return {name: getattr(found, name) for name in LEFT_TO_LOG}


def _left_to_log(run: PlannedRun, chosen: dict[str, Any]) -> dict[str, Any]:
    """The chosen values that are left to the log, and are not the defaults."""
    settings = run.settings
    return {
        name: chosen[name] for name in LEFT_TO_LOG if name in settings.auto and chosen[name] != getattr(settings, name)
    }


def unread_runs(suite: Suite, file_of: Callable[[str], Path] = Path) -> Iterator[PlannedRun]:
    """All runs of a suite with their settings, before their logs are read.

    Args:
        suite: The suite.
        file_of: The file of a data set of the suite; default: whatever it is called, there or not.

    Raises:
        SettingsError: A recipe or a setting does not exist.
    """
    for row in suite.rows:
        for data in row.data or suite.data:
            file = file_of(data)
            for label, values in variants(row):
                try:
                    yield from _runs(row, label, values, file, row.seeds or suite.seeds)
                except SettingsError as error:
                    raise SettingsError(f"row {label!r}: {error}") from error


def _runs(row: Row, label: str, values: dict[str, Any], file: Path, seeds: tuple[int, ...]) -> list[PlannedRun]:
    if row.recipe in BASELINES:
        if others := set(values) - set(EVALUATION_SETTINGS):
            raise SettingsError(
                f"{row.recipe} is a baseline, without {', '.join(sorted(others))}: "
                f"its settings are {', '.join(EVALUATION_SETTINGS)}"
            )
        settings = resolve("default", values)
        return [PlannedRun(row=label, data=file, recipe=row.recipe, overrides=values, seed=0, settings=settings)]
    noise = values.get("noise", 0.0)
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise <= 1:
        raise SettingsError(f"noise={noise!r}: use a share of the events of a history, from 0 to 1")
    overrides = {name: value for name, value in values.items() if name not in CONDITIONS}
    common: dict[str, Any] = {
        "row": label,
        "data": file,
        "recipe": row.recipe,
        "overrides": overrides,
        "noise": float(noise),
    }
    return [
        PlannedRun(seed=seed, settings=resolve(row.recipe, {**overrides, "seed": seed}), **common)
        for seed in dict.fromkeys(seeds)
    ]


def _file(data: str, beside: Path) -> Path:
    """A named data set, a file relative to the suite, or one relative to the working folder."""
    if data in NAMED:
        return locate(data)
    found = next((path for path in (beside / data, Path(data)) if path.exists()), None)
    if found is None:
        raise DataError(f"no such file: {data} (neither in the folder of the suite nor in the current folder)")
    return found
