"""Item-based nearest neighbours and a first-order Markov chain, counted in the training part.

Source: item-based neighbors (Sarwar et al. 2001; session form of Ludewig and Jannach 2018) and a first-order Markov
chain; both need no training and are hard to beat on sparse data.
"""

from __future__ import annotations

import numpy as np
import scipy  # which loads scipy.sparse when it is first used
import torch

from elcrec.data.histories import HistoryBatch
from elcrec.evaluation.baselines.training_part import Events, Floats, Ints, Scorer, TrainingPart, dense

WINDOW = 5
DECAY = 0.7
NEWEST = 10


def item_knn(training: TrainingPart) -> Scorer:
    """Similarity to the items of the newest 10 baskets of a history, a basket .7 times as much as the one after it.

    Two items are similar that occur in one basket or within 5 baskets of each other, whichever comes first: counts
    weighed by ``.7^(distance - 1)``, in one basket by 1, over the square root of the product of both items' counts
    plus one. Of the pair, the item to predict is a target (:attr:`TrainingPart.target_N`).
    """
    baskets = _Baskets(training)
    gaps = range(1, WINDOW + 1)
    later = sum((DECAY ** (gap - 1) * baskets.followers(gap) for gap in gaps), start=0)
    earlier = later
    if baskets.target_BV is not baskets.item_BV:
        earlier = sum((DECAY ** (gap - 1) * baskets.leaders(gap) for gap in gaps), start=0)
    near_VV = later + earlier.T
    if training.split.newest_N is not None:
        near_VV = near_VV + baskets.together()
    similar_VV = (
        scipy.sparse.diags_array(_root(baskets.item_BV)) @ near_VV @ scipy.sparse.diags_array(_root(baskets.target_BV))
    )
    return _scorer(similar_VV.tocsr(), NEWEST)


def markov(training: TrainingPart) -> Scorer:
    """How often an item was in the basket after one with an item of the newest basket; popularity decides.

    Of the basket after, targets (:attr:`TrainingPart.target_N`) count.
    """
    scorer = _scorer(_Baskets(training).followers(1), 1)
    count_V = torch.from_numpy(training.popular()).float()
    tie_V = count_V / (count_V.sum() + 1)
    return lambda histories: scorer(histories) + tie_V


def _root(held_BV: scipy.sparse.csr_array) -> Floats:
    """One over the square root of the number of baskets that hold an item, plus one: float64 [V + 1]."""
    scale_V: Floats = 1 / np.sqrt(held_BV.sum(axis=0) + 1)
    return scale_V


class _Baskets:
    """The baskets of the training part, user by user, oldest first; a log without baskets has one for each event.

    Attributes:
        item_BV: Ones for the items of each basket: sparse float64 [B, V + 1].
        target_BV: The same of the items that are targets; the same matrix where all are.
    """

    def __init__(self, training: TrainingPart) -> None:
        split, at_X = training.split, np.flatnonzero(training.learned_N)
        newest_X = at_X if split.newest_N is None else split.newest_N.numpy()[at_X]
        begins_X = np.diff(newest_X, prepend=-1) != 0
        self._user_B = split.user_N.numpy()[at_X[begins_X]]
        self._shape = (len(self._user_B), training.n_items + 1)
        basket_X, item_X, target_X = begins_X.cumsum() - 1, split.item_N.numpy()[at_X], training.target_N[at_X]
        self.item_BV = self._ones(basket_X, item_X)
        self.target_BV = self.item_BV if target_X.all() else self._ones(basket_X[target_X], item_X[target_X])

    def _ones(self, basket_X: Ints, item_X: Ints) -> scipy.sparse.csr_array:
        found = scipy.sparse.coo_array((np.ones(len(item_X)), (basket_X, item_X)), shape=self._shape).tocsr()
        found.data[:] = 1
        return found

    def followers(self, gap: int) -> scipy.sparse.csr_array:
        """How often target v was in the ``gap``-th basket after one with item u: [V + 1, V + 1], row u, column v."""
        return self._pairs(self.item_BV, self.target_BV, gap)

    def leaders(self, gap: int) -> scipy.sparse.csr_array:
        """How often target v was in the ``gap``-th basket before one with item u: row v, column u."""
        return self._pairs(self.target_BV, self.item_BV, gap)

    def _pairs(
        self, before_BV: scipy.sparse.csr_array, after_BV: scipy.sparse.csr_array, gap: int
    ) -> scipy.sparse.csr_array:
        first_X = np.flatnonzero(self._user_B[:-gap] == self._user_B[gap:])
        return (before_BV[first_X].T @ after_BV[first_X + gap]).tocsr()

    def together(self) -> scipy.sparse.csr_array:
        """How often target v was in one basket with another item u: row u, column v."""
        pairs = (self.item_BV.T @ self.target_BV).tocsr()
        return pairs - scipy.sparse.diags_array(pairs.diagonal()).tocsr()


def _scorer(similar_VV: scipy.sparse.csr_array, newest: int) -> Scorer:
    """Similarity to the items of the newest baskets."""

    def score(histories: HistoryBatch) -> torch.Tensor:
        events = Events.of(histories).of_newest(newest).once_a_basket()
        weight_X: Floats = np.power(DECAY, events.age_X)
        return dense(events.matrix(weight_X, similar_VV.shape[0] - 1) @ similar_VV)

    return score
