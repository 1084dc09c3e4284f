"""Assignment of histories to intents: cosines of behaviour embeddings to the centres."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.ids import as_list
from elcrec.data.numbers import is_whole
from elcrec.errors import SettingsError
from elcrec.fitted import FittedModel
from elcrec.intents.attribution import intent_weights
from elcrec.intents.item_intents import ItemIntents
from elcrec.model.encoding import LEAST_ROWS, behaviour_embeddings

USERS_AT_ONCE = 65536


class IntentAssignment(NamedTuple):
    """The intent of each history.

    Attributes:
        intent_Q: int64 [Q], the nearest centre.
        cosine_Q: [Q], cosine to it.
        margin_Q: [Q], how much less the cosine to the next centre is, >= 0.
        weight_Q: [Q], softness of it: see :func:`elcrec.intents.attribution.intent_weights`.
    """

    intent_Q: Tensor
    cosine_Q: Tensor
    margin_Q: Tensor
    weight_Q: Tensor


def nearest(cosine_QK: Tensor) -> IntentAssignment:
    """The nearest centre by cosines [Q, K]; of equal ones the first."""
    cosine_Q, intent_Q = cosine_QK.max(dim=1)
    second_Q = cosine_QK.topk(2, dim=1).values[:, 1]
    weight_Q = intent_weights(cosine_QK).gather(1, intent_Q[:, None]).squeeze(1)
    return IntentAssignment(intent_Q, cosine_Q, cosine_Q - second_Q, weight_Q)


class IntentAssigner:
    """Assigns histories to the intents of a fitted model, and keeps the assignment of its users."""

    def __init__(self, fitted: FittedModel) -> None:
        """Of a model; nothing is worked out yet."""
        self.fitted = fitted
        self.n_intents = fitted.settings.n_intents

    @property
    def unit_centers(self) -> Tensor:
        """Centres of length 1: [K, D]."""
        return F.normalize(self.fitted.network.centers.weight.detach(), dim=-1)

    def behaviours(self, histories: HistoryBatch) -> Tensor:
        """Behaviour embeddings: [Q, D]."""
        return behaviour_embeddings(self.fitted.network, histories)

    def cosines(self, histories: HistoryBatch) -> Tensor:
        """Cosine of each history's behaviour embedding to each centre: [Q, K]."""
        behaviour_QD = self.behaviours(histories)
        missing = max(0, LEAST_ROWS - len(behaviour_QD))
        padded_QD = F.pad(behaviour_QD, (0, 0, 0, missing))
        return self.fitted.network.centers.cosines(padded_QD)[: len(behaviour_QD)]

    def assign(self, histories: HistoryBatch) -> IntentAssignment:
        """The intent of each history; cosines to all centres are held for a block of histories at a time."""
        parts = [nearest(self.cosines(block)) for block in histories.blocks(USERS_AT_ONCE)]
        return IntentAssignment(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def strongest(self, histories: HistoryBatch, top: int) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest intents of histories, nearest first: numbers, cosines and weights, [Q, top] each."""
        parts = []
        for block in histories.blocks(USERS_AT_ONCE):
            cosine_BK = self.cosines(block)
            cosine_BT, intent_BT = cosine_BK.topk(top, dim=1)
            parts.append((intent_BT, cosine_BT, intent_weights(cosine_BK).gather(1, intent_BT)))
        intent_QT, cosine_QT, weight_QT = (torch.cat(column) for column in zip(*parts, strict=True))
        return intent_QT, cosine_QT, weight_QT

    @cached_property
    def of_users(self) -> IntentAssignment:
        """The intent of every user's full history, in the order of the model's users."""
        return self.assign(self.fitted.dataset.of_users())

    @property
    def users_frame(self) -> pl.DataFrame:
        """``user_id``, ``intent`` of every user's full history."""
        intent = pl.Series("intent", self.of_users.intent_Q.cpu().numpy())
        return pl.DataFrame([self.fitted.users.ids.alias("user_id"), intent])

    @cached_property
    def item_intents(self) -> ItemIntents:
        """How typical each item is of each intent."""
        return ItemIntents(self.users_frame, self.fitted.log.frame, self.fitted.items, self.n_intents)

    def checked(self, intents: Iterable[int]) -> list[int]:
        """Intents as a caller names them.

        Raises:
            SettingsError: There is no such intent.
        """
        numbers = as_list("intents", intents)
        for number in numbers:
            if not is_whole(number) or not 0 <= number < self.n_intents:
                raise SettingsError(f"intent {number!r}: the model's intents are 0 to {self.n_intents - 1}")
        return [int(number) for number in numbers]
