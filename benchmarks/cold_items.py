"""New items on their first day: a tenth of the items has no event in training, and is added by its metadata alone.

    python benchmarks/cold_items.py ../shared/data/Beauty.txt ../shared/data/Beauty_item2attributes.json

The items are drawn by the seed. The model is trained on the log without them (``elcrec train LOG --items ITEMS``),
and they are added with ``elcrec add-items``. Targets are the last items of the users whose last item is one of them;
the history is what came before, without such items. The rank is among all items, and among the new ones
(``among_new``); seen items are not ranked, ties count against. Next to it: popularity, chance, and the attribute
neighbours of the history (sum of the cosines of TF-IDF vectors). ``warm`` is the model's own test before and after
the new items are there. Results go to ``benchmarks/results/cold-items/NAME-seedN.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elcrec import ELCRec
from elcrec.config import Settings
from elcrec.data.by_settings import read_log
from elcrec.data.catalogue import Catalogue
from elcrec.experiments.provenance import provenance
from elcrec.inference.policy import POPULARITY
from elcrec.model.encoding import user_vectors
from elcrec.model.features import FeatureRows
from elcrec.storage import write_json
from trainings import parser_with_items

RESULTS = Path(__file__).parent / "results" / "cold-items"
SHARE, K = 0.1, 20
POPULARITIES = (POPULARITY, 0.5, 0.9, 1.0)


def metrics(score_QV: Tensor, target_Q: Tensor, seen: list[Tensor], new_V: Tensor) -> dict[str, float]:
    """Hit rate and NDCG at 20 among all items, and among the new ones."""
    score_QV = score_QV.clone()
    for row, items in enumerate(seen):
        score_QV[row, items] = -torch.inf
    found = {}
    for name, kept_V in (("", torch.ones_like(new_V)), ("among_new_", new_V)):
        shown_QV = score_QV.masked_fill(~kept_V, -torch.inf)
        rank_Q = (shown_QV >= score_QV.gather(1, target_Q[:, None])).sum(dim=1)
        hit_Q = rank_Q <= K
        found[f"{name}hit_rate@{K}"] = float(hit_Q.float().mean())
        found[f"{name}ndcg@{K}"] = float((hit_Q / torch.log2(rank_Q + 1.0)).mean())
    return found


def neighbours(model: ELCRec, seen: list[Tensor]) -> Tensor:
    """Sum of the cosines of each item's attributes to those of the history: [Q, V]."""
    features = model.fitted.dataset.item_features()
    space = model.fitted.dataset.features
    assert space is not None
    dense_VF = FeatureRows.of(features, space.n_features).sparse_RF.to_dense()[1:]
    unit_VF = torch.nn.functional.normalize(dense_VF, dim=1)
    return torch.stack([unit_VF[items].sum(dim=0) for items in seen]) @ unit_VF.T


def measured(log: Path, items: Path, seed: int, work: Path) -> dict[str, Any]:
    """Train without the new items, or read the run that is there; add and rank them."""
    frame = read_log(log, None, Settings()).frame
    ids = frame["item_id"].unique().sort()
    random = np.random.default_rng(seed)
    new = ids.sample(int(SHARE * len(ids)), seed=int(random.integers(2**31)))
    is_new = pl.col("item_id").is_in(new.implode())
    catalogue, out = Catalogue.read(items), work / f"{log.stem}-seed{seed}"
    new_rows = catalogue.frame["item_id"].is_in(new.cast(pl.String).implode())
    if (out / "metrics.json").exists():
        model = ELCRec.load(out)
    else:
        model = ELCRec(seed=seed, baselines=False)
        model.fit(frame.filter(~is_new), out=out, items=catalogue.only(~new_rows), progress=False)
    known = set(model.items.ids)
    histories = frame.filter(is_new.last().over("user_id")).group_by("user_id", maintain_order=True).agg("item_id")
    cases = [(items[-1], [item for item in items[:-1] if item in known]) for items in histories["item_id"].to_list()]
    found: dict[str, Any] = {"warm": {"before": model.evaluate(split="test")}}
    for popularity in POPULARITIES:
        model = ELCRec.load(out).add_items(catalogue.only(new_rows), popularity)
        index = {item: at for at, item in enumerate(model.items.ids)}
        judged = [(index[target], history) for target, history in cases if target in index and history]
        target_Q = torch.tensor([target for target, _ in judged])
        seen = [torch.tensor([index[item] for item in history]) for _, history in judged]
        new_V = torch.arange(len(index)) >= len(known)
        vectors = user_vectors(model.network, model.fitted.dataset.of_items([history for _, history in judged]))
        scores = vectors @ model.network.items_VD.detach().T
        name = "default" if popularity == POPULARITY else f"popularity={popularity}"
        found[name] = metrics(scores, target_Q, seen, new_V)
        found["warm"][name] = model.evaluate(split="test")
        print(log.stem, seed, name, found[name], "warm", found["warm"][name][f"ndcg@{K}"], flush=True)
    counts = torch.bincount(model.fitted.split.item_N, minlength=len(index) + 1)[1:].float()
    found["popularity"] = metrics(counts.expand(len(seen), -1), target_Q, seen, new_V)
    found["attribute-neighbours"] = metrics(neighbours(model, seen), target_Q, seen, new_V)
    found["chance"] = {f"hit_rate@{K}": K / len(index), f"among_new_hit_rate@{K}": min(1.0, K / int(new_V.sum()))}
    print(found["popularity"], found["attribute-neighbours"], found["chance"], flush=True)
    return {**found, "n_users": len(judged), "n_new_items": int(new_V.sum()), "n_items": len(index)}


def main() -> None:
    given = parser_with_items(__doc__, "runs/cold-items").parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        found = measured(given.log, given.items, seed, given.work)
        what = {"suite": "cold-items", "dataset": given.log.stem, "recipe": "default", "overrides": {}, "seed": seed}
        write_json(RESULTS / f"{given.log.stem}-seed{seed}.json", {**what, **found, **provenance()})


if __name__ == "__main__":
    main()
