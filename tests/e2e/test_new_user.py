"""What a stranger does on the first evening: train, evaluate, recommend, look at intents."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL_SETS, run_cli, shop_log
from conftest import SHARED


def walk(data: Path, run: Path, known: str, unseen: str, *settings: object) -> dict[str, Any]:
    """The whole path; gives every document."""
    lists = run.parent / f"{run.name}-lists.parquet"
    return {
        "train": run_cli("train", data, "--out", run, *settings, "--json").document(),
        "valid": run_cli("evaluate", run, "--data", data, "--split", "valid", "--json").document(),
        "test": run_cli("evaluate", run, "--data", data, "--split", "test", "--json").document(),
        "user": run_cli("recommend", run, "--user", known, "--json").document(),
        "history": run_cli("recommend", run, "--history", unseen, "--json").document(),
        "all": run_cli("recommend", run, "--all", "--out", lists, "--json").document(),
        "lists": pl.read_parquet(lists),
        "intents": run_cli("intents", run, "--json").document(),
        "similar": run_cli("similar", run, "--item", unseen.split(",")[0], "--json").document(),
    }


def check(found: dict[str, Any], log: pl.DataFrame, known: Any, unseen: set[Any]) -> None:
    """What holds on any data."""
    n_users = log["user_id"].n_unique()
    assert found["train"]["valid"] == found["valid"]
    assert found["train"]["test"] == found["test"]
    assert found["test"]["n_users"] == n_users
    bought = set(log.filter(pl.col("user_id") == known)["item_id"])
    assert [row["rank"] for row in found["user"]] == list(range(1, 11))
    assert {row["user_id"] for row in found["user"]} == {known}
    assert not {row["item_id"] for row in found["user"]} & bought
    assert not {row["item_id"] for row in found["history"]} & unseen
    assert len(found["history"]) == len(found["similar"]) == 10
    assert found["all"]["rows"] == found["lists"].height == 10 * n_users
    own = found["lists"].filter(pl.col("user_id") == known)["item_id"].to_list()
    assert own == [row["item_id"] for row in found["user"]]
    assert sum(intent["users"] for intent in found["intents"]["intents"]) == n_users


def test_a_shuffled_csv_with_text_ids_and_times(tmp_path: Path) -> None:
    log = shop_log().sample(fraction=1, shuffle=True, seed=5)
    log.select("timestamp", "item_id", "user_id").write_csv(tmp_path / "events.csv")
    found = walk(tmp_path / "events.csv", tmp_path / "run", "shopper-00042", "tent pegs,webcam", *SMALL_SETS)
    check(found, log, "shopper-00042", {"tent pegs", "webcam"})


def test_the_same_log_as_numbers_in_lines_gives_the_same_metrics(tmp_path: Path) -> None:
    """The benchmark text format, and a shuffled CSV of it with times and text ids in the same natural order."""
    log = shop_log().with_columns(
        user_id=pl.col("user_id").rank("dense").cast(pl.Int64), item_id=pl.col("item_id").rank("dense").cast(pl.Int64)
    )
    lines = log.group_by("user_id", maintain_order=True).agg(pl.col("item_id").cast(pl.String))
    (tmp_path / "log.txt").write_text("".join(f"{user} {' '.join(items)}\n" for user, items in lines.iter_rows()))
    texts = log.with_columns(user_id=pl.format("u{}", "user_id"), item_id=pl.format("i{}", "item_id"))
    texts.sample(fraction=1, shuffle=True, seed=6).write_csv(tmp_path / "log.csv")
    by_line = walk(tmp_path / "log.txt", tmp_path / "lines", "42", "3,9", *SMALL_SETS)
    by_row = walk(tmp_path / "log.csv", tmp_path / "rows", "u42", "i3,i9", *SMALL_SETS)
    check(by_line, log, 42, {3, 9})
    check(by_row, texts, "u42", {"i3", "i9"})
    for part in ("valid", "test"):
        assert by_line[part] == by_row[part]
    for question in ("user", "history", "similar"):
        assert [f"i{row['item_id']}" for row in by_line[question]] == [row["item_id"] for row in by_row[question]]
    sizes = [[(row["intent"], row["users"]) for row in found["intents"]["intents"]] for found in (by_line, by_row)]
    assert sizes[0] == sizes[1]


def test_tables_in_a_terminal(tmp_path: Path) -> None:
    shop_log().write_csv(tmp_path / "events.csv")
    trained = run_cli("train", tmp_path / "events.csv", "--out", tmp_path / "run", *SMALL_SETS)
    assert "elcrec recommend" in trained.err  # what to do next
    lists = run_cli("recommend", tmp_path / "run", "--user", "shopper-00042", "-k", 3)
    assert lists.out.count("shopper-00042") == 3
    assert "of 8 intents in use" in run_cli("intents", tmp_path / "run").out
    assert "tent pegs" in run_cli("similar", tmp_path / "run", "--item", "tent pegs").out
    assert "hit_rate@5" in run_cli("evaluate", tmp_path / "run", "--data", tmp_path / "events.csv").out


@pytest.mark.slow
def test_the_whole_path_on_a_quarter_of_beauty(beauty: Path, tmp_path: Path) -> None:
    lines = beauty.read_text().splitlines()[::4]
    (tmp_path / "beauty.txt").write_text("".join(f"{line}\n" for line in lines))
    frame = pl.DataFrame({"line": lines}).select(pl.col("line").str.split(" "))
    log = frame.select(user_id=pl.col("line").list.first(), item_id=pl.col("line").list.slice(1)).explode("item_id")
    texts = log.with_columns(
        user_id=pl.format("u{}", "user_id"), item_id=pl.format("i{}", "item_id"), timestamp=pl.int_range(pl.len())
    )
    texts.sample(fraction=1, shuffle=True, seed=6).write_csv(tmp_path / "beauty.csv")
    once = ("--set", "epochs=1", "--set", "epoch_steps=1")
    by_line = walk(tmp_path / "beauty.txt", tmp_path / "lines", "5", "120,350", *once)
    by_row = walk(tmp_path / "beauty.csv", tmp_path / "rows", "u5", "i120,i350", *once)
    check(by_line, log.cast(pl.Int64), 5, {120, 350})
    check(by_row, texts, "u5", {"i120", "i350"})
    for part in ("valid", "test"):
        assert by_line[part] == by_row[part]
    assert by_line["test"]["ndcg@20"] > 0.005  # ten times chance after one pass


def test_published_beauty_weights_give_the_published_numbers(beauty: Path, tmp_path: Path) -> None:
    weights, expected = (SHARED / "reference" / f"elcrec_beauty.{ending}" for ending in ("safetensors", "json"))
    if not weights.exists() or not expected.exists():
        pytest.skip(f"no {weights}: set ELCREC_SHARED to the folder that holds data/ and reference/")
    run = tmp_path / "run"
    imported = run_cli(
        "import-checkpoint", weights, "--data", beauty, "--out", run, "--set", "fusion=shift", "--json"
    ).document()
    test = run_cli("evaluate", run, "--data", beauty, "--split", "test", "--json").document()
    published = json.loads(expected.read_text())
    assert test == imported["test"]
    assert test["n_users"] == published["n_users"]
    numbers = {"hit_rate@5": 0.0529, "ndcg@5": 0.0355, "hit_rate@20": 0.1079, "ndcg@20": 0.0509}
    for values, metrics in (
        (numbers, test),
        (published["recomputed"], test),
        (published["valid_recomputed"], imported["valid"]),
    ):
        assert {name: metrics[name] for name in values} == pytest.approx(values, abs=0.00005)
    intents = run_cli("intents", run, "--json").document()
    assert intents["used"] == 7
    assert round(intents["largest_share"], 3) == 0.998
    rows = run_cli("recommend", run, "--user", "1", "-k", 5, "--json").document()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert all(1 <= row["item_id"] <= 12101 for row in rows)
