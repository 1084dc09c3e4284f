"""Which columns of item metadata tell something about what users take next.

A column that tells nothing is not free: a model fits its noise. In one that tells something, items that users take one
after another are more alike than they would be if the same values belonged to other items. Their likeness is compared
as it is, which also sees what is popular, and above that of items of different pairs, which also sees columns whose
popular items differ from each other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from elcrec.data.features import FeatureColumn, FeatureSpace
from elcrec.data.splits import Split
from elcrec.data.vocabulary import Indices

MOST_PAIRS, LEAST_PAIRS = 20_000, 1_000
SHUFFLES = 20
LEAST_Z = 3.0
"""How many standard deviations more alike, than with the values of other items, items of a telling column are."""


def without_agreement(space: FeatureSpace, items: pl.DataFrame, row_I: Indices, split: Split) -> tuple[str, ...]:
    """Names of the columns in which items taken one after another agree by chance alone.

    Args:
        space: Fitted on the items.
        items: Features of I items as columns, see :class:`elcrec.data.catalogue.Catalogue`.
        row_I: int64 [I], the index of each.
        split: The log; only its training part is read, and at most ``MOST_PAIRS`` pairs of it, always the same.

    Returns:
        In the order of the space. A column stays where fewer than ``LEAST_PAIRS`` pairs can tell.
    """
    random = np.random.default_rng(0)
    sample = _Sample.of(items, row_I, _pairs(split, random))
    if len(sample.pair_P2) < LEAST_PAIRS:
        return ()
    return tuple(column.name for column in space.columns if not _tells(column, sample, random))


class _Sample(NamedTuple):
    """Pairs of items, and what is known of these.

    Attributes:
        items: Features of K items as columns.
        place_K: int64 [K], the place of each among the X items of the pairs.
        pair_P2: int64 [P, 2], places.
        n_items: X.
    """

    items: pl.DataFrame
    place_K: Indices
    pair_P2: Indices
    n_items: int

    @classmethod
    def of(cls, items: pl.DataFrame, row_I: Indices, item_P2: Indices) -> _Sample:
        item_X, place = np.unique(item_P2, return_inverse=True)
        place_V = np.full(max(item_X.max(initial=0), row_I.max(initial=0)) + 1, -1)
        place_V[item_X] = np.arange(len(item_X))
        place_I = place_V[row_I]
        known = items.filter(pl.Series(place_I >= 0, dtype=pl.Boolean))
        return cls(known, place_I[place_I >= 0], place.reshape(item_P2.shape), len(item_X))


def _pairs(split: Split, random: np.random.Generator) -> Indices:
    """Different items that follow one another in the training part of a history: int64 [P, 2]."""
    trained_N, user_N, item_N = split.before(split.train_end_U), split.user_N, split.item_N
    follows_N = trained_N[1:] & (user_N[1:] == user_N[:-1]) & (item_N[1:] != item_N[:-1])
    at_P = torch.nonzero(follows_N).flatten()
    if len(at_P) > MOST_PAIRS:
        drawn = np.sort(random.choice(len(at_P), MOST_PAIRS, replace=False))
        at_P = at_P[torch.from_numpy(drawn).to(at_P.device)]
    pairs: Indices = torch.stack([item_N[at_P], item_N[at_P + 1]], dim=1).cpu().numpy()
    return pairs


def _tells(column: FeatureColumn, sample: _Sample, random: np.random.Generator) -> bool:
    """Whether items of pairs are more alike in a column than if its values belonged to other items."""
    features = FeatureSpace(columns=(column,)).encode(sample.items, sample.place_K, sample.n_items)
    known_X = features.known().numpy()
    pair_Q2 = sample.pair_P2[known_X[sample.pair_P2].all(axis=1)]
    if len(pair_Q2) < LEAST_PAIRS:
        return True
    from sklearn.preprocessing import normalize  # takes over a second to import

    # Of unit length, so that products are cosines; the features of a column are all sparse, or one vector.
    vectors = normalize(features.matrix(column.n_features) if column.n_features else features.vector_RP.numpy())
    known, other_X = np.flatnonzero(known_X), np.arange(sample.n_items)
    by_chance = []
    for _ in range(SHUFFLES):
        other_X[known] = random.permutation(known)
        by_chance.append(_agreement(vectors, other_X[pair_Q2]))
    above_2 = _agreement(vectors, pair_Q2) - np.mean(by_chance, axis=0)
    return bool((above_2 > LEAST_Z * np.std(by_chance, axis=0)).any())


def _agreement(vectors: Any, pair_Q2: Indices) -> npt.NDArray[np.float64]:
    """Mean cosine of the two items of each pair, and what of it is above that of items of different pairs: [2]."""
    left, right = (vectors[pair_Q2[:, side]] for side in (0, 1))
    alike = (left * right).sum() / len(pair_Q2)
    return np.array([alike, alike - left.mean(axis=0) @ right.mean(axis=0)])
