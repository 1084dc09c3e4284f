"""Item-based nearest neighbours and a first-order Markov chain, counted in the training part.

Source: item-based neighbors (Sarwar et al. 2001; session form of Ludewig and Jannach 2018) and a first-order Markov
chain; both need no training and are hard to beat on sparse data.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from elcrec.data.histories import HistoryBatch
from elcrec.data.neighbours import followers
from elcrec.evaluation.baselines.training_part import Scorer, TrainingPart, dense

WINDOW = 5
DECAY = 0.7
NEWEST = 10


def item_knn(training: TrainingPart) -> Scorer:
    """Similarity to the newest 10 items of a history, an item .7 times as much as the one after it.

    Two items are similar that occur within 5 places of each other, whichever comes first: counts weighed by
    ``.7^(distance - 1)``, over the square root of the product of both items' counts plus one.
    """
    split, n_items = training.split, training.n_items
    pairs = sum((DECAY ** (gap - 1) * followers(split, n_items, gap) for gap in range(1, WINDOW + 1)), start=0)
    scale = sparse.diags_array(1 / np.sqrt(training.count_V + 1))
    return _scorer((scale @ (pairs + pairs.T) @ scale).tocsr(), NEWEST)


def markov(training: TrainingPart) -> Scorer:
    """How often an item followed the newest one of a history; popularity decides between equals."""
    scorer = _scorer(followers(training.split, training.n_items), 1)
    count_V = torch.from_numpy(training.popular()).float()
    tie_V = count_V / (count_V.sum() + 1)
    return lambda histories: scorer(histories) + tie_V


def _scorer(similar_VV: sparse.csr_array, newest: int) -> Scorer:
    def score(histories: HistoryBatch) -> torch.Tensor:
        age_W = np.arange(newest)
        at_BW = histories.end_Q.numpy()[:, None] - 1 - age_W
        weight_BW = DECAY**age_W * (at_BW >= histories.start_Q.numpy()[:, None])
        rows = np.repeat(np.arange(len(at_BW)), newest)
        entries = (weight_BW.ravel(), (rows, histories.item_N.numpy()[at_BW.clip(0)].ravel()))
        history = sparse.coo_array(entries, shape=(len(at_BW), similar_VV.shape[0])).tocsr()
        return dense(history @ similar_VV)

    return score
