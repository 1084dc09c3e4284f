"""Item-based nearest neighbours and a first-order Markov chain, counted in the training part.

Source: item-based neighbours (Sarwar et al. 2001; session form of Ludewig and Jannach 2018) and a first-order Markov
chain; both need no training and are hard to beat on sparse data.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from elcrec.data.neighbours import followers
from elcrec.data.splits import Split
from elcrec.experiments.baselines.popularity import Scorer, popularity_scores

WINDOW = 5
DECAY = 0.7
NEWEST = 10


def item_knn(split: Split, n_items: int) -> Scorer:
    """Similarity to the newest 10 items of a history, an item .7 times as much as the one after it.

    Two items are similar that occur within 5 places of each other, whichever comes first: counts weighed by
    ``.7^(distance - 1)``, over the square root of the product of both items' counts plus one.
    """
    pairs = sum((DECAY ** (gap - 1) * followers(split, n_items, gap) for gap in range(1, WINDOW + 1)), start=0)
    scale = sparse.diags_array(1 / (popularity_scores(split, n_items).double() + 1).sqrt().cpu().numpy())
    return _scorer(split, (scale @ (pairs + pairs.T) @ scale).tocsr(), NEWEST)


def markov(split: Split, n_items: int) -> Scorer:
    """How often an item followed the newest one of a history; popularity decides between equals."""
    follows = followers(split, n_items)
    scorer = _scorer(split, follows, 1)
    count_V = popularity_scores(split, n_items)
    tie_V = count_V / (count_V.sum() + 1)
    return lambda start_B, end_B: scorer(start_B, end_B) + tie_V


def _scorer(split: Split, similar_VV: sparse.csr_array, newest: int) -> Scorer:
    item_N = split.item_N.cpu().numpy()

    def score(start_B: Tensor, end_B: Tensor) -> Tensor:
        age_W = np.arange(newest)
        at_BW = end_B.cpu().numpy()[:, None] - 1 - age_W
        weight_BW = DECAY**age_W * (at_BW >= start_B.cpu().numpy()[:, None])
        rows = np.repeat(np.arange(len(at_BW)), newest)
        entries = (weight_BW.ravel(), (rows, item_N[at_BW.clip(0)].ravel()))
        history = sparse.coo_array(entries, shape=(len(at_BW), similar_VV.shape[0])).tocsr()
        return torch.from_numpy((history @ similar_VV).toarray()).float().to(start_B.device)

    return score
