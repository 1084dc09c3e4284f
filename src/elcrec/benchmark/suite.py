"""What a study runs: rows (a recipe with changes) on data sets with seeds, read from TOML."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from elcrec.baselines import BASELINES
from elcrec.config import resolve
from elcrec.data.named import NAMED, locate
from elcrec.errors import SettingsError

DATA_SETTINGS = (
    "user_column",
    "item_column",
    "timestamp_column",
    "min_user_count",
    "min_item_count",
    "k_core",
    "split",
    "holdout_share",
)
"""What baselines take, too: which log is learnt from and judged."""
CONDITIONS = ("noise",)
"""What may vary beside settings: see :class:`Run`."""


class Row(BaseModel):
    """A line of the table to be: a recipe or baseline, and what is changed.

    Attributes:
        recipe: A recipe, or a baseline (``popularity``, ``item-knn``, ``markov``).
        name: What the row is called in tables, before what varies; default: the recipe and ``set``.
        set: Settings on top of it.
        vary: A setting (or ``noise``) with several values: one row each; several names: all combinations.
        data: Only on these data sets; default: all of the suite.
        seeds: Only with these seeds; default: all of the suite. Baselines run once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    name: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    vary: dict[str, list[Any]] = Field(default_factory=dict)
    data: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None


class Suite(BaseModel):
    """A study.

    Attributes:
        name: Of the folder with its results.
        about: What it is for, in a sentence or two; printed above its table.
        data: Files (beside the suite or from here) or names of ``elcrec data list``.
        seeds: One run each.
        against: The row that the others are tested against; default: the first.
        reuse: Other studies, whose results are taken over where they are of the very same run.
        rows: What is run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    about: str = ""
    data: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((1,), min_length=1)
    against: str | None = None
    reuse: tuple[str, ...] = ()
    rows: tuple[Row, ...] = Field(min_length=1)


class Run(BaseModel):
    """One training and its judgement.

    Attributes:
        row: Name of the row it belongs to.
        data: The file.
        recipe: See :class:`Row`.
        overrides: Settings on top of it, without the seed.
        seed: Of the training.
        noise: Items drawn at random that are slipped into each history before the test item is asked for, as a
            share of its length; the training is without.
    """

    model_config = ConfigDict(frozen=True)

    row: str
    data: Path
    recipe: str
    overrides: dict[str, Any]
    seed: int
    noise: float = 0.0

    @property
    def training(self) -> str:
        """Name of the training alone: runs that differ in noise share it."""
        parts = [self.data.stem, Path(self.recipe).stem, *changes(self.overrides), f"seed{self.seed}"]
        return "-".join(parts)

    @property
    def name(self) -> str:
        """Name of its result file."""
        return self.training + (f"-noise={self.noise:g}" if self.noise else "")


def changes(overrides: dict[str, Any]) -> list[str]:
    """``name=value`` of each, by name."""
    return [f"{name}={value}" for name, value in sorted(overrides.items())]


def read_suite(path: str | Path) -> Suite:
    """A suite from its file.

    Raises:
        SettingsError: The file is missing, no TOML, or says what a suite does not have.
    """
    path = Path(path)
    try:
        return Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"cannot read suite {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"suite {path} is not valid TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise SettingsError(f"suite {path}: {problems}") from None


def planned_runs(suite: Suite, beside: Path) -> list[Run]:
    """All runs of a suite, checked before the first of them starts.

    Args:
        suite: The suite.
        beside: Folder of its file, where its data may lie.

    Raises:
        SettingsError: A recipe, a setting or the row to test against does not exist.
        DataError: A data set is not on this machine.
    """
    if suite.against is not None and suite.against not in row_names(suite):
        raise SettingsError(f"against={suite.against!r} is none of the rows: {', '.join(row_names(suite))}")
    runs: dict[str, Run] = {}
    for row in suite.rows:
        for data in row.data or suite.data:
            file = _file(data, beside)
            for label, values in _variants(row):
                for run in _runs(row, label, values, file, row.seeds or suite.seeds):
                    before = runs.setdefault(run.name, run)
                    if (before.data, before.recipe) != (run.data, run.recipe):
                        raise SettingsError(
                            f"{run.name} would be {before.recipe} on {before.data} and {run.recipe} on {run.data}: "
                            "give the files different names"
                        )
    return list(runs.values())


def row_names(suite: Suite) -> list[str]:
    """Names of the rows of its table, in order."""
    return list(dict.fromkeys(label for row in suite.rows for label, _ in _variants(row)))


def _variants(row: Row) -> list[tuple[str, dict[str, Any]]]:
    """Name and changes of each combination of what varies."""
    base = row.name or " ".join([Path(row.recipe).stem, *changes(row.set)])
    combinations = (dict(zip(row.vary, values, strict=True)) for values in product(*row.vary.values()))
    return [(" ".join([base, *changes(varied)]), {**row.set, **varied}) for varied in combinations]


def _runs(row: Row, label: str, values: dict[str, Any], file: Path, seeds: tuple[int, ...]) -> list[Run]:
    if row.recipe in BASELINES:
        if others := set(values) - set(DATA_SETTINGS):
            raise SettingsError(
                f"{row.recipe} is a baseline, without {', '.join(sorted(others))}: it takes {', '.join(DATA_SETTINGS)}"
            )
        resolve("default", values)
        return [Run(row=label, data=file, recipe=row.recipe, overrides=values, seed=0)]
    conditions = {name: value for name, value in values.items() if name in CONDITIONS}
    overrides = {name: value for name, value in values.items() if name not in CONDITIONS}
    resolve(row.recipe, overrides)
    common = {"row": label, "data": file, "recipe": row.recipe, "overrides": overrides, **conditions}
    return [Run(seed=seed, **common) for seed in seeds]


def _file(data: str, beside: Path) -> Path:
    """A name, or a file beside the suite, or one seen from here."""
    if data in NAMED:
        return locate(data)
    return next((path for path in (beside / data, Path(data)) if path.exists()), Path(data))
