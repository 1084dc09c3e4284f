"""Recovery of planted intents in the demo's shop, by difficulty, and in a shop without intents.

    python benchmarks/planted.py --seeds 2

Adjusted Rand index of learned against planted intents by difficulty (0: the intent decides, 1: popularity does), and
in a shop whose purchases are shuffled over the customers, where no intent is left to find. Compared with Bayes' rule
with the planted probabilities, the optimum that the histories allow. Writes one JSON a shop and seed under
benchmarks/results/planted/; those that are there are not run again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score

from elcrec import ELCRec
from elcrec.data.interactions import Interactions
from elcrec.data.synthetic import World, make_shop
from elcrec.experiments.demo import demo_settings, match_intents
from elcrec.experiments.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "planted"
DIFFICULTIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def shuffled_shop(world: World, seed: int) -> World:
    """The same purchases at the same times, shuffled over the customers: no customer has an intent."""
    frame = world.log.frame
    item_ids = np.random.default_rng(seed).permutation(frame["item_id"].to_numpy())
    frame = frame.with_columns(pl.Series("item_id", item_ids)).unique(["user_id", "item_id"], maintain_order=True)
    return World(**{**vars(world), "log": Interactions(frame)})


def optimum(world: World) -> float:
    """Adjusted Rand index of Bayes' rule with the planted probabilities: the optimum that the histories allow."""
    histories = world.log.frame.group_by("user_id", maintain_order=True).agg("item_id")
    guess = pl.Series("guess", world.beliefs(histories["item_id"].to_list()).argmax(axis=1))
    both = histories.with_columns(guess).join(world.intent_of_user, on="user_id")
    return float(adjusted_rand_score(both["planted"].to_list(), both["guess"].to_list()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--users", type=int, default=5000)
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for seed in range(1, arguments.seeds + 1):
        for shop in (*DIFFICULTIES, "shuffled"):
            target = RESULTS / f"{shop}-seed{seed}.json"
            done = json.loads(target.read_text()) if target.exists() else None
            if done is not None and "optimum" in done:
                continue
            world = make_shop(arguments.users, 0.2 if isinstance(shop, str) else shop, seed)
            if shop == "shuffled":
                world = shuffled_shop(world, seed)
            document = {**(done or learnt(world, shop, seed, arguments.users)), "optimum": optimum(world)}
            target.write_text(json.dumps(document, indent=1) + "\n")
            print(
                f"{shop} seed {seed}: {document['adjusted_rand_index']:.3f}, optimum {document['optimum']:.3f}",
                flush=True,
            )


def learnt(world: World, shop: float | str, seed: int, n_users: int) -> dict[str, Any]:
    """Train on the shop and compare."""
    model = ELCRec("default", seed, **demo_settings(world)).fit(world.log, progress=False)
    return {
        "suite": "planted",
        "shop": shop,
        "seed": seed,
        "n_users": n_users,
        "adjusted_rand_index": match_intents(world, model)[1],
        "epochs": model.metrics["epochs"],
        "best_epoch": model.metrics["best_epoch"],
        "metrics": {"test": model.metrics["test"]},
        "intents": model.metrics["intents"],
        **provenance(),
    }


if __name__ == "__main__":
    main()
