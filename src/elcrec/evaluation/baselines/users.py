"""Next-basket baselines with nearest users: TIFU-kNN and UP-CF. A log without baskets has one for each event."""

from __future__ import annotations

import numpy as np
import scipy  # which loads scipy.sparse when it is first used
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.evaluation.baselines.training_part import Events, Floats, Ints, Scorer, TrainingPart, dense

NEAREST = 300
GROUPS = 7
BASKET_DECAY = 0.9
GROUP_DECAY = 0.7
OWN_SHARE = 0.7

WINDOW = 25
ASYMMETRY = 0.5
LOCALITY = 5


def tifu_knn(training: TrainingPart) -> Scorer:
    """A user's item frequencies, mixed with those of their 300 nearest users.

    The n baskets of a history are divided in order into m = 7 groups (n where there are fewer baskets; of unequal
    groups the later ones have one basket more). A basket is the vector of its distinct items' ones. The vector of a
    group of s baskets is ``sum_j .9^(s - j) b_j / s``, that of the user ``u = sum_g .7^(m - g) v_g / m``. The scores
    are ``.7 u`` plus .3 times the mean vector of the other users with the smallest Euclidean distance to u.

    Source: Hu et al., "Modeling personalized item frequency information for next-basket recommendation"
    (SIGIR 2020, arXiv 2006.00556), with their values for the data set Ta-Feng.
    """
    return _TifuKnn(training)


def up_cf(training: TrainingPart) -> Scorer:
    """Popularity of items within the newest 25 baskets of the user and of similar users.

    ``score(u, i) = sum_v w(u, v)^5 p(v, i)`` with ``p(v, i)`` the share of v's newest 25 baskets (of all, where there
    are fewer) that hold i, and ``w(u, v) = |I_u & I_v| / (|I_u|^.5 |I_v|^.5)`` over the sets of all items of both;
    ``w(u, u) = 1``. Of the other users the 300 most similar are added up.

    Source: Faggioli, Polato and Aiolli, "Recency aware collaborative filtering for next basket recommendation" (UMAP
    2020), who add up all users. The values are from their grids, by validation on groceries.
    """
    return _UpCf(training)


def frequencies(events: Events, n_items: int) -> scipy.sparse.csr_array:
    """The vectors u of :func:`tifu_knn`: sparse float64 [B, V + 1]."""
    once = events.once_a_basket()
    n_X = once.baskets_B[once.row_X]
    groups_X = np.minimum(n_X, GROUPS)
    size_X, n_larger_X = n_X // groups_X, n_X % groups_X
    n_smaller_X = groups_X - n_larger_X
    place_X = n_X - 1 - once.age_X  # of the basket, from 0
    beyond_X = place_X - n_smaller_X * size_X  # 0 or more in the later, larger groups
    later_X = beyond_X >= 0
    size_X = size_X + later_X
    within_X = np.where(later_X, beyond_X, place_X)
    group_X = within_X // size_X + later_X * n_smaller_X
    of_basket_X = BASKET_DECAY ** (size_X - 1 - within_X % size_X) / size_X
    return once.matrix(of_basket_X * GROUP_DECAY ** (groups_X - 1 - group_X) / groups_X, n_items)


def window_shares(events: Events, n_items: int) -> scipy.sparse.csr_array:
    """The popularity p of :func:`up_cf`: sparse float64 [B, V + 1]."""
    once = events.once_a_basket()
    weight_X = (once.age_X < WINDOW) / np.minimum(once.baskets_B, WINDOW)[once.row_X]
    return once.matrix(weight_X, n_items)


def nearest(near_BU: Tensor, own_B: Ints, k: int) -> tuple[Ints, Ints, Floats]:
    """The k users that are nearest to each history, without its own: rows, columns and values, [B * k] each."""
    near_BU[torch.arange(len(own_B)), torch.from_numpy(own_B)] = -torch.inf
    value_BK, user_BK = near_BU.topk(k, dim=1)
    rows = np.repeat(np.arange(len(own_B)), k)
    return rows, user_BK.numpy().ravel(), value_BK.double().numpy().ravel()


class _TifuKnn:
    def __init__(self, training: TrainingPart) -> None:
        self._training = training
        self._vector_UV = frequencies(Events.of(training.users), training.n_items)
        self._vector_VU = self._vector_UV.T.tocsr()
        norm_U = torch.from_numpy(self._vector_UV.power(2).sum(axis=1)).float()
        self._norm_U = norm_U.masked_fill(norm_U == 0, torch.inf)  # nothing is known of them
        self._k = min(NEAREST, int((norm_U > 0).sum()) - 1)

    def __call__(self, histories: HistoryBatch) -> Tensor:
        own_BV = frequencies(Events.of(histories), self._training.n_items)
        if self._k < 1:
            return dense(OWN_SHARE * own_BV)
        near_BU = 2 * dense(own_BV @ self._vector_VU) - self._norm_U
        rows, users, _ = nearest(near_BU, self._training.user_of(histories), self._k)
        mean_BU = scipy.sparse.coo_array((np.full(len(rows), 1 / self._k), (rows, users)), shape=near_BU.shape).tocsr()
        return dense(OWN_SHARE * own_BV + (1 - OWN_SHARE) * (mean_BU @ self._vector_UV))


class _UpCf:
    def __init__(self, training: TrainingPart) -> None:
        self._training = training
        events = Events.of(training.users)
        self._share_UV = window_shares(events, training.n_items)
        held_UV = self._held(events)
        count_U = torch.from_numpy(held_UV.sum(axis=1)).float()
        self._scale_U = count_U.clamp(min=1) ** -(1 - ASYMMETRY)
        self._held_VU = held_UV.T.tocsr()
        self._k = min(NEAREST, len(count_U) - 1)

    def __call__(self, histories: HistoryBatch) -> Tensor:
        events = Events.of(histories)
        own_BV, held_BV = window_shares(events, self._training.n_items), self._held(events)
        if self._k < 1:
            return dense(own_BV)
        scale_B = torch.from_numpy(held_BV.sum(axis=1)).float() ** -ASYMMETRY
        near_BU = dense(held_BV @ self._held_VU) * self._scale_U * scale_B[:, None]
        rows, users, weights = nearest(near_BU, self._training.user_of(histories), self._k)
        similar_BU = scipy.sparse.coo_array((weights**LOCALITY, (rows, users)), shape=near_BU.shape).tocsr()
        return dense(own_BV + similar_BU @ self._share_UV)

    def _held(self, events: Events) -> scipy.sparse.csr_array:
        """Ones for the items of each history: sparse float64 [B, V + 1]."""
        found = events.matrix(np.ones(len(events.item_X)), self._training.n_items)
        found.data[:] = 1
        return found
