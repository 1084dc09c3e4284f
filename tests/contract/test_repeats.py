"""Logs in which people take things again: trained on, and what cannot be found is said."""

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cli_runner import SMALL, SMALL_SETS, run_cli, shop_log
from elcrec import ELCRec
from elcrec.data.histories import HistoryBatch
from elcrec.errors import DataWarning
from elcrec.evaluation.repeats import repeat_share


def table(histories: list[list[Any]]) -> pl.DataFrame:
    rows = [(f"u{user}", item, time) for user, history in enumerate(histories) for time, item in enumerate(history)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def baskets(n_users: int = 60, n_weeks: int = 12) -> list[list[str]]:
    """A supermarket: everybody buys nearly the same things week after week."""
    rng = random.Random(1)
    usual = [rng.sample(range(40), 5) for _ in range(n_users)]
    return [
        [f"i{rng.choice(mine) if rng.random() < 0.9 else rng.randrange(40)}" for _ in range(n_weeks)] for mine in usual
    ]


def share_by_loop(histories: list[list[Any]], back: int) -> float:
    """Of items so far from the end, those that stand before it."""
    long_enough = [history for history in histories if len(history) >= 3]
    return sum(history[-back] in history[:-back] for history in long_enough) / len(long_enough)


LOGS = {
    "nine of ten": [["a", "a", "a", "b", "b", "a"]] * 9 + [["a", "a", "a", "b", "b", "c"]],
    "baskets": baskets(),
    "none": [["a", "b", "c", "d"], ["d", "c", "b"], ["a"]],
}


@pytest.mark.filterwarnings("ignore::elcrec.errors.DataWarning")
@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_metrics_say_what_share_repeats_and_what_can_be_found(name: str, exclude_seen: bool) -> None:
    histories = LOGS[name]
    model = ELCRec(seed=1, **{**SMALL, "exclude_seen": exclude_seen}).fit(table(histories), progress=False)
    for part, back in (("test", 1), ("valid", 2)):
        metrics, share = model.metrics[part], share_by_loop(histories, back)
        assert metrics["repeats"] == pytest.approx(share)
        assert metrics["ceiling"] == pytest.approx(1 - share if exclude_seen else 1)
        assert metrics["hit_rate@50"] <= metrics["ceiling"]


def test_a_log_of_repeats_trains_and_warns(tmp_path: Path) -> None:
    table(LOGS["nine of ten"]).write_csv(tmp_path / "log.csv")
    sets = (*SMALL_SETS, "--set", "exclude_seen=true")
    trained = run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *sets, "--json")
    said = "90.0% of the held-out items are in their user's history already"
    assert said in trained.err
    assert "--set exclude_seen=false" in trained.err
    assert trained.document()["test"]["repeats"] == pytest.approx(0.9)
    evaluated = run_cli("evaluate", tmp_path / "run", "--data", tmp_path / "log.csv", "--json")
    assert said in evaluated.err
    found = evaluated.document()
    assert found == json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]
    card = (tmp_path / "run" / "README.md").read_text()
    assert "had before: 100.0% (valid), 90.0% (test); they are never found" in card


def test_repeats_that_are_ranked_are_found_and_no_cause_to_warn(tmp_path: Path) -> None:
    table(LOGS["nine of ten"]).write_csv(tmp_path / "log.csv")
    arguments = ("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, "--set", "exclude_seen=false")
    trained = run_cli(*arguments, "--json")
    assert "warning" not in trained.err
    assert trained.document()["test"]["hit_rate@5"] >= 0.9


def test_a_log_without_repeats_gives_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    model = ELCRec(seed=1, **SMALL).fit(shop_log(), progress=False)
    assert model.metrics["test"]["repeats"] == 0
    assert not [warning for warning in recwarn if issubclass(warning.category, DataWarning)]


@pytest.mark.parametrize("seed", range(5))
def test_the_share_is_that_of_a_loop(seed: int) -> None:
    rng = random.Random(seed)
    histories = [[rng.randint(1, 6) for _ in range(rng.randint(2, 9))] for _ in range(2000)]
    ends = torch.tensor([len(history) for history in histories]).cumsum(0)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
    items = torch.tensor([item for history in histories for item in history])
    expected = sum(history[-1] in history[:-1] for history in histories) / len(histories)
    assert repeat_share(HistoryBatch(items, starts, ends - 1)) == pytest.approx(expected)
