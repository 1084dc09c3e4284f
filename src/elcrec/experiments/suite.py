"""Experiment suites, read from TOML: rows (a recipe with changes), data sets and seeds."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from elcrec.config import did_you_mean, read_toml
from elcrec.errors import SettingsError
from elcrec.process.problems import plainly

Seeds = Annotated[tuple[StrictInt, ...], Field(min_length=1)]
_LISTS = {"tuple_type": "write a list: [...]", "too_short": "write at least one"}
"""What pydantic says of tuples, in TOML's words."""
Names = Annotated[tuple[str, ...], Field(min_length=1)]


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
    name: str | None = Field(default=None, min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    data: Names | None = None
    seeds: Seeds | None = None

    @model_validator(mode="after")
    def _seeds_are_seeds(self) -> Row:
        if "seed" in {*self.set, *self.vary}:
            raise ValueError("seed cannot be a setting of a row: write seeds = [1, 2, 3]")
        if both := sorted({*self.set} & {*self.vary}):
            raise ValueError(f"{', '.join(both)} cannot be in set and in vary: leave it out of one")
        return self


class Suite(BaseModel):
    """Experiments that share tables and a folder of results.

    Attributes:
        name: Of the folder with its results.
        about: What it is for, in a sentence or two; printed above its table.
        data: Files (relative to the suite or to the working folder) or names of ``elcrec data list``.
        seeds: One run each.
        against: The row that the others are tested against; default: the first.
        reuse: Other suites, whose results are copied where they are of the same run.
        rows: What is run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")
    about: str = ""
    data: Names
    seeds: Seeds = (1,)
    against: str | None = None
    reuse: tuple[str, ...] = ()
    rows: tuple[Row, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _against_a_row(self) -> Suite:
        if self.against is not None and self.against not in row_names(self):
            raise ValueError(f"against={self.against!r} is none of the rows: {', '.join(row_names(self))}")
        return self


def read_suite(path: str | Path) -> Suite:
    """A suite from its file.

    Raises:
        SettingsError: The file is missing, no TOML, or says what a suite does not have.
    """
    try:
        return Suite.model_validate(read_toml(path, "suite"))
    except ValidationError as error:
        # A list with one bad entry is also too short: that is said only where it is all there is.
        problems = [each for each in error.errors() if each["type"] != "too_short"] or error.errors()
        raise SettingsError(f"suite {path}: {'; '.join(map(_explained, problems))}") from None


def _explained(problem: Any) -> str:
    """What pydantic found, in our words; rows are counted from 1."""
    loc = list(problem["loc"])
    in_row = len(loc) > 1 and loc[0] == "rows"
    where = ".".join(map(str, [f"row {loc[1] + 1}", *loc[2:]] if in_row else loc))
    if problem["type"] == "extra_forbidden":
        known = Row.model_fields if in_row else Suite.model_fields
        return f"{where} is unknown: {did_you_mean(str(loc[-1]), known)}"
    message = _LISTS.get(problem["type"]) or plainly(problem)
    return f"{where}: {message}" if where else message


def changes(overrides: dict[str, Any]) -> list[str]:
    """``name=value`` of each, by name."""
    return [f"{name}={value}" for name, value in sorted(overrides.items())]


def row_names(suite: Suite) -> list[str]:
    """Names of the rows of its table, in order."""
    return list(dict.fromkeys(label for row in suite.rows for label, _ in variants(row)))


def variants(row: Row) -> list[tuple[str, dict[str, Any]]]:
    """Name and changes of each combination of what varies."""
    base = row.name or " ".join([Path(row.recipe).stem, *changes(row.set)])
    combinations = (dict(zip(row.vary, values, strict=True)) for values in product(*row.vary.values()))
    return [(" ".join([base, *changes(varied)]), {**row.set, **varied}) for varied in combinations]
