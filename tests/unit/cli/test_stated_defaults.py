"""Defaults that ``--help`` states are those of the package, which ``--help`` does not import."""

import re

import pytest
from typer.main import get_command

from elcrec.cli.app import app
from elcrec.cli.demo import DIFFICULTY
from elcrec.inference.policy import STRENGTH
from elcrec.recommender import POPULARITY

STATED = {
    ("add-items", "popularity"): POPULARITY,
    ("demo", "difficulty"): DIFFICULTY,
    ("recommend", "strength"): STRENGTH,
}


def stated_defaults() -> dict[tuple[str, str], float]:
    """The numbers after "Default:" in the help of options, by command and option."""
    found = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for option in command.params:
            number = re.search(r"Default: ([0-9.]+)\.", getattr(option, "help", None) or "")
            if number:
                found[name, option.name] = float(number[1])
    return found


def test_all_stated_defaults_are_known() -> None:
    assert stated_defaults().keys() == STATED.keys()


@pytest.mark.parametrize("option", STATED)
def test_a_stated_default_is_the_default(option: tuple[str, str]) -> None:
    assert stated_defaults()[option] == STATED[option]
