"""A search from its space to a recipe, broken off and gone on with."""

import tomllib
from pathlib import Path

import pytest

from cli_runner import SMALL_SETS, Outcome, run_cli, shop_csv
from elcrec.config import resolve

SPACE = """
[learning_rate]
low = 0.0005
high = 0.02
log = true

[n_layers]
low = 1
high = 2

[cluster_loss]
choices = ["nearest", "printed"]
"""


@pytest.fixture
def search(tmp_path: Path) -> Path:
    (tmp_path / "space.toml").write_text(SPACE)
    shop_csv(tmp_path)
    return tmp_path


def tune(folder: Path, *more: object) -> Outcome:
    sets = [part for part in SMALL_SETS if not part.startswith("n_layers")]
    sets = [part for at, part in enumerate(sets) if not (part == "--set" and sets[at + 1 : at + 2] == ["--set"])]
    data, out, space = next(folder.glob("*.csv")), folder / "tuned", folder / "space.toml"
    return run_cli("tune", data, "--out", out, "--space", space, *sets, *more)


def test_a_search_finds_a_recipe_that_trains_to_what_it_says(search: Path) -> None:
    found = tune(search, "--trials", 3, "--json").document()
    trials = found["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 3
    of_the_recipe = resolve("default")
    assert trials[0]["learning_rate"] == of_the_recipe.learning_rate
    assert trials[0]["cluster_loss"] == of_the_recipe.cluster_loss
    best = max(trials, key=lambda trial: trial["value"])
    assert found["valid_ndcg@20"] == best["value"]
    recipe = tomllib.loads((search / "tuned" / "best.toml").read_text())
    assert recipe["extends"] == "default"
    assert recipe["learning_rate"] == best["learning_rate"]
    assert (recipe["epochs"], recipe["cluster_loss"]) == (2, best["cluster_loss"])
    trained = run_cli(
        "train", next(search.glob("*.csv")), "--out", search / "run", "--recipe", search / "tuned/best.toml", "--json"
    ).document()
    assert trained["valid"]["ndcg@20"] == pytest.approx(best["value"])


def test_a_search_goes_on_and_counts_what_is_done(search: Path) -> None:
    first = tune(search, "--trials", 1, "--json").document()["trials"]
    second = tune(search, "--trials", 2, "--json").document()["trials"]
    assert second[0] == first[0]
    assert len(second) == 2
    assert tune(search, "--trials", 2, "--json").document()["trials"] == second


def test_a_folder_is_for_one_search(search: Path) -> None:
    tune(search, "--trials", 1)
    assert "another search" in tune(search, "--trials", 2, "--set", "dropout=0.1").complaint()


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ("[learning_rat]\nlow = 1\nhigh = 2", "learning_rat is no setting"),
        ("[dropout]\nlow = 0.1", "low and high"),
        ("[dropout]\nlow = 0.1\nhigh = 0.2\nchoices = [1]", "low and high, or choices"),
        ("[dropout]\nlo = 0.1", "lo"),
        ("dropout", "not valid TOML"),
        ("", "nothing is no setting"),
    ],
)
def test_a_bad_space_is_named(search: Path, space: str, says: str) -> None:
    (search / "space.toml").write_text(space)
    assert says in tune(search).complaint()
    assert not (search / "tuned").exists()


def test_a_space_that_is_not_there(search: Path) -> None:
    (search / "space.toml").unlink()
    assert "cannot read" in tune(search).complaint()


def test_settings_that_are_legal_only_together_end_in_a_recipe(search: Path) -> None:
    tune(search, "--trials", 1, "--set", "next_item_loss=gbce", "--set", "horizon=1")
    recipe = tomllib.loads((search / "tuned" / "best.toml").read_text())
    assert (recipe["next_item_loss"], recipe["horizon"]) == ("gbce", 1)


def test_a_search_that_goes_on_tries_something_new(search: Path) -> None:
    for trials in (2, 3, 4):
        found = tune(search, "--trials", trials, "--json").document()["trials"]
    assert len({trial["learning_rate"] for trial in found}) == 4


def test_impossible_trials_are_said_and_a_search_of_nothing_else_ends_in_a_line(search: Path) -> None:
    (search / "space.toml").write_text('[next_item_loss]\nchoices = ["bce"]\n')
    assert "set horizon=1" in tune(search, "--trials", 2).complaint()
    assert "--seed" in tune(search, "--trials", 2, "--set", "seed=5").complaint()
