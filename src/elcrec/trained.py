"""What a trained model consists of, for the parts of :class:`elcrec.ELCRec` that use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.by_settings import filtered, read_log
from elcrec.data.catalogue import Catalogue
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, RunError, SettingsError
from elcrec.evaluation.behaviour import behaviours
from elcrec.evaluation.encoding import LEAST_ROWS
from elcrec.explain.attribution import intent_weights
from elcrec.explain.item_intents import ItemIntents
from elcrec.model.network import ELCRecNetwork

USERS_AT_ONCE = 65536


class Asked(NamedTuple):
    """Whose histories are asked about: positions ``start .. end - 1`` of ``item_N``.

    Attributes:
        ids: [Q], the caller's name for each: user ids, or numbers of histories.
        item_N: int64 [N], item indices.
        start_Q: int64 [Q].
        end_Q: int64 [Q], > start.
    """

    ids: pl.Series
    item_N: Tensor
    start_Q: Tensor
    end_Q: Tensor

    def some(self, at_X: Tensor) -> Asked:
        """Those at some places, int64 [X]."""
        return Asked(self.ids.gather(at_X.cpu().numpy()), self.item_N, self.start_Q[at_X], self.end_Q[at_X])


class Nearest(NamedTuple):
    """Where histories lie among the centres.

    Attributes:
        intent_Q: int64 [Q], the nearest centre.
        cosine_Q: [Q], cosine to it.
        margin_Q: [Q], its lead on the next centre, >= 0.
        weight_Q: [Q], softness of it: see :func:`elcrec.explain.attribution.intent_weights`.
    """

    intent_Q: Tensor
    cosine_Q: Tensor
    margin_Q: Tensor
    weight_Q: Tensor


def _as_list(history: Any) -> list[Any]:
    if isinstance(history, str) or not isinstance(history, Iterable):
        raise DataError(f"pass a list of histories, each a list of item ids: {history!r} is none")
    return list(history)


def nearest(cosine_QK: Tensor) -> Nearest:
    """The nearest centre by cosines [Q, K]; of equal ones the first."""
    cosine_Q, intent_Q = cosine_QK.max(dim=1)
    second_Q = cosine_QK.topk(2, dim=1).values[:, 1]
    weight_Q = intent_weights(cosine_QK).gather(1, intent_Q[:, None]).squeeze(1)
    return Nearest(intent_Q, cosine_Q, cosine_Q - second_Q, weight_Q)


@dataclass
class Learnt:
    """What was learnt from, and what follows from it and the weights.

    Attributes:
        log: The log, filtered and in order.
        whole: The same before the filters.
        items: The items the model knows.
        users: The users of the log.
        split: The log as tensors.
        catalogue: What is known about the items; None without metadata.
    """

    log: Interactions
    whole: Interactions
    items: Vocabulary
    users: Vocabulary
    split: Split
    catalogue: Catalogue | None = None


class Trained:
    """A model's state: settings, network, and what it learnt from."""

    settings: Settings
    device: torch.device
    _network: ELCRecNetwork | None
    _learnt: Learnt | None
    _search_path: Path | None = None
    _saved_as: str | None = None

    @property
    def network(self) -> ELCRecNetwork:
        """The network, in evaluation mode.

        Raises:
            RunError: Nothing is learnt yet.
        """
        if self._network is None:
            raise RunError("this model has not learnt anything yet: call fit, or load a run")
        return self._network

    @property
    def log(self) -> Interactions:
        """The log learnt from, filtered and in order."""
        return self._known.log

    @property
    def items(self) -> Vocabulary:
        """The items the model knows."""
        return self._known.items

    @property
    def users(self) -> Vocabulary:
        """The users of the log."""
        return self._known.users

    @property
    def catalogue(self) -> Catalogue | None:
        """What is known about the items: titles, categories, brands; None without metadata."""
        return self._known.catalogue

    @property
    def _split(self) -> Split:
        return self._known.split

    @property
    def _known(self) -> Learnt:
        if self._learnt is None:
            raise RunError("this model has not learnt anything yet: call fit, or load a run")
        return self._learnt

    # ------------------------------------------------------------------ logs

    def _read(self, data: Any, format: str | None) -> Interactions:
        """A log by this model's column names and filters; call it once for each log."""
        return filtered(read_log(data, format, self.settings), self.settings)

    def _split_of(self, log: Interactions, items: Vocabulary) -> Split:
        split = make_split(log, items, self.settings.split, self.settings.holdout_share)
        return split.learning_from(self.settings.train_share, self.settings.seed).to(self.device)

    # ------------------------------------------------------------------ who is asked about

    def _of_users(self, users: Iterable[Any] | None, unknown: str = "raise") -> Asked:
        """Full histories of known users, as asked; all of them by default."""
        split = self._split
        if users is None:
            number_Q = torch.arange(len(self.users), device=self.device)
        else:
            number_Q = torch.from_numpy(self.users.indices(users, unknown)).to(self.device)
            number_Q = number_Q[number_Q >= 0]
        ids = self.users.ids_of(number_Q.cpu().numpy()).alias("user_id")
        return Asked(ids, split.item_N, split.start_U[number_Q], split.end_U[number_Q])

    def _drawn(self, most: int) -> Asked:
        """Full histories of so many users, drawn by the seed, in their order."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        number_Q = torch.randperm(len(self.users), generator=generator)[:most].sort().values
        return self._of_users(self.users.ids_of(number_Q.numpy()))

    def _of_histories(self, histories: Sequence[Sequence[Any]], unknown: str = "raise") -> Asked:
        """Histories of anybody; ``unknown`` items raise or are skipped, and so are histories with none left."""
        asked = [_as_list(history) for history in histories]
        every = self.items.indices([item for history in asked for item in history], unknown)
        rows = np.split(every, np.cumsum([len(history) for history in asked])[:-1]) if asked else []
        rows = [row[row > 0] for row in rows]
        if unknown == "raise" and not all(len(row) for row in rows):
            raise DataError("a history is empty: give at least one item id")
        numbers = [number for number, row in enumerate(rows) if len(row)]
        items = np.concatenate([rows[number] for number in numbers] or [np.zeros(0, dtype=np.int64)])
        end_Q = torch.tensor([len(rows[number]) for number in numbers], dtype=torch.int64).cumsum(0).to(self.device)
        start_Q = torch.cat([end_Q.new_zeros(1), end_Q[:-1]])[: len(numbers)]
        ids = pl.Series("history", numbers, dtype=pl.Int64)
        return Asked(ids, torch.from_numpy(items).to(self.device), start_Q, end_Q)

    # ------------------------------------------------------------------ intents of histories

    @property
    def _unit_centers(self) -> Tensor:
        """Centres of length 1: [K, D]."""
        return F.normalize(self.network.centers.weight.detach(), dim=-1)

    def _cosines(self, asked: Asked) -> Tensor:
        """Cosine of each history's behaviour embedding to each centre: [Q, K]."""
        behaviour_QD = self._behaviours(asked)
        missing = max(0, LEAST_ROWS - len(behaviour_QD))
        return self.network.centers.cosines(F.pad(behaviour_QD, (0, 0, 0, missing)))[: len(behaviour_QD)]

    def _behaviours(self, asked: Asked) -> Tensor:
        """Behaviour embeddings of histories: [Q, D]."""
        if not len(asked.ids):
            return torch.zeros(0, self.settings.embedding_dim, device=self.device)
        return behaviours(self.network, asked.item_N, asked.start_Q, asked.end_Q, self.settings)

    @cached_property
    def _everybody(self) -> Nearest:
        """Where every user's full history lies among the centres, in the order of :attr:`users`."""
        return self._places(self._of_users(None))

    def _places(self, asked: Asked) -> Nearest:
        """Where histories lie among the centres."""
        parts = [nearest(cosine_BK) for cosine_BK in self._cosine_blocks(asked)]
        return Nearest(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def _strongest(self, asked: Asked, top: int) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest intents of histories, nearest first: numbers, cosines and weights, [Q, top] each."""
        parts = []
        for cosine_BK in self._cosine_blocks(asked):
            cosine_BT, intent_BT = cosine_BK.topk(top, dim=1)
            parts.append((intent_BT, cosine_BT, intent_weights(cosine_BK).gather(1, intent_BT)))
        intent_QT, cosine_QT, weight_QT = (torch.cat(column) for column in zip(*parts, strict=True))
        return intent_QT, cosine_QT, weight_QT

    def _cosine_blocks(self, asked: Asked) -> Iterator[Tensor]:
        """:meth:`_cosines`, a block of histories at a time: all at once would not fit."""
        for first in range(0, max(1, len(asked.ids)), USERS_AT_ONCE):
            at = slice(first, first + USERS_AT_ONCE)
            yield self._cosines(Asked(asked.ids[at], asked.item_N, asked.start_Q[at], asked.end_Q[at]))

    @property
    def _intent_U(self) -> Tensor:
        """Intent of every user's full history: int64 [U]."""
        return self._everybody.intent_Q

    @property
    def _intent_of_user(self) -> pl.DataFrame:
        """``user_id``, ``intent`` of every user's full history."""
        return pl.DataFrame([self.users.ids.alias("user_id"), pl.Series("intent", self._intent_U.cpu().numpy())])

    @cached_property
    def _item_intents(self) -> ItemIntents:
        return ItemIntents(self._intent_of_user, self.log.frame, self.items, self.settings.n_intents)

    def _forget(self) -> None:
        """Drop what was worked out from earlier weights, logs or descriptions."""
        for name in [name for name in self.__dict__ if isinstance(getattr(type(self), name, None), cached_property)]:
            del self.__dict__[name]

    def _intent_numbers(self, intents: Iterable[int]) -> list[int]:
        """Intents as asked for, checked.

        Raises:
            SettingsError: There is no such intent.
        """
        n_intents, numbers = self.settings.n_intents, list(intents)
        for number in numbers:
            if not isinstance(number, int | np.integer) or not 0 <= number < n_intents:
                raise SettingsError(f"intent {number!r}: the model's intents are 0 to {n_intents - 1}")
        return [int(number) for number in numbers]
