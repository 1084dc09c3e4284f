"""Columns are found by their usual names, however these are written."""

import pytest

from elcrec.data.columns import ALIASES, choose_columns

WRITTEN = {
    "as it is": lambda words: "_".join(words),
    "upper case": lambda words: "_".join(words).upper(),
    "blanks": lambda words: " ".join(words).title(),
    "blanks around": lambda words: f" {'_'.join(words)} ",
    "dashes": lambda words: "-".join(words),
    "points": lambda words: f"events.{'_'.join(words)}",
    "camel case": lambda words: words[0] + "".join(word.title() for word in words[1:]),
    "one word": lambda words: "".join(words),
    "a type": lambda words: f"{'_'.join(words)}:token",
}
OTHERS = {"user_id": "user_id", "item_id": "item_id", "timestamp": "timestamp", "event": "event"}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("role", ALIASES)
def test_a_usual_name_is_found_however_it_is_written(role: str, way: str) -> None:
    for name in ALIASES[role]:
        written = WRITTEN[way](name.split("_"))
        there = ["price", *(other for known, other in OTHERS.items() if known != role), written]
        chosen = choose_columns(there, dict.fromkeys(ALIASES), [])
        assert chosen == {**OTHERS, role: written}, name


def test_a_name_stands_for_one_role() -> None:
    of_roles = [{name.replace("_", "") for name in names} for names in ALIASES.values()]
    assert len(set.union(*of_roles)) == sum(len(names) for names in of_roles)


@pytest.mark.parametrize("name", ["watch_time", "play_time", "birth_date", "release_date", "updated"])
def test_other_times_of_a_log_are_not_taken_for_the_time_of_an_event(name: str) -> None:
    chosen = choose_columns(["user_id", "item_id", name], dict.fromkeys(ALIASES), [])
    assert chosen == {"user_id": "user_id", "item_id": "item_id"}
