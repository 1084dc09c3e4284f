"""Time an epoch alone and next to a busy process, in turns; take the figures on an idle machine.

    python benchmarks/busy.py ../shared/data/Beauty.txt --recipe paper --json benchmarks/results/busy/NAME.json

Every measurement is a training in a process of its own. Next to means: as many processes as --busy compute without a
pause, on the same cores. `one_thread` is the same training with one thread and alone; under `docker run --cpus 1`,
`alone` should take as long.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

BUSY = "while True: pass"
TRAIN = """
import json, os, sys
from elcrec import ELCRec, Interactions
data, recipe, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
log = Interactions.read(data)
model = ELCRec(recipe, 1, "cpu", **settings).fit(log, progress=False)
import torch
from elcrec.experiments.provenance import provenance
phases = [record["seconds"] for record in model.history[1:]]
seconds = sorted(sum(one.values()) - one["evaluate"] for one in phases)
waiting = {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
middle = seconds[len(seconds) // 2]
print(json.dumps({"seconds": middle, "waiting": waiting, **provenance()}))
"""
"""A training as users start one: the package is imported before PyTorch."""
SITUATIONS = ("alone", "beside", "one_thread")


def measured(arguments: argparse.Namespace, situation: str) -> dict[str, Any]:
    """Seconds of an epoch in one situation, and where they were measured."""
    given = dict(text.split("=", 1) for text in arguments.set)
    settings = {"warmup_epochs": 0, **given, "epochs": arguments.epochs, "patience": arguments.epochs}
    settings |= {"threads": 1} if situation == "one_thread" else {}
    command = [sys.executable, "-W", "ignore", "-c", TRAIN, str(arguments.data), arguments.recipe, json.dumps(settings)]
    with ExitStack() as stack:
        for _ in range(arguments.busy if situation == "beside" else 0):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(busy.kill)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--epochs", type=int, default=3, help="the first is a warm-up and not counted")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each situation, in turns")
    parser.add_argument("--busy", type=int, default=1, help="busy processes next to the training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()

    load = os.getloadavg()[0]
    found: dict[str, list[dict[str, Any]]] = {situation: [] for situation in SITUATIONS}
    for _ in range(arguments.turns):
        for situation, documents in found.items():
            documents.append(measured(arguments, situation))
    seconds = {name: [one.pop("seconds") for one in documents] for name, documents in found.items()}
    median = {name: statistics.median(values) for name, values in seconds.items()}
    document = {
        "suite": "busy",
        "dataset": arguments.data.name,
        "recipe": arguments.recipe,
        "overrides": arguments.set,
        "epochs_counted": arguments.epochs - 1,
        "busy": arguments.busy,
        "load_before": load,
        "epoch_seconds": seconds,
        "beside_over_alone": median["beside"] / median["alone"],
        **found["alone"][0],
    }
    for name, value in median.items():
        print(f"{name:>10} {value:8.2f} s an epoch")
    print(
        f"next to a busy process / alone: {document['beside_over_alone']:.2f}\n"
        f"load before: {load:.1f} (figures need an idle machine)"
    )
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
