"""SASRec of peers beside ours: sequences a second, memory, and what the lists are worth by our metrics.

    python benchmarks/peers/run.py ../shared/data/Beauty.txt --peer rectools=/path/to/its/venv/bin/python --epochs 1

The same file, split, model (softmax over the catalogue, width 64, 2 layers, 2 heads, 50 positions, dropout .5) and
optimiser; ours runs before and after each peer, everything on one core with one thread. docs/peers.md says how to make
the environments. Writes benchmarks/results/peers/PEER.json.
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
from elcrec.benchmark.provenance import provenance
from elcrec.evaluation.metrics import ranking_metrics
from elcrec.evaluation.ranking import UNRANKED

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "peers"


def measured(python: str, script: str, data: Path, epochs: int, core: int) -> dict[str, Any]:
    """One training in a process of its own, and the metrics of its lists."""
    with tempfile.TemporaryDirectory() as folder:
        lists = Path(folder) / "lists.csv"
        words = ["taskset", "-c", str(core), python, str(HERE / script), str(data), str(lists), str(epochs)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        found = json.loads(done.stdout.splitlines()[-1])
        listed = pl.read_csv(lists)
    last = Interactions.read(data).frame.group_by("user_id", maintain_order=True).last().select("user_id", "item_id")
    ranks = last.join(listed.cast({"rank": pl.Int64}), on=["user_id", "item_id"], how="left")["rank"]
    metrics = ranking_metrics(torch.tensor(ranks.fill_null(UNRANKED).to_list()))
    return {**found, "test": {name: metrics[name] for name in ("hit_rate@5", "ndcg@20")}}


def version(python: str, package: str) -> str:
    code = f"from importlib.metadata import version as v; print(v('{package}'), v('torch'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for peer in arguments.peer:
        name, python = peer.split("=", 1)
        how = (arguments.data, arguments.epochs, arguments.core)
        ours = [measured(sys.executable, "elcrec_sasrec.py", *how)]
        theirs = measured(python, f"{name}_sasrec.py", *how)
        ours.append(measured(sys.executable, "elcrec_sasrec.py", *how))
        best = max(one["sequences"] / one["seconds"] for one in ours)
        document = {
            "suite": "peers",
            "peer": name,
            "version": version(python, name),
            "dataset": arguments.data.name,
            "epochs": arguments.epochs,
            "theirs": theirs,
            "ours": ours,
            "times_as_fast": best / (theirs["sequences"] / theirs["seconds"]),
            **provenance(),
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
        print(json.dumps({name: document[name] for name in ("peer", "theirs", "ours", "times_as_fast")}, indent=1))


if __name__ == "__main__":
    main()
