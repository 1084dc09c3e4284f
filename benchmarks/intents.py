"""Evaluation of the intents of trained runs: meaning, health, steering, and stability over seeds.

    python benchmarks/intents.py Beauty_item2attributes.json runs/accuracy/accuracy/Beauty-default-seed*

One JSON a run under benchmarks/results/intents/, and one for the pairs of runs where there are several.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from elcrec import ELCRec
from elcrec.experiments.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "intents"
STEERED_USERS = 500
TYPICAL = 50
STRENGTHS = (0.0, 0.25, 0.5, 0.65, 0.8, 0.9, 1.0)


def steering(model: ELCRec) -> dict[str, float]:
    """Share of an intent's 50 most typical items in the top 10 of users steered toward it, by strength."""
    generator = np.random.default_rng(model.settings.seed)
    table = model.intents(TYPICAL)
    typical = {row["intent"]: set(row["items"]) for row in table.iter_rows(named=True) if row["users"] >= TYPICAL}
    intents = generator.permutation(sorted(typical))[:50].tolist()
    users = model.users.ids.sample(min(STEERED_USERS, len(model.users)), seed=model.settings.seed)
    groups = np.array_split(np.arange(len(users)), len(intents))
    shares = {}
    for strength in STRENGTHS:
        hits = []
        for intent, at in zip(intents, groups, strict=True):
            listed = model.recommend(users.gather(at), k=10, intents=[intent], strength=strength)
            hits += listed["item_id"].is_in(typical[intent]).to_list()
        shares[f"{strength:g}"] = float(np.mean(hits))
    return shares


def without_own_intent(model: ELCRec) -> dict[str, float]:
    """Share of the typical items of their own intent in the top 10 of users, before and after it is excluded."""
    table = model.intents(TYPICAL)
    typical = {row["intent"]: set(row["items"]) for row in table.iter_rows(named=True)}
    users = model.user_intents().sample(min(STEERED_USERS, len(model.users)), seed=model.settings.seed)
    before, after = [], []
    for (intent,), group in users.group_by("intent"):
        before += model.recommend(group["user_id"], k=10)["item_id"].is_in(typical[intent]).to_list()
        listed = model.recommend(group["user_id"], k=10, exclude_intents=[intent])
        after += listed["item_id"].is_in(typical[intent]).to_list()
    return {"before": float(np.mean(before)), "after": float(np.mean(after))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    models = {run.name: ELCRec.load(run, "cpu") for run in sorted(arguments.runs)}
    for name, model in models.items():
        target = RESULTS / f"{name}.json"
        if target.exists():
            continue
        model.describe_items(arguments.items)
        document = {
            "suite": "intents",
            "run": name,
            "recipe": model.recipe,
            "seed": model.settings.seed,
            "n_intents": model.settings.n_intents,
            "n_users": len(model.users),
            "health": model.intent_health(),
            "quality": {split: model.intent_quality(split=split) for split in ("valid", "test")},
            "steering": steering(model),
            "exclusion": without_own_intent(model),
            **provenance(),
        }
        target.write_text(json.dumps(document, indent=1) + "\n")
        learned, kmeans = (document["quality"]["test"][who]["attribute_ami"] for who in ("learned", "kmeans"))
        print(f"{name}: test ami {learned:.4f}, k-means {kmeans:.4f}; steering {document['steering']}", flush=True)
    if len(models) > 1:
        common = next(iter(models)).rsplit("-seed", 1)[0]
        pairs = [
            {"runs": [one, other], **models[one].intent_stability(models[other])}
            for one, other in combinations(models, 2)
        ]
        document = {"suite": "intents", "stability": pairs, **provenance()}
        (RESULTS / f"{common}-stability.json").write_text(json.dumps(document, indent=1) + "\n")
        print({name: np.mean([pair[name] for pair in pairs]) for name in ("learned", "kmeans", "matched_cosine")})


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
