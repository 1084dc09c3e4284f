"""The result files of a suite: read, checked, and found by their keys."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from elcrec.errors import RunError
from elcrec.evaluation.baselines import BASELINES
from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.experiments.plan import PlannedRun
from elcrec.experiments.suite import changes
from elcrec.process.problems import plainly
from elcrec.process.wording import counted
from elcrec.runs.run_files import package_version
from elcrec.storage import read_json

Document = dict[str, Any]


class _Metrics(BaseModel):
    valid: dict[str, Any]
    test: dict[str, Any]

    @field_validator("valid", "test")
    @classmethod
    def _has_those_shown(cls, part: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in SHOWN_METRICS if not isinstance(part.get(name), int | float)]:
            raise ValueError(f"no {', '.join(missing)}")
        return part


class _Result(BaseModel):
    """What tables and tests need of a result file; docs/benchmark.md lists all of it."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    suite: str
    dataset: str
    recipe: str
    overrides: dict[str, Any]
    seed: int
    epochs: int
    best_epoch: int
    train_seconds: float
    peak_memory_bytes: int
    metrics: _Metrics
    intents: dict[str, Any] | None
    machine: dict[str, Any]
    versions: dict[str, str]
    date: str
    commit: str | None


def result_path(folder: Path, name: str) -> Path:
    """Where a result is written."""
    return folder / f"{name}.json"


def ranks_path(folder: Path, name: str) -> Path:
    """Where its ranks are written, see :func:`elcrec.experiments.run.side_by_side`."""
    return folder / "ranks" / f"{name}.parquet"


def read_result(path: Path) -> Document:
    """A result file, with its name under ``name``.

    Raises:
        RunError: It is damaged, or no result.
    """
    document = read_json(path)
    try:
        _Result.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "document"
        raise RunError(
            f"{path} is damaged or not a result file ({where}: {plainly(first)}): delete or repair it"
        ) from None
    return {**document, "name": path.stem}


def read_results(folder: Path) -> list[Document]:
    """All result files of a suite.

    Raises:
        RunError: There is none, or one is damaged.
    """
    documents = [read_result(path) for path in sorted(folder.glob("*.json"))]
    if not documents:
        raise RunError(f"{folder} holds no results: run  elcrec benchmark SUITE.toml")
    return documents


@dataclass(frozen=True)
class SavedResults:
    """The results in the folder of a suite.

    Attributes:
        folder: The folder.
        documents: Results with a key and a file of ranks.
        ignored: Results without; their runs are executed again.
    """

    folder: Path
    documents: list[Document]
    ignored: list[Document]

    @classmethod
    def of(cls, folder: Path, again: Collection[str] = (), say: Callable[[str], None] = lambda text: None) -> Self:
        """Read them.

        Args:
            folder: Folder of the suite.
            again: Names of results that may be damaged, because their runs are executed again.
            say: Receives notes about results that are ignored.

        Raises:
            RunError: Another result is damaged.
        """
        documents: list[Document] = []
        ignored: list[Document] = []
        for path in sorted(folder.glob("*.json")):
            try:
                document = read_result(path)
            except RunError as error:
                if path.stem not in again:
                    raise
                say(f"{error}; the run will be repeated")
                continue
            whole = ranks_path(folder, path.stem).is_file()
            (documents if whole and "key" in document else ignored).append(document)
            if not whole:
                say(f"{path} is ignored: its ranks are missing")
        if unknown := sum("key" not in each for each in ignored):
            results = counted(unknown, "result", "has", "have")
            say(f"{folder}: {results} no key (made by elcrec 0.1): ignored, as if not done")
        return cls(folder, documents, ignored)

    def of_suite(self, suite: str) -> list[Document]:
        """The results of one suite, the ignored ones too."""
        return [each for each in (*self.documents, *self.ignored) if each["suite"] == suite]

    def same(self, run: PlannedRun) -> Document | None:
        """A result of the same run, of any row and any suite; None where there is none."""
        return next((each for each in self.documents if each["key"] == run.key), None)

    def done(self, run: PlannedRun, suite: str) -> bool:
        """Whether the result of the run is there, as a row of this suite."""
        ours = (run.key, run.row, run.data.name, suite)
        return any((each["key"], each["row"], each["dataset"], each["suite"]) == ours for each in self.documents)

    def instead(self, run: PlannedRun, suite: str) -> str | None:
        """Result of the run's row, data set and seed that is there, and why it is not the run's; None where none is."""
        if self.done(run, suite):
            return None
        ours = (run.row, run.data.name, run.seed, suite)
        found = [
            each
            for each in (*self.ignored, *self.documents)
            if (row_of(each), each["dataset"], each["seed"], each["suite"]) == ours
        ]
        return f"{found[-1]['name']}: {_difference(found[-1], run)}" if found else None


def _difference(document: Document, run: PlannedRun) -> str:
    """Why a result is not one of a run."""
    version = document["versions"].get("elcrec")
    if "key" not in document:
        return f"made by elcrec {version}, it holds neither a hash of its log nor its settings: perhaps another run"
    if document["key"] == run.key:
        return "its ranks are missing"
    before = {**document["settings"], "noise": document["noise"]}
    now = {**run.deciding, "noise": run.noise}
    parts = [f"{name} was {before.get(name)!r}" for name in now if before.get(name) != now[name]]
    parts += ["of another log"] if document["data"] != run.content else []
    parts += [f"made by elcrec {version}"] if version != package_version() else []
    return ", ".join(parts) or f"of recipe {document['recipe']}"


def row_of(document: Document) -> str:
    """Name of a result's row; results from before rows had names are called by recipe and changes."""
    return str(document.get("row") or " ".join([document["recipe"], *changes(document["overrides"])]))


def by_data(documents: Iterable[Document]) -> dict[tuple[str, str], list[Document]]:
    """Results by the name and the content of their data; those without a key go with the only content there is."""
    contents: dict[str, set[str]] = defaultdict(set)
    documents = list(documents)
    for each in documents:
        contents[each["dataset"]] |= {each["data"]} if "data" in each else set()
    grouped: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for each in documents:
        known = contents[each["dataset"]]
        content = each.get("data") or (next(iter(known)) if len(known) == 1 else "")
        grouped[each["dataset"], content].append(each)
    return grouped


def row_and_settings(row: str, recipe: str, settings: Mapping[str, Any], noise: float) -> str:
    """What the results of a row's seeds have in common, of a run as of a result."""
    # A recipe is known by its settings; two baselines may have the same.
    known = recipe if recipe in BASELINES else ""
    return str((row, known, sorted({**settings, "seed": None}.items(), key=str), noise))


def planned(runs: Iterable[PlannedRun]) -> set[str]:
    """What :func:`current` is to prefer: rows and their settings as they are now."""
    return {row_and_settings(run.row, run.recipe, run.deciding, run.noise) for run in runs}


def outdated(documents: Iterable[Document], wanted: Collection[str]) -> list[str]:
    """Names of results that have a key and are of other settings than their row has now."""
    return [each["name"] for each in documents if "key" in each and _settings_of(each) not in wanted]


def current(documents: list[Document], wanted: Collection[str] = ()) -> tuple[list[Document], list[Document]]:
    """Results that may be in one table, and those that may not: a row is one configuration with several seeds.

    Of a row that was run with several settings or versions, what is wanted stays, else the newest version.

    Args:
        documents: See :func:`read_results`.
        wanted: See :func:`planned`.

    Raises:
        RunError: It is ambiguous which ones are meant.
    """
    left_out: list[str] = []
    for some in by_data(documents).values():
        rows: dict[str, list[Document]] = defaultdict(list)
        for each in some:
            rows[row_of(each)].append(each)
        for row in rows.values():
            left_out += _left_out(row, wanted)
    return (
        [each for each in documents if each["name"] not in left_out],
        [each for each in documents if each["name"] in left_out],
    )


def _left_out(row: list[Document], wanted: Collection[str]) -> list[str]:
    """Names of a row's results that are left out of the tables, since the row has better ones.

    Raises:
        RunError: Which ones are best is ambiguous.
    """
    kinds: dict[Any, list[Document]] = defaultdict(list)
    for each in row:
        kinds[_kind(each)].append(each)
    *worse, best = sorted(kinds.values(), key=lambda kind: _rank(kind, wanted))
    if worse and _rank(worse[-1], wanted) == _rank(best, wanted):
        raise RunError(
            f"row {row_of(row[0])!r} on {row[0]['dataset']} has results of several settings "
            f"({worse[-1][0]['name']}, {best[0]['name']}): run the suite, or move the old ones away"
        )
    return [each["name"] for kind in worse for each in kind] + _twice(best)


def _settings_of(document: Document) -> str:
    settings, noise = document.get("settings") or document["overrides"], document.get("noise", 0.0)
    return row_and_settings(row_of(document), document["recipe"], settings, noise)


def _kind(document: Document) -> tuple[Any, ...]:
    """What has to be the same in all results of a row."""
    keyed = "key" in document
    return _settings_of(document), document["versions"].get("elcrec"), keyed or document["recipe"]


def _twice(documents: list[Document]) -> list[str]:
    """Names of results that are there under another name already."""
    seen: set[str] = set()
    names = []
    for each in documents:
        key = str(each.get("key") or each["name"])
        names += [each["name"]] if key in seen else []
        seen.add(key)
    return names


def _rank(kind: list[Document], wanted: Collection[str]) -> tuple[bool, bool, list[int]]:
    """Results that are wanted first, then those with a key, then the newest version."""
    version = [int(part) for part in re.findall(r"\d+", str(kind[0]["versions"].get("elcrec")))]
    return "key" in kind[0] and _settings_of(kind[0]) in wanted, "key" in kind[0], version
