"""Vectors for items that no training event has shown: from their features, and from items that have some."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from elcrec.data.features import Features
from elcrec.data.splits import Split
from elcrec.fitted import FittedModel
from elcrec.model.encoding import user_vectors
from elcrec.model.features import FeatureEmbedding
from elcrec.training.ridge import Ridge

ALPHAS = (1.0, 10.0, 100.0)
HELD_OUT = 5
"""One known item in so many is held out, to choose the strength of the ridge regression."""
MEAN_USERS = 5_000
MOST_REGRESSED = 200_000
"""The regression learns from so many known items at most, evenly spread over the vocabulary."""


def learned_items(split: Split, n_items: int, n_added: int = 0) -> Tensor:
    """Which items a training has seen events of: bool [V].

    The others have held-out events alone, or none: training knows them as items that no user takes.

    Args:
        split: The log.
        n_items: V.
        n_added: How many of the last items were added since the training: it saw none of their events.
    """
    learned_V = torch.bincount(split.item_N[split.before(split.train_end_U)], minlength=n_items + 1)[1:] > 0
    learned_V[n_items - n_added :] = False
    return learned_V


def estimated_vectors(
    fitted: FittedModel, features: Features, row_X: Tensor, learned_V: Tensor, popularity: float
) -> Tensor:
    """What the item table holds for items that no training has seen events of, [X, D].

    Args:
        fitted: A model that has learned from item features.
        features: Of padding, its items, and further ones.
        row_X: int64 [X], which of these rows are estimated.
        learned_V: bool [V], what :func:`learned_items` gave of its items.
        popularity: How much they are shown, see :meth:`elcrec.ELCRec.add_items`.
    """
    known_VD = fitted.network.item_table.weight.detach()[1 : len(fitted.items) + 1]
    embedding = fitted.network.item_table.of_features
    assert embedding is not None
    mean_D = user_vectors(fitted.network, fitted.dataset.sample(MEAN_USERS, fitted.settings.seed)).mean(dim=0)
    new_XD = vectors_of_new(known_VD, learned_V, embedding, features.to(known_VD.device), row_X)
    return _as_popular(new_XD, known_VD[learned_V], mean_D, popularity)


@torch.no_grad()
def estimate_unlearned(fitted: FittedModel, features: Features | None, popularity: float, n_added: int = 0) -> int:
    """Give the items that no training has seen events of, as far as features tell of them, the vectors of new items.

    Training only pushes such items down, as no user takes them in it.

    Args:
        fitted: Trained; its item table changes.
        features: Of the items, rows 0 .. V; None: the model has learned from none, and nothing happens.
        popularity: How much these items are shown, see :meth:`elcrec.ELCRec.add_items`.
        n_added: See :func:`learned_items`.

    Returns:
        Number of these items.
    """
    learned_V = learned_items(fitted.split, len(fitted.items), n_added)
    if features is None or learned_V.all():
        return 0
    features = features.to(fitted.device)
    row_X = torch.nonzero(features.known()[1:] & ~learned_V).flatten() + 1
    if len(row_X):
        fitted.network.item_table.weight[row_X] = estimated_vectors(fitted, features, row_X, learned_V, popularity)
    return len(row_X)


def vectors_of_new(
    known_VD: Tensor, learned_V: Tensor, embedding: FeatureEmbedding, features: Features, row_X: Tensor
) -> Tensor:
    """Vectors of items without events: what features give, and what known items with these features have on top.

    A known item's vector is ``X G`` and a rest of its own. The rest is estimated from the features by ridge
    regression over the items that have training events and features; its strength is chosen on a fifth of them.

    Args:
        known_VD: [V, D], vectors of the known items.
        learned_V: bool [V], which of them have training events: vectors of the others tell nothing.
        embedding: Embeddings of item features, G, of the trained model.
        features: Of padding and all items, the known ones first.
        row_X: int64 [X], the rows of the new ones there.

    Returns:
        [X, D].
    """
    at_N = torch.nonzero(features.known()[1 : len(known_VD) + 1] & learned_V).flatten() + 1
    at_N = at_N[:: max(1, math.ceil(len(at_N) / MOST_REGRESSED))]
    known, new = features.at(at_N), features.at(row_X)
    rest_ND = known_VD[at_N - 1] - embedding.parts(known)
    return embedding.parts(new) + _regressed(known, len(embedding.weight), rest_ND, new)


def _regressed(known: Features, n_features: int, rest_ND: Tensor, new: Features) -> Tensor:
    """What new items have by a regression of what known ones have on their features, [X, D]."""
    if len(rest_ND) < 2 * HELD_OUT:
        return rest_ND.mean(dim=0) if len(rest_ND) else rest_ND.new_zeros(1)
    number_N = torch.arange(len(rest_ND), device=rest_ND.device)
    held_N, used_N = number_N[::HELD_OUT], number_N[number_N % HELD_OUT > 0]
    held, used = known.at(held_N), known.at(used_N)

    def error(alpha: float) -> float:
        found = Ridge.fit(used, n_features, rest_ND[used_N], alpha).predict(held)
        return float((found - rest_ND[held_N]).square().mean())

    return Ridge.fit(known, n_features, rest_ND, min(ALPHAS, key=error)).predict(new)


def _as_popular(new_XD: Tensor, known_VD: Tensor, mean_D: Tensor, popularity: float) -> Tensor:
    """New items moved along the mean user vector, by what lies between the known items' median and that quantile.

    Their mean scores differ as their features say, and do not depend on what other items are new, or were before.
    """
    score_V = (known_VD @ mean_D).float().cpu().numpy()
    median, wanted = np.quantile(score_V, (0.5, popularity))
    return new_XD + float(wanted - median) * mean_D / mean_D.square().sum().clamp(min=1e-12)
