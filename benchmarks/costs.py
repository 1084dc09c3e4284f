"""Time and memory of a training step of `default` by number of users, items, intents and by history length.

    python benchmarks/costs.py            # what is missing under benchmarks/results/costs/, one process a point
    python benchmarks/costs.py --plot     # and docs/costs.svg from all points

Each point is a generated log. One quantity varies around 20,000 users, 10,000 items, 256 intents and histories of 10
items. Measured are the milliseconds of a step (median, one thread, without drawing the batch) and the peak memory of
the process, log included. The number of items is varied with recipe `large`, too.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from elcrec import Interactions
from elcrec.config import resolve
from elcrec.data.company import Company, write_company
from elcrec.data.splits import make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.experiments.provenance import peak_memory_bytes, provenance
from elcrec.model.network import ELCRecNetwork
from elcrec.training.loop import prepare
from elcrec.training.objective import Objective
from elcrec.training.optimizer import Optimizer
from elcrec.training.steps import StepSource

RESULTS = Path(__file__).parent / "results" / "costs"
PICTURE = Path(__file__).parent.parent / "docs" / "costs.svg"
STEPS = 12
BASE = {"users": 20_000, "items": 10_000, "intents": 256, "length": 10, "recipe": "default"}
VARIED: dict[str, list[dict[str, Any]]] = {
    "users": [{"users": users} for users in (5_000, 20_000, 80_000, 320_000)],
    "items": [{"items": items} for items in (1_000, 10_000, 50_000)],
    "items (large)": [{"items": items, "recipe": "large"} for items in (10_000, 100_000, 1_000_000)],
    "intents": [{"intents": intents} for intents in (256, 1_024, 4_096, 16_384, 65_536)],
    "length": [{"length": length} for length in (5, 10, 25, 50)],
}


def step_cost(point: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds and memory of one point, in a process of its own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        log_file = Path(folder) / "log.parquet"
        company = Company(
            n_users=point["users"], n_items=point["items"], n_interactions=point["users"] * point["length"], seed=1
        )
        write_company(company, log_file, lambda rows: None)
        log = Interactions.read(log_file)
    settings = resolve(point["recipe"], {"n_intents": point["intents"]})
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    split = make_split(log, items, settings.split, settings.holdout_share)
    network = ELCRecNetwork(settings, len(items)).train()
    prepare(network, split, settings)
    objective, optimizer = Objective(settings), Optimizer(network, settings)
    source, users_K = StepSource(split, settings, len(items)), torch.zeros(settings.n_intents)
    times, steps = [], source.epoch(torch.Generator().manual_seed(1))
    for _ in range(STEPS):
        step = next(steps)
        start = time.perf_counter()
        terms, _ = objective(network, step, users_K)
        optimizer.backward(terms.total)
        optimizer.step()
        times.append(time.perf_counter() - start)
    return {
        "milliseconds": [1e3 * seconds for seconds in times[2:]],
        "peak_memory_bytes": peak_memory_bytes(),
        "interactions": len(log.frame),
        **provenance(),
    }


def plot() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 6), layout="constrained")
    panels = figure.subplots(2, len(VARIED), sharey="row")
    for column, (name, points) in enumerate(VARIED.items()):
        varied = next(iter(points[0]))
        found = [json.loads((RESULTS / f"{file_name(name, point)}.json").read_text()) for point in points]
        sizes = [document["point"][varied] for document in found]
        times = [statistics.median(document["milliseconds"]) for document in found]
        for panel, values in (
            (panels[0][column], times),
            (panels[1][column], [document["peak_memory_bytes"] / 1e6 for document in found]),
        ):
            panel.plot(sizes, values, "o-")
            panel.set(xscale="log", xlabel=name, ylim=(0, None))
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=7)
            panel.minorticks_off()
            panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("milliseconds a step")
    panels[1][0].set_ylabel("peak memory, MB")
    figure.savefig(PICTURE, metadata={"Date": None})


def file_name(name: str, point: dict[str, Any]) -> str:
    varied = next(iter(point))
    return f"{name.replace(' ', '-').replace('(', '').replace(')', '')}-{point[varied]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", action="store_true")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, points in VARIED.items():
        for change in points:
            target = RESULTS / f"{file_name(name, change)}.json"
            if target.exists():
                continue
            point = {**BASE, **change}
            with multiprocessing.get_context("spawn").Pool(1) as process:
                measured = process.apply(step_cost, (point,))
            document = {"suite": "costs", "varied": name, "point": point, **measured}
            target.write_text(json.dumps(document, indent=1) + "\n")
            print(name, change, f"{statistics.median(measured['milliseconds']):.1f} ms", flush=True)
    if arguments.plot:
        plot()


if __name__ == "__main__":
    main()
