"""What item features cost an epoch: trainings with and without them, in turns.

    python benchmarks/feature_epoch.py ../shared/data/Beauty.txt ../shared/data/Beauty_item2attributes.json

Each pair is two trainings of a few epochs on one thread, the first of which is not counted. An epoch's time is the
least of its training's, without evaluation. The result goes to ``benchmarks/results/item-features-epoch/NAME.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import Any

import torch

from elcrec import ELCRec, Interactions
from elcrec.data.catalogue import Catalogue
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json
from elcrec.training.report import SilentReporter

RESULTS = Path(__file__).parent / "results" / "item-features-epoch"


def epoch_seconds(log: Interactions, items: Catalogue | None, epochs: int) -> float:
    """The least time of an epoch of a training."""
    settings: dict[str, Any] = {"warmup_epochs": 0, "epochs": epochs, "patience": epochs, "baselines": False}
    model = ELCRec(seed=1, **settings).fit(log, items=items, progress=SilentReporter())
    counted = [record["seconds"] for record in model.history[1:]]
    return min(sum(seconds.values()) - seconds["evaluate"] for seconds in counted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("items", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="the first is not counted")
    given = parser.parse_args()
    torch.set_num_threads(1)
    log, items = Interactions.read(given.log), Catalogue.read(given.items)
    pairs: list[dict[str, float]] = []
    for number in range(1, given.pairs + 1):
        with_features, without = (epoch_seconds(log, described, given.epochs) for described in (items, None))
        pairs.append({"with": with_features, "without": without, "ratio": with_features / without})
        print(f"pair {number}: {with_features:.2f} s with features, {without:.2f} s without", flush=True)
    ratio = median(pair["ratio"] for pair in pairs)
    RESULTS.mkdir(parents=True, exist_ok=True)
    what = {"suite": "item-features-epoch", "dataset": given.log.stem, "recipe": "default", "epochs": given.epochs}
    write_json(RESULTS / f"{given.log.stem}.json", {**what, "pairs": pairs, "ratio": ratio, **provenance()})
    print(f"ratio of the epochs' times: {ratio:.3f} (median of {given.pairs} pairs)")


if __name__ == "__main__":
    main()
