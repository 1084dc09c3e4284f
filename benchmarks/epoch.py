"""Time an epoch by phase, and an evaluation.

    python benchmarks/epoch.py ../shared/data/Beauty.txt --recipe paper
    python benchmarks/epoch.py ../shared/data/Beauty.txt --recipe default --json benchmarks/results/speed/NAME.json

Phases: data (draw batch, views, negatives), encode, losses, backward, step (optimiser), evaluate (rank the catalogue
for every validation item). On a GPU, phases are those of the host unless CUDA_LAUNCH_BLOCKING=1 is set.

The settings of glibc's allocator (GLIBC_TUNABLES, see docs/performance.md) are kept with the result.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import torch

from elcrec import ELCRec, Interactions
from elcrec.config import parse_override
from elcrec.experiments.provenance import peak_memory_bytes, provenance
from elcrec.training.report import SilentReporter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--epochs", type=int, default=4, help="the first is a warm-up and not counted")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    overrides = dict(parse_override(text) for text in arguments.set)

    start = time.perf_counter()
    log = Interactions.read(arguments.data)
    read_seconds = time.perf_counter() - start
    settings = {"warmup_epochs": 0, **overrides, "epochs": arguments.epochs, "patience": arguments.epochs}
    model = ELCRec(arguments.recipe, 1, arguments.device, **settings).fit(log, progress=SilentReporter())
    counted = [record["seconds"] for record in model.history[1:]]
    training = [sum(seconds.values()) - seconds["evaluate"] for seconds in counted]
    document = {
        "suite": "speed",
        "dataset": arguments.data.name,
        "recipe": arguments.recipe,
        "overrides": overrides,
        "seed": 1,
        "allocator": os.environ.get("GLIBC_TUNABLES"),
        "epochs_counted": len(counted),
        "read_seconds": read_seconds,
        "epoch_seconds": spread(training),
        "phases": {phase: spread([seconds[phase] for seconds in counted]) for phase in counted[-1]},
        "peak_memory_bytes": peak_memory_bytes(),
        **provenance(),
    }
    print(f"{arguments.recipe} on {arguments.data.name}, {torch.get_num_threads()} threads: seconds (min, median, max)")
    print(f"{'read':>10} {read_seconds:8.2f}")
    for phase, values in document["phases"].items():
        print(f"{phase:>10} {values['min']:8.2f} {values['median']:8.2f} {values['max']:8.2f}")
    epoch = document["epoch_seconds"]
    print(f"{'epoch':>10} {epoch['min']:8.2f} {epoch['median']:8.2f} {epoch['max']:8.2f}   (training alone)")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


def spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


if __name__ == "__main__":
    main()
