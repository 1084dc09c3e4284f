"""How typical items are of intents: counts behind lift, steering and calibrated re-ranking."""

from __future__ import annotations

import numpy as np
import polars as pl
import scipy  # which loads scipy.sparse when it is first used
import torch
from torch import Tensor

from elcrec.data.vocabulary import Vocabulary
from elcrec.intents.intent_table import PRIOR_USERS, users_by_item


class ItemIntents:
    """How typical each item is of each intent, counted over users and their whole histories.

    ``lift(i, k) = P(k | i) / P(k)`` with ``P(k | i) = (n_ik + s P(k)) / (n_i + s)``: n_ik users of intent k have
    item i, n_i users in all, s = 10; see :func:`elcrec.intents.intent_table.typical_items`.

    Attributes:
        users_VK: sparse [V + 1, K], n_ik; row 0 (padding) is empty.
        share_K: [K], P(k), the intents' shares of the users.
    """

    def __init__(self, intent_of_user: pl.DataFrame, events: pl.DataFrame, items: Vocabulary, n_intents: int) -> None:
        """Count.

        Args:
            intent_of_user: ``user_id``, ``intent``.
            events: ``user_id``, ``item_id``.
            items: Numbers the items.
            n_intents: K.
        """
        counts = users_by_item(intent_of_user, events)
        cells = (items.indices(counts["item_id"]), counts["intent"].to_numpy())
        values = counts["users"].cast(pl.Float32).to_numpy()
        self.users_VK = scipy.sparse.csr_matrix((values, cells), shape=(len(items) + 1, n_intents))
        sizes = np.bincount(intent_of_user["intent"].to_numpy(), minlength=n_intents)
        self.share_K = (sizes / max(1, sizes.sum())).astype(np.float32)

    def given_item(self, item_N: Tensor) -> Tensor:
        """``P(k | i)`` of items: [N, K], rows sum to 1."""
        users_NK = self.users_VK[item_N.numpy()].toarray()
        prior_NK = users_NK + PRIOR_USERS * self.share_K
        return torch.from_numpy(prior_NK / (users_NK.sum(axis=1, keepdims=True) + PRIOR_USERS))

    def lift(self, intents: list[int]) -> Tensor:
        """Lift of every item for a user who has one of these intents: [V + 1], > 0; 1 is average.

        An intent without users says nothing: 1 everywhere.
        """
        share = float(self.share_K[intents].sum())
        if share == 0:
            return torch.ones(self.users_VK.shape[0])
        users_V = np.asarray(self.users_VK[:, intents].sum(axis=1)).ravel()
        all_V = np.asarray(self.users_VK.sum(axis=1)).ravel()
        return shrunk_lift(users_V, all_V, share)


def shrunk_lift(weight_V: np.ndarray, users_V: np.ndarray, mean: float) -> Tensor:
    """``(w_i + s w) / (n_i + s) / w``, s = 10: how much more some users take each item than all do, float32 [V + 1].

    Args:
        weight_V: w_i, sum of the weights of the users who have the item; those of an intent weigh 1, others 0.
        users_V: n_i, number of users who have it.
        mean: w, mean weight of all users, > 0.
    """
    return torch.from_numpy(((weight_V + PRIOR_USERS * mean) / (users_V + PRIOR_USERS) / mean).astype(np.float32))
