"""Items for users without a history, who chose intents."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
import scipy  # which loads scipy.sparse when it is first used
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.item_intents import shrunk_lift
from elcrec.model.encoding import user_vectors

LEAST_SAMPLE, SAMPLE_PER_INTENT = 4096, 64
AFFINITIES = (1.0, 0.5, 0.25)
"""Affinity of a user to their strongest intents, strongest first."""
POWER = 4
"""Of the sum of affinities: users count more who share several chosen intents, or have one as their strongest."""


class NewUserRanking:
    """Ranks items for a user of whom only some intents are known, by users who would choose the same.

    A user u of a sample counts by the chosen intents among their three strongest ones: ``w_u = (sum of
    affinities)^4``, with affinities 1, 1/2 and 1/4. The score of an item is ``m v_i + log(n_i + 1) + log lift(i)``:
    m is the mean of the users' vectors, weighted by w_u, v_i the item's vector, n_i its number of events, and
    ``lift(i) = (sum_u w_u x_ui + s w) / (x_i + s) / w``, with x_ui 1 where u has item i, x_i the number of users
    who have it, w the mean of all w_u, and s = 10. The first term is what the model expects of such users, up to a
    constant; the others are what such users took. Of intents that no user of the sample has, only popularity and
    their lift in the whole log (:class:`elcrec.intents.item_intents.ItemIntents`) say something.
    """

    def __init__(self, assigner: IntentAssigner, popularity_V: Tensor) -> None:
        """Of a model; the sample is drawn by the seed when it is first needed.

        Args:
            assigner: Of the same model.
            popularity_V: Number of events of each item, [V + 1].
        """
        self.assigner = assigner
        self.fitted = assigner.fitted
        self.popularity_V = popularity_V

    def scores(self, intents: list[int]) -> Tensor:
        """Of all items, for a user who has these intents: [V + 1]; padding's says nothing."""
        score_V = (self.popularity_V + 1).log()
        weight_S = self._weights(intents)
        some_S = np.flatnonzero(weight_S)
        if not len(some_S):
            return score_V + self.assigner.item_intents.lift(intents).log()
        mean_D = torch.from_numpy(weight_S[some_S] / weight_S.sum()).to(self._vector_SD) @ self._vector_SD[some_S]
        score_V[1:] += (self.fitted.network.items_VD.detach() @ mean_D).cpu()
        weight_V = self._has_SV[some_S].T @ weight_S[some_S]
        return score_V + shrunk_lift(weight_V, self._users_V, weight_S.mean()).log()

    def _weights(self, intents: list[int]) -> np.ndarray:
        """How much each user of the sample counts: float32 [S]."""
        chosen_ST = torch.isin(self._intent_ST, torch.tensor(intents)).float()
        affinity_S = chosen_ST @ torch.tensor(AFFINITIES[: chosen_ST.shape[1]])
        return (affinity_S**POWER).numpy()

    @cached_property
    def _sample(self) -> HistoryBatch:
        most = max(LEAST_SAMPLE, SAMPLE_PER_INTENT * self.assigner.n_intents)
        return self.fitted.dataset.sample(most, self.fitted.settings.seed)

    @cached_property
    def _intent_ST(self) -> Tensor:
        """Strongest intents of the sample, strongest first."""
        top = min(len(AFFINITIES), self.assigner.n_intents)
        return self.assigner.strongest(self._sample, top)[0].cpu()

    @cached_property
    def _vector_SD(self) -> Tensor:
        return user_vectors(self.fitted.network, self._sample)

    @cached_property
    def _has_SV(self) -> scipy.sparse.csr_matrix:
        """Which users of the sample have which items, 1 or nothing: sparse [S, V + 1]."""
        sample = pl.DataFrame({"user_id": self._sample.named, "row": np.arange(len(self._sample))})
        pairs = self.fitted.log.frame.select("user_id", "item_id").join(sample, on="user_id").unique()
        cells = (pairs["row"].to_numpy(), self.fitted.items.indices(pairs["item_id"]))
        shape = (len(self._sample), len(self.fitted.items) + 1)
        return scipy.sparse.csr_matrix((np.ones(len(pairs), dtype=np.float32), cells), shape=shape)

    @cached_property
    def _users_V(self) -> np.ndarray:
        return np.asarray(self._has_SV.sum(axis=0)).ravel()
