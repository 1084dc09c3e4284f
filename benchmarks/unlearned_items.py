"""Items that no training event shows: what it changes to place them by their features after the training.

    python benchmarks/unlearned_items.py ../shared/data/Beauty.txt ../shared/data/Beauty_item2attributes.json

Each seed is one training with unchanged settings that leaves such items as it made them (``before``); a run that is
there already is read. Then they are placed as ``elcrec train`` does (``after``). Seen items are not ranked.
``targets`` counts the held-out items among them. Results go to ``benchmarks/results/unlearned-items/NAME-seedN.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from elcrec import ELCRec
from elcrec.experiments.provenance import provenance
from elcrec.inference.policy import POPULARITY
from elcrec.storage import write_json
from elcrec.training.new_items import estimate_unlearned, learned_items
from item_features import with_seen_excluded
from trainings import parser_with_items, trained

RESULTS = Path(__file__).parent / "results" / "unlearned-items"
PARTS = ("valid", "test")


def measured(model: ELCRec) -> dict[str, Any]:
    """Metrics of both parts with seen items excluded."""
    return {part: with_seen_excluded(model, part) for part in PARTS}


def targets(model: ELCRec, learned_V: Tensor) -> dict[str, int]:
    """How many held-out items no training event shows."""
    split = model.fitted.split
    return {part: int((~learned_V[split.item_N[split.targets(part)[1]] - 1]).sum()) for part in PARTS}


def main() -> None:
    given = parser_with_items(__doc__, "runs/unlearned-items").parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        name = f"{given.log.stem}-seed{seed}"
        with patch("elcrec.training.fit.estimate_unlearned", return_value=0):
            model = trained(given.log, given.work / name, {"seed": seed}, items=given.items)
        with torch.no_grad():
            learned_V = learned_items(model.fitted.split, len(model.items))
            found: dict[str, Any] = {"n_items": len(learned_V), "targets": targets(model, learned_V)}
            found["before"] = measured(model)
            found["n_unlearned"] = estimate_unlearned(model.fitted, model.fitted.dataset.item_features(), POPULARITY)
            found["after"] = measured(model)
        print(name, found, flush=True)
        what = {
            "suite": "unlearned-items",
            "dataset": given.log.stem,
            "recipe": "default",
            "overrides": {},
            "seed": seed,
        }
        write_json(RESULTS / f"{name}.json", {**what, **found, **provenance()})


if __name__ == "__main__":
    main()
