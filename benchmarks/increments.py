"""How far a few new events change other users' recommendations, with an interpolated and with a full step.

    python benchmarks/increments.py ../shared/data/Beauty.txt --users 6000 --out benchmarks/results/increments

A small model is trained on the first users of a log, then incrementally on one event, one new user, or two new items.
Measured is the share of the top 10 that users without new events keep.
"""

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

from elcrec import ELCRec, Interactions
from elcrec.experiments.provenance import provenance
from elcrec.training import increment

SMALL: dict[str, Any] = {"epochs": 8, "n_layers": 1, "embedding_dim": 32, "n_intents": 32, "epoch_steps": 20}
K = 10


def news(log: pl.DataFrame) -> dict[str, pl.DataFrame]:
    users, items = log["user_id"].unique(maintain_order=True), log["item_id"]
    stranger, unseen = users.max() + 1, items.max() + 1  # type: ignore[operator]
    return {
        "one event": pl.DataFrame({"user_id": users[:1], "item_id": items[500:501]}),
        "one new user": pl.DataFrame({"user_id": [stranger] * 3, "item_id": items.gather([3, 700, 1200])}),
        "two new items": pl.DataFrame({"user_id": users.gather([0, 50]), "item_id": [unseen, unseen + 1]}),
    }


def kept(before: pl.DataFrame, after: pl.DataFrame, touched: pl.Series) -> float:
    untouched = ~pl.col("user_id").is_in(touched.implode())
    both = before.join(after, on=["user_id", "item_id"], how="semi")
    return both.filter(untouched).height / before.filter(untouched).height


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--users", type=int, default=6000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    log = Interactions.read(arguments.data).frame
    first = log["user_id"].unique(maintain_order=True)[: arguments.users]
    log = log.filter(pl.col("user_id").is_in(first.implode()))
    model = ELCRec(seed=1, **SMALL).fit(log, progress=False)
    before, rows = model.recommend(k=K), []
    for full_step in (increment.FULL_STEP, 0.0):
        increment.FULL_STEP = full_step or 1e-12
        for name, events in news(log).items():
            other = copy.copy(model).partial_fit(events, progress=False)
            share = kept(before, other.recommend(k=K), events["user_id"])
            rows.append({"news": name, "step": other.metrics["learnt_on"]["step"], f"kept@{K}": share})
            print(rows[-1])
    document = {
        "suite": "increments",
        "dataset": arguments.data.name,
        "n_users": arguments.users,
        "n_events": len(log),
        "settings": SMALL,
        "results": rows,
        "command": " ".join(sys.argv),
        **provenance(),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{arguments.data.stem}.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
