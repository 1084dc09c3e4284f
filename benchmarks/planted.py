"""Planted intents found again, as the shop of the demo gets harder, and in a shop without any.

    python benchmarks/planted.py --seeds 2

Adjusted Rand index of learned against planted intents by difficulty (0: the intent decides, 1: popularity does), and
in a shop whose histories are dealt out anew among the customers, where nothing is left to find. Writes one JSON a
shop and seed under benchmarks/results/planted/; those that are there are not run again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl

from elcrec import ELCRec
from elcrec.data.interactions import Interactions
from elcrec.data.synthetic import World, make_shop
from elcrec.demo import demo_settings, match_intents
from record import provenance

RESULTS = Path(__file__).parent / "results" / "planted"
DIFFICULTIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def shuffled_shop(world: World, seed: int) -> World:
    """The same purchases at the same times, by customers drawn anew: nobody has an intent any more."""
    frame = world.log.frame
    item_ids = np.random.default_rng(seed).permutation(frame["item_id"].to_numpy())
    frame = frame.with_columns(pl.Series("item_id", item_ids)).unique(["user_id", "item_id"], maintain_order=True)
    return World(**{**vars(world), "log": Interactions(frame)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--users", type=int, default=5000)
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for seed in range(1, arguments.seeds + 1):
        for shop in (*DIFFICULTIES, "shuffled"):
            target = RESULTS / f"{shop}-seed{seed}.json"
            if target.exists():
                continue
            world = make_shop(arguments.users, 0.2 if shop == "shuffled" else shop, seed)
            if shop == "shuffled":
                world = shuffled_shop(world, seed)
            model = ELCRec("default", seed, **demo_settings(world)).fit(world.log, progress=False)
            rand_index = match_intents(world, model)[1]
            document = {
                "suite": "planted",
                "shop": shop,
                "seed": seed,
                "n_users": arguments.users,
                "adjusted_rand_index": rand_index,
                "epochs": model.metrics["epochs"],
                "best_epoch": model.metrics["best_epoch"],
                "metrics": {"test": model.metrics["test"]},
                "intents": model.metrics["intents"],
                **provenance(),
            }
            target.write_text(json.dumps(document, indent=1) + "\n")
            print(f"{shop} seed {seed}: adjusted Rand index {rand_index:.3f}")


if __name__ == "__main__":
    main()
