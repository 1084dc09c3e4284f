"""Memory and speed of `recommend --all`, at several numbers of users.

    python benchmarks/all_lists.py --users 25000 100000 --items 50000 --out benchmarks/results/all-lists

The model is not trained: the cost of recommendations does not depend on that.
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

import numpy as np
import polars as pl
import torch

from elcrec import ELCRec, Interactions
from elcrec.config import resolve
from elcrec.data.dataset import Dataset
from elcrec.experiments.provenance import provenance
from elcrec.fitted import FittedModel
from elcrec.model.network import ELCRecNetwork

EVENTS_A_USER = 8


def made(n_users: int, n_items: int, path: Path) -> None:
    """A run with random weights."""
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(n_users), EVENTS_A_USER)
    items = np.concatenate([np.arange(n_items), rng.integers(n_items, size=max(0, len(users) - n_items))])[: len(users)]
    log = Interactions.read(pl.DataFrame({"user_id": users, "item_id": items, "timestamp": np.arange(len(users))}))
    settings = resolve(overrides={"seed": 1, "embedding_dim": 64, "n_intents": 64})
    dataset = Dataset.of(log, settings, torch.device("cpu"))
    ELCRec.from_fitted(FittedModel(settings, ELCRecNetwork(settings, n_items).eval(), dataset)).save(path)


def measured(run: Path, k: int) -> dict[str, Any]:
    """Seconds and the peak memory of the command, in a process of its own."""
    command = [sys.executable, "-m", "elcrec.cli", "recommend", str(run), "--all", "--out", str(run) + ".parquet"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "-k", str(k)], stderr=subprocess.PIPE, text=True)
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, said
    return {"seconds": time.perf_counter() - started, "peak_memory_bytes": usage.ru_maxrss * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[25_000, 100_000])
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("-k", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    for n_users in arguments.users:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            made(n_users, arguments.items, run)
            rows.append({"users": n_users, **measured(run, arguments.k)})
            rows[-1]["rows_a_second"] = n_users * arguments.k / rows[-1]["seconds"]
            print(rows[-1], flush=True)
    document = {
        "suite": "all-lists",
        "n_items": arguments.items,
        "k": arguments.k,
        "events_a_user": EVENTS_A_USER,
        "results": rows,
        "command": " ".join(sys.argv),
        **provenance(),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "cpu.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
