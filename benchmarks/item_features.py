"""What learning from item metadata adds on the benchmark files: ``elcrec train DATA --items ITEMS``.

    python benchmarks/item_features.py ../shared/data/Beauty.txt ../shared/data/Beauty_item2attributes.json

Each seed is one training with unchanged settings. A run that is there already is read. Results go to
``benchmarks/results/item-features/NAME-seedN.json``: the metrics by the protocol that validation chose, and with seen
items excluded (``masked``).

``--shuffled`` gives each item the attributes of another one, drawn by the seed: they tell nothing then, and the
difference from trainings without metadata is what useless features cost.

``--recipe`` and ``--set`` train another model. ``--negatives RUN`` weighs the items of the target's intent by
``--negative-weight`` (``intent_negatives.py``); the intents are those of a finished run with metadata.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import intent_negatives
from elcrec import ELCRec
from elcrec.cli.parameters import overrides_of
from elcrec.data.catalogue import Catalogue
from elcrec.evaluation.metrics import RankingMetrics, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json
from trainings import kept_of, parser_with_items, trained

RESULTS = Path(__file__).parent / "results" / "item-features"


def shuffled(items: Catalogue, seed: int) -> Catalogue:
    """The same descriptions, each of another item."""
    ids = items.frame["item_id"].shuffle(seed)
    return replace(items, frame=items.frame.with_columns(ids))


def with_seen_excluded(model: ELCRec, part: str) -> RankingMetrics:
    """Metrics where seen items are not ranked, whatever validation chose."""
    _, histories = model.fitted.split.held_out(part)
    return metrics_of(histories, ranks_of_ways(model.network, histories, (True,))[True])


def main() -> None:
    parser = parser_with_items(__doc__, "runs/item-features")
    parser.add_argument("--exclude-seen", action="store_true", help="choose the epoch with seen items excluded, too")
    parser.add_argument("--shuffled", action="store_true", help="give each item the attributes of another one")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument("--negatives", type=Path, metavar="RUN", help="intent-aware negatives, by the intents of a run")
    parser.add_argument("--negative-weight", type=float, default=2.0, metavar="W")
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    overrides = overrides_of(given.set) | ({"exclude_seen": True} if given.exclude_seen else {})
    variant = [given.recipe] * (given.recipe != "default") + (given.set or [])
    if given.negatives:
        intent_negatives.use(intent_negatives.intent_of_items(ELCRec.load(given.negatives)), given.negative_weight)
        overrides["next_item_loss"] = intent_negatives.NAME
        variant.append(f"negatives of the target's intents weigh {given.negative_weight:g}")
    described = Catalogue.read(given.items)
    for seed in given.seeds:
        changed = "".join(f"-{one}" for one in variant).replace(" ", "_").replace("'", "")
        marks = "-exclude-seen" * given.exclude_seen + "-shuffled" * given.shuffled
        name = f"{given.log.stem}{changed}{marks}-seed{seed}"
        items = shuffled(described, seed) if given.shuffled else described
        model = trained(given.log, given.work / name, {**overrides, "seed": seed}, given.recipe, items=items)
        found = kept_of(model.metrics)
        masked = {part: with_seen_excluded(model, part) for part in ("valid", "test")}
        seconds = [sum(value for name, value in one["seconds"].items() if name != "evaluate") for one in model.history]
        what: dict[str, Any] = {"suite": "item-features", "dataset": given.log.stem, "recipe": given.recipe}
        document = {
            **what,
            "overrides": overrides,
            "variant": ", ".join(variant),
            "shuffled": given.shuffled,
            "feature_weight": model.settings.feature_weight,
            "seed": seed,
            **found,
            "masked": masked,
            "epoch_seconds": min(seconds),
            **provenance(),
        }
        write_json(RESULTS / f"{name}.json", document)
        values = " ".join(f"{part} {masked[part]['ndcg@20']:.4f}" for part in masked)
        print(f"{name}: ndcg@20 with seen items excluded: {values}", flush=True)


if __name__ == "__main__":
    main()
