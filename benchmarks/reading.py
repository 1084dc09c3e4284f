"""Time and memory of reading a log, compared with another checkout of elcrec, in turns: minimum and median.

    git worktree add ../elcrec-0.1 TAG
    python benchmarks/reading.py --against ../elcrec-0.1/src

Each reading is a process of its own. Writes a file for each kind of log in benchmarks/results/reading/.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from elcrec.experiments.provenance import provenance
from elcrec.storage import make_folder, write_json

HERE = Path(__file__).parent
READ = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
from elcrec import Interactions
started = time.perf_counter()
rows = len(Interactions.read(sys.argv[1]))
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"rows": rows, "seconds": seconds, "bytes": peak}))
"""


def events(rows: int) -> pl.DataFrame:
    """Integers; users come back, times are nearly in order."""
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "user_id": rng.integers(rows // 20, size=rows),
            "item_id": rng.zipf(1.2, size=rows) % 100_000,
            "timestamp": 1_600_000_000 + np.arange(rows) // 4 + rng.integers(1000, size=rows),
        }
    )


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Ids with letters and times as ISO 8601."""
    return frame.select(
        pl.format("user-{}", "user_id").alias("user_id"),
        pl.format("item-{}", "item_id").alias("item_id"),
        pl.from_epoch("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S"),
    )


KINDS: dict[str, tuple[str, int, Callable[[pl.DataFrame, Path], Any]]] = {
    "csv-integers": ("csv", 5_000_000, lambda frame, path: frame.write_csv(path)),
    "csv-text": ("csv", 5_000_000, lambda frame, path: as_text(frame).write_csv(path)),
    "csv-quoted": ("csv", 5_000_000, lambda frame, path: as_text(frame).write_csv(path, quote_style="always")),
    "jsonl": ("jsonl", 1_000_000, lambda frame, path: frame.write_ndjson(path)),
    "parquet": ("parquet", 100_000_000, lambda frame, path: frame.write_parquet(path)),
}


def reading(path: Path, source: Path) -> dict[str, Any]:
    """Rows, seconds and peak memory of one reading."""
    environment = {**os.environ, "PYTHONPATH": str(source.resolve())}
    process = subprocess.run(
        [sys.executable, "-c", READ, str(path)], env=environment, check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(process.stdout)
    return found


def compared(kind: str, against: Path, runs: int, rows: int | None) -> dict[str, Any]:
    ending, usual, write = KINDS[kind]
    rows = rows or usual
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"log.{ending}"
        write(events(rows), path)
        found: dict[str, list[dict[str, Any]]] = {"this": [], "that": []}
        for turn in range(runs):
            order = ("this", "that") if turn % 2 == 0 else ("that", "this")
            for which in order:
                found[which].append(reading(path, HERE.parent / "src" if which == "this" else against))
                print(kind, which, found[which][-1], file=sys.stderr, flush=True)
    assert {one["rows"] for ones in found.values() for one in ones} == {rows}
    measured = {
        which: {
            "seconds": statistics.median(one["seconds"] for one in ones),
            "least_seconds": min(one["seconds"] for one in ones),
            "peak_memory_bytes": statistics.median(one["bytes"] for one in ones),
        }
        for which, ones in found.items()
    }
    ratios = {
        f"{name}_ratio": measured["this"][name] / measured["that"][name]
        for name in ("seconds", "least_seconds", "peak_memory_bytes")
    }
    return {"rows": rows, "runs": runs, **measured, **ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, help="folder `src` of the other checkout")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, help="default: 5 million of CSV, 1 million of JSON, 100 million of Parquet")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    arguments = parser.parse_args()
    other = subprocess.run(
        ["git", "describe", "--always"], cwd=arguments.against, capture_output=True, text=True, check=True
    ).stdout.strip()
    make_folder(HERE / "results" / "reading")
    for kind in arguments.only:
        rows = f" --rows {arguments.rows}" if arguments.rows else ""
        command = f"python benchmarks/reading.py --against OTHER/src --runs {arguments.runs} --only {kind}{rows}"
        document = {"suite": "reading", "kind": kind, "command": command, "that_commit": other}
        measured = compared(kind, arguments.against, arguments.runs, arguments.rows)
        write_json(HERE / "results" / "reading" / f"{kind}.json", {**document, **measured, **provenance()})


if __name__ == "__main__":
    main()
