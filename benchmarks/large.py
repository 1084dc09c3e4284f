"""A generated log of any size, through the command line: time and memory of every step.

    python benchmarks/large.py --work company-work
    python benchmarks/large.py --work small-work --users 50000 --items 10000 --interactions 1000000
    python benchmarks/large.py --work described-work --metadata

Generates the log, prepares it, trains recipe `large` on a part of it, kills the training after its first epoch,
resumes it to the end, and recommends to some users. A step whose result is in the work folder already is not repeated.
Peak memory is that of one process. Writes benchmarks/results/large/INTERACTIONS.json; with `--metadata`, which gives
items titles and categories to learn from, INTERACTIONS-items.json.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from elcrec.data.features import FeatureSpace
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_text

RESULTS = Path(__file__).parent / "results" / "large"
DEFAULTS = {
    "users": 5_000_000,
    "items": 1_000_000,
    "interactions": 100_000_000,
    "epoch_users": 30_000,
    "judged_users": 2_000,
    "listed_users": 2_000,
}
ELCREC = (sys.executable, "-m", "elcrec.cli")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    for name, default in DEFAULTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--metadata", action="store_true", help="learn from item metadata, too")
    parser.add_argument("--note", help="what the table says of this run, too")
    arguments = parser.parse_args()
    work, run = arguments.work, arguments.work / "run"
    work.mkdir(parents=True, exist_ok=True)
    steps = steps_of(arguments)
    for number, (name, (made, command)) in enumerate(steps.items()):
        noted = work / f"step{number}.json"
        if not (made.exists() and noted.exists()):
            print(name, flush=True)
            kill = run / "checkpoint.safetensors" if name.endswith("after an epoch") else None
            write_text(noted, json.dumps({"step": name, **measured([*ELCREC, *map(str, command)], kill)}))
    document = {
        "suite": "large",
        "steps": [json.loads((work / f"step{number}.json").read_text()) for number in range(len(steps))],
        "epochs": [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()],
        "metrics": json.loads((run / "metrics.json").read_text()),
        "features": features_of(run),
        "note": arguments.note,
        **{name: getattr(arguments, name) for name in DEFAULTS if name != "judged_users"},
        **provenance(),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = f"{arguments.interactions}-items.json" if arguments.metadata else f"{arguments.interactions}.json"
    write_text(RESULTS / name, json.dumps(document, indent=1) + "\n")


def steps_of(arguments: argparse.Namespace) -> dict[str, tuple[Path, list[Any]]]:
    """What each step makes, and its command."""
    log, items, ordered, run, lists = (
        arguments.work / name for name in ("company.parquet", "items.parquet", "sorted.parquet", "run", "lists.parquet")
    )
    bounds = [f"epoch_users={arguments.epoch_users}", f"judged_users={arguments.judged_users}", "epochs=2"]
    sets = [part for bound in bounds for part in ("--set", bound)]
    sizes = [part for name in ("users", "items", "interactions") for part in (f"--{name}", getattr(arguments, name))]
    step = max(1, arguments.users // arguments.listed_users)
    asked = [part for user in range(1, arguments.users + 1, step) for part in ("--user", user)]
    written, read = (["--metadata", items], ["--items", items]) if arguments.metadata else ([], [])
    return {
        "generate": (log, ["data", "generate", "--out", log, *sizes, *written]),
        "prepare": (ordered, ["data", "prepare", log, "--out", ordered]),
        "train, killed after an epoch": (run, ["train", ordered, "--recipe", "large", "--out", run, *read, *sets]),
        "train, resumed": (run / "metrics.json", ["train", ordered, "--out", run, "--resume", *sets]),
        "lists": (lists, ["recommend", run, *asked, "--unknown", "skip", "-k", 20, "--out", lists]),
    }


def features_of(run: Path) -> str | None:
    """What a run has learned from of its items; None where it knows no features."""
    kept = run / "features.json"
    return str(FeatureSpace.model_validate_json(kept.read_text())) if kept.exists() else None


def measured(command: list[str], kill_when: Path | None) -> dict[str, Any]:
    """Run a command, or kill it as soon as a file is there: ``seconds``, those of the processor, peak memory."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    while kill_when is not None and not kill_when.exists() and process.poll() is None:
        time.sleep(0.2)
    if kill_when is not None:
        process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    if status and kill_when is None:
        sys.exit(f"failed: {' '.join(command[:6])} ...")
    seconds, cpu_seconds = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_memory_bytes": usage.ru_maxrss * 1024}


if __name__ == "__main__":
    main()
