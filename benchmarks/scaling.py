"""An epoch on one and on two processes of one thread each.

    python benchmarks/scaling.py ../shared/data/Beauty.txt --json benchmarks/results/scaling/NAME.json

Starts the trainings by torchrun, in turns, and reads the seconds of each epoch but the first from their history;
validation is included.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from elcrec.experiments.provenance import provenance

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def epochs(data: Path, recipe: str, processes: int, epochs: int) -> list[float]:
    """Seconds of each epoch but the first."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        sets = ["--set", f"epochs={epochs}", "--set", "warmup_epochs=0"]
        words = [*LAUNCH, str(processes), "-m", "elcrec.cli", "train", str(data), "--out", str(out), "--recipe", recipe]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([*words, *sets, "--json"], check=True, env=environment, stdout=subprocess.DEVNULL)
        records = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    return [sum(record["seconds"].values()) for record in records[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(arguments.rounds):
        for processes, found in seconds.items():
            found += epochs(arguments.data, arguments.recipe, processes, arguments.epochs)
    medians = {processes: statistics.median(found) for processes, found in seconds.items()}
    for processes, found in seconds.items():
        print(f"{processes} processes: {medians[processes]:.1f} s an epoch ({min(found):.1f} to {max(found):.1f})")
    print(f"two processes are {medians[1] / medians[2]:.2f} times as fast")
    if arguments.json is not None:
        document = {
            "suite": "scaling",
            "dataset": arguments.data.name,
            "recipe": arguments.recipe,
            "seconds": {str(processes): found for processes, found in seconds.items()},
            **provenance(),
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
