"""Exact search (in full and in two stages) and approximate search over catalogues of growing size, one thread.

    python benchmarks/search.py RUN --items 12101 100000 1000000

User vectors are those of histories of RUN. Catalogues larger than the run's own are its item vectors, repeated
with noise (--noise, in standard deviations of the vectors): a table as dense as a learned one, of any size. Measured on
users that the index was not fitted to: recall@20, and seconds a user, all at once (256) and one by one. Writes
benchmarks/results/search/ITEMS-NOISE.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from elcrec import ELCRec
from elcrec.data.histories import HistoryBatch
from elcrec.experiments.provenance import provenance
from elcrec.inference.first_pass import BFloat16Table
from elcrec.inference.index import ItemSearch, recall
from elcrec.inference.scoring import Scorer
from elcrec.model.encoding import EncodedHistories, user_vectors

RESULTS = Path(__file__).parent / "results" / "search"
K, FITTED, ASKED, ALONE = 20, 256, 256, 32


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--items", type=int, nargs="+", default=[12_101, 100_000, 1_000_000])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.3, 0.7])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    model = ELCRec.load(arguments.run)
    some = model.fitted.dataset.sample(FITTED + ASKED, model.settings.seed)
    order = torch.randperm(FITTED + ASKED, generator=torch.Generator().manual_seed(1))
    fitted_QD, asked_QD = user_vectors(model.network, some.at(order)).split(FITTED)
    own_VD = model.network.items_VD.detach()
    for n_items in arguments.items:
        for noise in arguments.noise if n_items > len(own_VD) else (0.0,):
            items_VD = own_VD
            if noise > 0:
                generator = torch.Generator().manual_seed(1)
                drawn = torch.randint(len(own_VD), (n_items,), generator=generator)
                moved = torch.randn(n_items, own_VD.shape[1], generator=generator).mul_(noise * own_VD.std(dim=0))
                items_VD = moved.add_(own_VD[drawn])
            measured(items_VD, fitted_QD, asked_QD, noise, arguments.run.name)


def measured(items_VD: torch.Tensor, fitted_QD: torch.Tensor, asked_QD: torch.Tensor, noise: float, run: str) -> None:
    """Compare on one catalogue, and write the result."""
    # As a model's: row 0 is padding; histories are of one item, and nothing is left out.
    table_DV = torch.cat([items_VD.new_zeros(1, items_VD.shape[1]), items_VD]).T
    network: Any = SimpleNamespace(n_items=len(items_VD))
    half = BFloat16Table.of(table_DV)

    def exact(user_QD: torch.Tensor, half: BFloat16Table | None = None) -> torch.Tensor:
        place_Q = torch.arange(len(user_QD))
        histories = HistoryBatch(torch.ones_like(place_Q), place_Q, place_Q + 1)
        return Scorer(network, table_DV, half).best_items(EncodedHistories(histories, user_QD, user_QD), K, False)[0]

    start = time.perf_counter()
    search = ItemSearch.build(items_VD, fitted_QD, K)
    build = time.perf_counter() - start
    alone = asked_QD[:ALONE].split(1)
    times = {
        "exact": (seconds(lambda: exact(asked_QD)), seconds(lambda: [exact(one) for one in alone])),
        "approximate": (
            seconds(lambda: search.best(asked_QD, K)),
            seconds(lambda: [search.best(one, K) for one in alone]),
        ),
    }
    exact_QK = exact(asked_QD)
    if half is not None:
        times["half_first"] = (
            seconds(lambda: exact(asked_QD, half)),
            seconds(lambda: [exact(one, half) for one in alone]),
        )
    document = {
        "suite": "search",
        "run": run,
        "items": len(items_VD),
        "noise": noise,
        "cells": search.index.nlist,
        "looked_into": search.index.nprobe,
        "build_seconds": build,
        "recall@20": recall(exact_QK, search.best(asked_QD, K)[0]),
        "half_first_same": None if half is None else float((exact(asked_QD, half) == exact_QK).double().mean()),
        "seconds_a_user": {
            name: {"together": together / ASKED, "alone": one / ALONE} for name, (together, one) in times.items()
        },
        **provenance(),
    }
    (RESULTS / f"{len(items_VD)}-{noise:g}.json").write_text(json.dumps(document, indent=1) + "\n")
    shown = ("items", "noise", "looked_into", "recall@20", "half_first_same", "seconds_a_user")
    print(json.dumps({name: document[name] for name in shown}))


if __name__ == "__main__":
    main()
