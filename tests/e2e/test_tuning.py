"""A search from its space to a recipe, broken off and gone on with."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli_runner import SMALL_SETS, Outcome, run_cli, shop_csv, shop_log
from elcrec.config import resolve
from elcrec.experiments.tuning import recipe_text
from elcrec.runs.lock import locked

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
        ("[learning_rat]\nlow = 1\nhigh = 2", "unknown setting 'learning_rat'"),
        ("[dropout]\nlow = 0.1", "low and high"),
        ("[dropout]\nlow = 0.1\nhigh = 0.2\nchoices = [1]", "low and high, or choices"),
        ("[dropout]\nlo = 0.1", "lo"),
        ("dropout", "not valid TOML"),
        ("", "nothing to search"),
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


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ("[dropout]\nlow = 0.5\nhigh = 0.1", "low=0.5 is above high=0.1"),
        ("[learning_rate]\nlow = 0.0\nhigh = 0.1\nlog = true", "low above 0"),
        ("[learning_rate]\nlow = -1.0\nhigh = 0.1\nlog = true", "low above 0"),
        ("[learning_rate]\nlow = 0.1\nhigh = inf", "finite"),
        ("[learning_rate]\nlow = nan\nhigh = 0.1", "finite"),
        ("[dropout]\nchoices = []", "at least one"),
        ("[dropout]\nchoices = [0.1, 0.1]", "twice"),
        ("[dropout]\nchoices = [0.1]\nlog = true", "log is for low and high"),
        ('[dropout]\nlow = "a"\nhigh = "b"', "dropout.low"),
        ("[dropout]\nlow = true\nhigh = true", "dropout.low"),
        ("[dropout]\nlow = 0.5\nhigh = 1.5", "dropout=1.5"),
        ('[n_layers]\nchoices = [1, "two"]', "n_layers='two'"),
        ("[n_layers]\nlow = 1.0\nhigh = 3.0", "whole number"),
        ("[cluster_loss]\nlow = 1\nhigh = 2", "cluster_loss=1"),
        ("dropout = 0.5", "low and high, or choices"),
        ("[learning_rat]\nlow = 1\nhigh = 2", "did you mean 'learning_rate'"),
        ("[dropout]\nlo = 0.1\nhigh = 0.2", "did you mean 'low'"),
        ("[seed]\nlow = 1\nhigh = 9", "--seed"),
        ("[exclude_seen]\nchoices = [true, false]", "changes what is evaluated"),
        ("[k_core]\nlow = 1\nhigh = 5", "changes what is evaluated"),
        ("[epochs]\nlow = 1\nhigh = 3000000000", "below 2147483648"),
        ("[epochs]\nchoices = [99999999999999999999]", "below 2147483648"),
        ("[n_layers]\nlow = 1" + "0" * 5000 + "\nhigh = 2", "not valid TOML"),
        ("a = " + "[" * 20_000, "not valid TOML"),
    ],
    ids=lambda each: each[:40] if isinstance(each, str) else "",
)
def test_an_impossible_space_is_refused_before_anything_is_there(search: Path, space: str, says: str) -> None:
    (search / "space.toml").write_text(space)
    assert says in tune(search).complaint()
    assert not (search / "tuned").exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_other_encodings_of_a_space_are_named(search: Path, encoding: str) -> None:
    (search / "space.toml").write_bytes(f"# é\n{SPACE}".encode(encoding))
    assert "space.toml" in tune(search).complaint()
    assert not (search / "tuned").exists()


def test_what_is_set_is_not_searched(search: Path) -> None:
    assert "n_layers cannot be searched and fixed" in tune(search, "--set", "n_layers=1").complaint()
    assert not (search / "tuned").exists()
    data, out, sets = next(search.glob("*.csv")), search / "tuned", [*SMALL_SETS, "--set", "horizon=1"]
    found = run_cli("tune", data, "--out", out, "--trials", 1, *sets, "--json").document()
    assert set(found["settings"]) == {"learning_rate", "dropout", "smoothing"}
    more = ["--set", "learning_rate=0.001", "--set", "dropout=0.1", "--set", "smoothing=0"]
    assert "leave a setting free" in run_cli("tune", data, "--out", search / "none", *sets, *more).complaint()
    assert not (search / "none").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--set", "user_column=nobody"), "no column 'nobody'"),
        (("--set", "k_core=10000"), "no interaction is left"),
        (("--set", "embedding_dim=15"), "must divide"),
        (("--device", "cuda:77"), "cuda"),
        (("--seed", "-1"), "seed"),
    ],
)
def test_everything_is_checked_before_the_folder_is_there(search: Path, more: tuple[str, ...], says: str) -> None:
    assert says in tune(search, *more).complaint()
    assert not (search / "tuned").exists()


def test_failed_trials_are_outcomes_and_do_not_count(search: Path) -> None:
    # With horizon=2 bce is impossible, and with such a learning rate training diverges.
    (search / "space.toml").write_text(
        '[next_item_loss]\nchoices = ["softmax", "bce"]\n[learning_rate]\nchoices = [0.0015, 1e30]\n'
    )
    outcome = tune(search, "--trials", 2, "--set", "horizon=2", "--set", "epoch_steps=2", "--json")
    trials = outcome.document()["trials"]
    assert [trial["state"] for trial in trials].count("complete") == 2
    failed = [trial for trial in trials if trial["state"] == "fail"]
    assert {trial["next_item_loss"] for trial in failed} | {trial["learning_rate"] for trial in failed} > {"bce", 1e30}
    for trial in failed:
        assert ("set horizon=1" if trial["next_item_loss"] == "bce" else "learning_rate") in trial["reason"]
        assert trial["reason"] in outcome.err
    assert {trial["reason"] for trial in trials if trial["state"] == "complete"} == {None}


def test_a_space_that_never_works_is_given_up(search: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elcrec.experiments.tuning.FAILED_IN_A_ROW", 3)
    (search / "space.toml").write_text("[learning_rate]\nchoices = [1e30, 1e31]\n")
    outcome = tune(search, "--trials", 50, "--set", "epoch_steps=2")
    assert "no trial was completed" in outcome.complaint()
    assert "3 trials in a row failed" in outcome.err
    assert not (search / "tuned" / "best.toml").exists()


def test_the_recipe_found_gives_the_very_settings(search: Path) -> None:
    odd = 'a "quoted" \\ name\tof ünï'
    shop_log(60).rename({"user_id": odd}).write_parquet(search / "odd.parquet")
    sets = ("--set", f"user_column={odd}", "--set", "weight_decay=1e-07", "--set", "epochs=1", "--seed", 7)
    assert run_cli("tune", search / "odd.parquet", "--out", search / "tuned", "--trials", 1, *sets).code == 0
    found = resolve(search / "tuned" / "best.toml")
    assert (found.user_column, found.weight_decay, found.seed) == (odd, 1e-07, 7)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1), st.text() | st.floats(allow_nan=False) | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    )
)
def test_recipes_are_read_as_they_were_written(values: dict[str, Any]) -> None:
    read = tomllib.loads(recipe_text(values, "About it"))
    assert read == values
    assert [type(value) for value in read.values()] == [type(value) for value in values.values()]


def test_a_whole_number_of_a_setting_with_a_point_is_searched_between(search: Path) -> None:
    (search / "space.toml").write_text("[weight_decay]\nlow = 0\nhigh = 1\n")
    found = tune(search, "--trials", 2, "--json").document()["trials"]
    assert any(trial["weight_decay"] not in (0, 1) for trial in found)


def test_a_folder_of_any_name_holds_its_trials(search: Path) -> None:
    data, out = next(search.glob("*.csv")), search / "tuned? x=1 #é"
    space = ("--space", search / "space.toml", "--set", "epochs=1", "--set", "embedding_dim=16")
    first = run_cli("tune", data, "--out", out, "--trials", 1, *space, "--json").document()["trials"]
    assert {path.name for path in out.iterdir()} == {"trials.sqlite", "best.toml", "study.json"}
    assert run_cli("tune", data, "--out", out, "--trials", 1, *space, "--json").document()["trials"] == first


def test_a_damaged_search_is_named(search: Path) -> None:
    tune(search, "--trials", 1)
    (search / "tuned" / "trials.sqlite").write_bytes(b"no database" * 500)
    assert "trials.sqlite is damaged" in tune(search, "--trials", 2).complaint()
    (search / "tuned" / "study.json").write_text("{")
    assert "study.json" in tune(search, "--trials", 2).complaint()


def test_a_search_of_another_version_is_another_search(search: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune(search, "--trials", 1)
    monkeypatch.setattr("elcrec.experiments.tuning.package_version", lambda: "9.9.9")
    assert "another search" in tune(search, "--trials", 1).complaint()


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ('[dropout]\nlow = "a"\nhigh = 0.2', "dropout.low: write a number"),
        ("[dropout]\nchoices = [[0.1]]", "dropout.choices.0: write a number, a text, true or false"),
        ("[dropout]\nlow = inf\nhigh = 2", "dropout.low: use a finite number"),
    ],
)
def test_a_value_of_no_kind_is_said_once(search: Path, space: str, says: str) -> None:
    (search / "space.toml").write_text(space)
    assert tune(search).complaint() == f"space {search / 'space.toml'}: {says}"


def test_two_searches_in_one_folder_at_once_are_refused(search: Path) -> None:
    tune(search, "--trials", 1)
    with locked(search / "tuned"):
        assert "is being written by process" in tune(search, "--trials", 2).complaint()
    assert len(tune(search, "--trials", 2, "--json").document()["trials"]) == 2
