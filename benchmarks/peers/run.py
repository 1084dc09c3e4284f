"""SASRec of other packages compared with ours: sequences and targets a second, memory, accuracy by our metrics.

    python benchmarks/peers/run.py ../shared/data/Beauty.txt --peer rectools=/path/to/its/venv/bin/python --epochs 1

The same file (lines of a user and their items in order of time), split, model (softmax over the catalogue, width 64,
2 layers, 2 heads, 50 positions, dropout .5) and optimiser; ours runs before and after each peer, everything on one
core with one thread. With --steps only so many batches of 256 are trained, for a log of which an epoch would take
hours; then there is no evaluation. docs/peers.md says how to make the environments. Writes
benchmarks/results/peers/PEER-DATA.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import torch

from elcrec import Interactions
from elcrec.evaluation.metrics import ranking_metrics
from elcrec.experiments.provenance import provenance
from elcrec.inference.scoring import UNRANKED

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "peers"
PACKAGES = {"replay": "replay-rec"}


def measured(python: str, script: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One training in a process of its own, and the metrics of its lists."""
    with tempfile.TemporaryDirectory() as folder:
        lists = Path(folder) / "lists.csv"
        words = [arguments.data, lists, arguments.epochs, arguments.steps]
        command = ["taskset", "-c", str(arguments.core), python, str(HERE / script), *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found if arguments.steps else {**found, "test": worth(lists, arguments.data)}


def worth(lists: Path, data: Path) -> dict[str, float]:
    """Metrics of lists for the last item of each history."""
    listed = pl.read_csv(lists)
    last = Interactions.read(data).frame.group_by("user_id", maintain_order=True).last().select("user_id", "item_id")
    ranks = last.join(listed.cast({"rank": pl.Int64}), on=["user_id", "item_id"], how="left")["rank"]
    metrics = ranking_metrics(torch.tensor(ranks.fill_null(UNRANKED).to_list()))
    return {name: metrics[name] for name in ("hit_rate@5", "ndcg@20")}


def times_as_fast(ours: list[dict[str, Any]], theirs: dict[str, Any], what: str) -> float:
    """By the seconds of training alone; ours the better of its two."""
    best = max(one[what] / one["train_seconds"] for one in ours)
    return float(best / (theirs[what] / theirs["train_seconds"]))


def version(python: str, package: str) -> str:
    code = f"from importlib.metadata import version as v; print(v('{package}'), v('torch'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument(
        "--steps", type=int, default=0, help="train so many batches only, without evaluation (0: whole epochs)"
    )
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for peer in arguments.peer:
        name, python = peer.split("=", 1)
        ours = [measured(sys.executable, "elcrec_sasrec.py", arguments)]
        theirs = measured(python, f"{name}_sasrec.py", arguments)
        ours.append(measured(sys.executable, "elcrec_sasrec.py", arguments))
        document = {
            "suite": "peers",
            "peer": name,
            "version": version(python, PACKAGES.get(name, name)),
            "dataset": arguments.data.name,
            "epochs": arguments.epochs,
            "steps": arguments.steps,
            "theirs": theirs,
            "ours": ours,
            "times_as_fast": times_as_fast(ours, theirs, "sequences"),
            "times_as_fast_targets": times_as_fast(ours, theirs, "targets"),
            **provenance(),
        }
        (arguments.out / f"{name}-{arguments.data.stem}.json").write_text(json.dumps(document, indent=1) + "\n")
        shown = ("peer", "theirs", "ours", "times_as_fast", "times_as_fast_targets")
        print(json.dumps({name: document[name] for name in shown}, indent=1))


if __name__ == "__main__":
    main()
