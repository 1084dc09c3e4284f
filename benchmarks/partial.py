"""Incremental training compared with training from scratch: accuracy and seconds.

    python benchmarks/partial.py ../shared/data/Beauty.txt --seeds 1 2 3 --out benchmarks/results/partial

The new events are the newest event of every second user, and all events of every tenth user, with the items that only
they have; on Beauty there are none such. Three models are evaluated on the test items of the whole log: the one from
before, the same after `partial_fit`, and one trained from scratch. Users whose test item a model does not know are not
evaluated.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import polars as pl

from elcrec import ELCRec, Interactions
from elcrec.experiments.provenance import provenance


def parted(log: Interactions) -> tuple[Interactions, Interactions]:
    """The log before, and the new events."""
    number = pl.col("user_id").rank("dense")
    newest = pl.int_range(pl.len()).over("user_id") == pl.len().over("user_id") - 1
    new = log.frame.select(((number % 2 == 0) & newest) | (number % 10 == 0)).to_series()
    return Interactions(log.frame.filter(~new)), Interactions(log.frame.filter(new))


def evaluated(model: ELCRec, log: Interactions) -> dict[str, Any]:
    found = {part: model.evaluate(log, part, unknown="skip") for part in ("valid", "test")}
    return {"seconds": model.metrics["train_seconds"], "n_items": len(model.items), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of incremental training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, help="folder for one JSON a seed; what is there is not repeated")
    arguments = parser.parse_args()
    log = Interactions.read(arguments.data)
    before, new = parted(log)
    for seed in arguments.seeds:
        name = f"{arguments.data.stem}-{arguments.recipe}-seed{seed}.json"
        path = None if arguments.out is None else arguments.out / name
        if path is not None and path.exists():
            continue
        model = ELCRec(arguments.recipe, seed).fit(before)
        stale = evaluated(model, log)
        start = time.perf_counter()
        model.partial_fit(new, arguments.epochs)
        seconds = time.perf_counter() - start
        partial = {**evaluated(model, log), "seconds": seconds}
        scratch = evaluated(ELCRec(arguments.recipe, seed).fit(log), log)
        for what, found in (("before", stale), ("partial_fit", partial), ("scratch", scratch)):
            print(f"{what:<11} test ndcg@20 {found['test']['ndcg@20']:.4f}  {found['seconds']:.0f} s")
        document = {
            "suite": "partial",
            "dataset": arguments.data.name,
            "recipe": arguments.recipe,
            "seed": seed,
            "epochs": arguments.epochs,
            "n_events": len(log),
            "n_new_events": len(new),
            "before": stale,
            "partial": partial,
            "anew": scratch,
            **provenance(),
        }
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
