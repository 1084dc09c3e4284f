"""Search space: settings with a range or choices each, checked before any training."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from elcrec.config import EVALUATION_SETTINGS, Settings, check_value, did_you_mean, read_toml
from elcrec.errors import SettingsError
from elcrec.process.problems import plainly

NOT_SEARCHED = (*EVALUATION_SETTINGS, "judged_users")
"""They change what is evaluated: trials with different values could not be compared."""
_ANY = "write a number, a text, true or false"
_KINDS = {"int": "write a number", "float": "write a number", "bool": _ANY, "str": _ANY}
"""What to write where pydantic's complaints begin with that kind."""
_Number = Annotated[StrictInt | StrictFloat, Field(allow_inf_nan=False)]


class Range(BaseModel):
    """Search range of a setting: an interval, or choices.

    Attributes:
        low: Lowest value.
        high: Highest value.
        log: Sample on a logarithmic scale.
        choices: Values, instead of ``low`` and ``high``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: _Number | None = None
    high: _Number | None = None
    log: bool = False
    choices: Annotated[list[StrictBool | StrictInt | StrictFloat | str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Range:
        if (self.choices is None) == (self.low is None) or (self.low is None) != (self.high is None):
            raise ValueError("give low and high, or choices")
        if self.choices is not None:
            if self.log:
                raise ValueError("log is for low and high, not for choices")
            if len(set(self.choices)) < len(self.choices):
                raise ValueError("a choice is listed twice")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low is not None and self.high is not None:
            if self.low > self.high:
                raise ValueError(f"low={self.low} is above high={self.high}")
            if self.log and self.low <= 0:
                raise ValueError(f"log=true needs low above 0, not {self.low}")
        return self

    def holds(self, value: Any) -> bool:
        """Whether the range contains a value."""
        if self.choices is not None:
            return value in self.choices
        return self.low is not None and self.high is not None and self.low <= value <= self.high


Space = Mapping[str, Range]
DEFAULT_SPACE: Space = {
    "learning_rate": Range(low=3e-4, high=6e-3, log=True),
    "dropout": Range(low=0.2, high=0.7),
    "n_layers": Range(low=1, high=3),
    "horizon": Range(low=1, high=4),
    "smoothing": Range(choices=[0.0, 0.5, 1.0]),
    "epochs": Range(choices=[6, 12, 24]),
}


def read_space(path: Path) -> Space:
    """Read a search space: a TOML file with a table for each setting.

    Raises:
        SettingsError: The file is missing, no TOML, or names what cannot be searched.
    """
    document = read_toml(path, "space")
    try:
        space = TypeAdapter(dict[str, Range]).validate_python(document)
        _check(space)
    except ValidationError as error:
        raise SettingsError(f"space {path}: {'; '.join(_explained(error.errors()))}") from None
    except SettingsError as error:
        raise SettingsError(f"space {path}: {error}") from None
    return space


def chosen_space(space: Space | None, overrides: Collection[str]) -> Space:
    """The space, or what of the default one is not set already.

    Args:
        space: The space of the caller; default: :data:`DEFAULT_SPACE`.
        overrides: Names of the settings that are the same in all trials.

    Raises:
        SettingsError: A setting is searched and set, or nothing is left to search.
    """
    if space is None:
        space = {name: where for name, where in DEFAULT_SPACE.items() if name not in overrides}
    _check(space)
    if both := [name for name in space if name in overrides]:
        raise SettingsError(f"{', '.join(both)} cannot be searched and fixed: leave it out of the space, or of --set")
    return space


def _check(space: Space) -> None:
    """Raise SettingsError unless each setting can be searched, whatever the others are."""
    if not space:
        raise SettingsError("there is nothing to search: leave a setting free, or name one in the space")
    for name, where in space.items():
        _check_name(name)
        _check_values(name, where)


def _check_name(name: str) -> None:
    if name not in Settings.model_fields:
        raise SettingsError(f"unknown setting {name!r}: {did_you_mean(name, Settings.model_fields)}")
    if name == "seed":
        raise SettingsError("the seed cannot be searched: use --seed for the search and its trainings")
    if name in NOT_SEARCHED:
        raise SettingsError(
            f"{name} changes what is evaluated, so trials could not be compared: fix it with --set {name}=VALUE"
        )


def _check_values(name: str, where: Range) -> None:
    ends = where.choices if where.choices is not None else [where.low, where.high]
    if where.choices is None and is_whole(name) and not all(isinstance(end, int) for end in ends):
        raise SettingsError(f"{name} is a whole number: write low and high without a decimal point")
    for value in ends:
        check_value(name, value)


def is_whole(name: str) -> bool:
    """Whether a setting is a whole number."""
    return Settings.model_fields[name].annotation is int


def _explained(problems: Iterable[Any]) -> list[str]:
    """What pydantic found, in our words, once for each place: each kind that a value may have complains."""
    said: dict[str, str] = {}
    for problem in problems:
        loc = [str(part) for part in problem["loc"]]
        message = plainly(problem)
        if problem["type"] == "extra_forbidden":
            message = f"unknown: {did_you_mean(loc[-1], Range.model_fields)}"
        if problem["type"] == "model_type":
            message = "write a table with low and high, or choices"
        if loc[-1] in _KINDS:
            *loc, kind = loc
            if problem["type"] != "finite_number":
                message = _KINDS[kind]
        said.setdefault(".".join(loc), message)
    return [f"{place}: {message}" for place, message in said.items()]
