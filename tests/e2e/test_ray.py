"""A real cluster of two workers on this machine trains and scores like one process."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cli_runner import run_cli, shop_csv

ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
SETS = ("epochs=2", "warmup_epochs=1", "dropout=0", "batch_size=97", "n_intents=16", "embedding_dim=16")
SETS_WORDS = [word for one in SETS for word in ("--set", one)]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One for all tests: starting it takes the longest."""
    ray.init(num_cpus=3, include_dashboard=False, logging_level="error", log_to_driver=False)
    yield
    ray.shutdown()


def losses(run: Path) -> list[float]:
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [value for record in records for value in record["losses"].values()]


def test_two_workers_train_and_score_like_one_process(cluster: None, tmp_path: Path) -> None:
    data, one, two = shop_csv(tmp_path), tmp_path / "one", tmp_path / "two"
    assert run_cli("train", data, "--out", one, *SETS_WORDS).code == 0
    shared = run_cli("train", data, "--out", two, *SETS_WORDS, "--ray", 2, "--json").document()
    assert shared["test"]["n_users"] == 300
    assert losses(two) == pytest.approx(losses(one), rel=1e-4, abs=1e-5)
    assert not list(tmp_path.glob(".*"))

    mistake = run_cli("train", data, "--out", two, *SETS_WORDS, "--ray", 2)
    assert "holds a finished run" in mistake.complaint()

    written = run_cli("recommend", two, "--all", "--out", tmp_path / "lists", "--ray", 2, "--json").document()
    alone = run_cli("recommend", two, "--all", "--out", tmp_path / "lists.parquet", "--json").document()
    assert written["rows"] == alone["rows"] == 3000
    order = ("user_id", "rank")
    found = pl.read_parquet(tmp_path / "lists" / "*.parquet").sort(order)
    assert_frame_equal(found, pl.read_parquet(tmp_path / "lists.parquet").sort(order), rel_tol=1e-5)
    again = run_cli("recommend", two, "--all", "--out", tmp_path / "lists", "--ray", 2)
    assert "is there already" in again.complaint()


def test_ray_is_for_all_users(tmp_path: Path) -> None:
    complaint = run_cli("recommend", tmp_path, "--user", 1, "--ray", 2).complaint()
    assert "--all" in complaint
