"""Items for users without a history, who chose intents."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from elcrec.intents.assignment import IntentAssigner
from elcrec.model.encoding import user_vectors

LEAST_SAMPLE, SAMPLE_PER_INTENT = 4096, 16


class NewUserRanking:
    """Ranks items for a user of whom only some intents are known.

    The score is ``u v_i + log(n_i + 1) + log lift(i)``: u is the mean vector of the intents' users (each intent counts
    alike), v_i the item's vector, n_i its number of events, and lift that of
    :class:`elcrec.intents.item_intents.ItemIntents`. The first term is what the model expects of such users, up to a
    constant; the others are what such users took.
    """

    def __init__(self, assigner: IntentAssigner, popularity_V: Tensor) -> None:
        """Of a model.

        Args:
            assigner: Of the same model.
            popularity_V: Number of events of each item, [V + 1].
        """
        self.assigner = assigner
        self.fitted = assigner.fitted
        self.popularity_V = popularity_V

    def scores(self, intents: list[int]) -> Tensor:
        """Of all items, for a user who has these intents: [V + 1]; padding's says nothing."""
        vector_D = self.mean_user_KD[intents].mean(dim=0)
        model_V = self.fitted.network.items_VD.detach() @ vector_D
        counts_V = (self.popularity_V + 1).log() + self.assigner.item_intents.lift(intents).log()
        counts_V[1:] += model_V.cpu()
        return counts_V

    @cached_property
    def mean_user_KD(self) -> Tensor:
        """Mean vector of each intent's users in a sample drawn by the seed: [K, D]; 0 where there are none."""
        n_intents = self.assigner.n_intents
        most = min(len(self.fitted.users), max(LEAST_SAMPLE, SAMPLE_PER_INTENT * n_intents))
        histories = self.fitted.dataset.sample(most, self.fitted.settings.seed)
        user_QD = user_vectors(self.fitted.network, histories)
        intent_Q = self.assigner.of_users.intent_Q[self.fitted.users.indices(histories.named)]
        sum_KD = torch.zeros(n_intents, user_QD.shape[1], device=user_QD.device).index_add_(0, intent_Q, user_QD)
        return sum_KD / torch.bincount(intent_Q, minlength=n_intents).clamp(min=1)[:, None]
