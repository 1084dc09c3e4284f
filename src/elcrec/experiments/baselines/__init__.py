"""Baselines: simple scores without training, evaluated by the same protocol."""

from __future__ import annotations

from collections.abc import Callable

from elcrec.data.splits import Split
from elcrec.experiments.baselines.neighbours import item_knn, markov
from elcrec.experiments.baselines.popularity import Scorer, popularity

BASELINES: dict[str, Callable[[Split, int], Scorer]] = {
    "popularity": popularity,
    "item-knn": item_knn,
    "markov": markov,
}
"""Each counts in the training part of a split with so many items."""
