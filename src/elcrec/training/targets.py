"""What each position of a training input is to predict: the items, or baskets, that follow."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.splits import Split

MOST_SLOTS = 64
COVERED = 0.95


class Targets(NamedTuple):
    """Targets of T tokens.

    Attributes:
        item_TH: int64 [T, H], item indices, the next one first; 0 where there is none, and in all slots of a token
            that predicts nothing.
        step_TH: int64 [T, H], how many steps ahead each lies: items, or baskets, from 0.
        baskets: Whether a step is a basket.
        weight_TH: [T, H], weight of each, > 0 where there is one; None where all count alike.
    """

    item_TH: Tensor
    step_TH: Tensor
    baskets: bool = False
    weight_TH: Tensor | None = None

    @property
    def alike(self) -> bool:
        """Whether every token counts alike."""
        return not self.baskets and self.weight_TH is None

    def at(self, at_X: Tensor) -> Targets:
        """Those of some tokens."""
        weight_XH = None if self.weight_TH is None else self.weight_TH[at_X]
        return Targets(self.item_TH[at_X], self.step_TH[at_X], self.baskets, weight_XH)


class TargetSource:
    """The items that follow positions of the log within the training part of their user.

    Without baskets every position predicts the next ``horizon`` items. With baskets the last position of each basket
    predicts the next ``horizon`` baskets, as sets: an item is never predicted from others of its own basket. Events of
    weight 0 are passed over: what follows is the next ``horizon`` items, or baskets, that are targets.
    """

    def __init__(self, split: Split, settings: Settings) -> None:
        """Of a log."""
        self._newest_N, self._train_end_U = split.newest_N, split.train_end_U
        self._horizon = settings.horizon
        self._basket_N: Tensor | None = None
        self.n_slots = settings.horizon
        self._n_events = len(split.item_N)
        self._split, self._weight_N = split, split.weight_N
        self._weighed_item_N = split.item_N
        self._target_X = None if split.weight_N is None else torch.nonzero(split.weight_N).flatten()
        if split.newest_N is not None:
            newest_X = split.newest_N if self._target_X is None else split.newest_N[self._target_X]
            begins_X = newest_X[1:] != newest_X[:-1]
            basket_X = torch.cat([begins_X.new_zeros(min(1, len(newest_X))), begins_X]).cumsum(0)
            self._basket_N = basket_X
            if self._target_X is not None:
                self._basket_N = basket_X.new_zeros(self._n_events).index_copy_(0, self._target_X, basket_X)
            size_B = torch.bincount(basket_X, minlength=1)
            usual = float(size_B.double().quantile(COVERED)) if len(size_B) < 2**24 else float(size_B.max())
            self.n_slots = max(1, min(MOST_SLOTS, round(usual * settings.horizon)))

    def shuffle(self, order: tuple[Tensor, Tensor] | None) -> None:
        """Take the targets of each basket in a random order, if they have weights; which places are targets stays.

        Args:
            order: Of the log within baskets, see :meth:`Split.shuffled_in_baskets`; None: its own.
        """
        weight_N, item_N = self._split.weight_N, self._split.item_N
        if order is None or weight_N is None:
            return
        at_Y, from_Y = (place_X[weight_N[place_X] > 0] for place_X in order)
        self._weighed_item_N, self._weight_N = (
            one_N.index_copy(0, at_Y, one_N[from_Y]) for one_N in (item_N, weight_N)
        )

    def of(self, item_N: Tensor, at_T: Tensor, user_T: Tensor, predicts_T: Tensor) -> Targets:
        """Targets of tokens.

        Args:
            item_N: int64 [N], the items of the log, shuffled within baskets or not.
            at_T: int64 [T], position in the log of each token; any where it predicts nothing.
            user_T: int64 [T], whose it is.
            predicts_T: bool [T], tokens of training inputs.
        """
        step_H = torch.arange(self.n_slots, device=item_N.device)
        later_TH = self._following(at_T, step_H)
        exists_TH = (later_TH < self._train_end_U[user_T][:, None]) & predicts_T[:, None]
        later_TH = later_TH.clamp(max=len(item_N) - 1)
        if self._basket_N is None or self._newest_N is None:
            step_TH = step_H.expand_as(later_TH)
        else:
            # Beyond the last target there may be an event without a basket of targets.
            step_TH = (self._basket_N[later_TH] - self._basket_N[later_TH[:, :1]]).clamp(min=0)
            exists_TH &= (self._newest_N[at_T] == at_T)[:, None] & (step_TH < self._horizon)
        weight_TH = None if self._weight_N is None else self._weight_N[later_TH] * exists_TH
        target_N = item_N if self._weight_N is None else self._weighed_item_N
        return Targets(target_N[later_TH] * exists_TH, step_TH, self._basket_N is not None, weight_TH)

    def _following(self, at_T: Tensor, step_H: Tensor) -> Tensor:
        """Positions of the targets that follow each token, of whatever user: int64 [T, H]; too large where none is."""
        if self._target_X is None:
            return at_T[:, None] + 1 + step_H
        beyond_X = F.pad(self._target_X, (0, 1), value=self._n_events)
        place_TH = torch.searchsorted(self._target_X, at_T, right=True)[:, None] + step_H
        return beyond_X[place_TH.clamp(max=len(self._target_X))]


def target_weights(targets: Targets, decay: float, passed: float = 0.0) -> Tensor:
    """Weights of targets: ``decay^step`` where there is one that has not come before it, rows summing to 1.

    As training passes, a share ``passed`` of each weight goes over to the next step.

    Args:
        targets: With a target in the first slot of each row.
        decay: Weight of a step against the one before it, 0 to 1.
        passed: 0 to 1.

    Returns:
        float [N, H].
    """
    item_NH, step_NH = targets.item_TH, targets.step_TH
    slots = item_NH.shape[1]
    earlier_HH = torch.ones(slots, slots, dtype=torch.bool, device=item_NH.device).tril(-1)
    repeated_NH = ((item_NH[:, :, None] == item_NH[:, None, :]) & earlier_HH).any(dim=2)
    counts_NH = (item_NH > 0) & ~repeated_NH
    weight_NH = decay**step_NH * counts_NH
    weight_NH = weight_NH / weight_NH.sum(dim=1, keepdim=True) * (1 - passed)
    next_NH = counts_NH & (step_NH == 0)
    return weight_NH + passed * next_NH / next_NH.sum(dim=1, keepdim=True)


def weigh(targets: Targets, decay: float, passed: float = 0.0) -> tuple[Tensor, Tensor | None]:
    """Weights of targets, rows summing to 1, and of rows: the mean weight of a row's targets.

    An item that comes several times counts with its largest weight. With baskets that mean is multiplied by the square
    root of the size of the next basket: between baskets that count alike and items that count alike.

    Args:
        targets: With a target in the first slot of each row.
        decay: See :func:`target_weights`.
        passed: See :func:`target_weights`.

    Returns:
        float [N, H], and float [N], > 0; None where all rows count alike.
    """
    weight_NH = target_weights(targets, decay, passed)
    root_N = None
    if targets.baskets:
        root_N = ((targets.item_TH > 0) & (targets.step_TH == 0)).sum(dim=1).float().sqrt()
    if targets.weight_TH is None:
        return weight_NH, root_N
    same_NHH = targets.item_TH[:, :, None] == targets.item_TH[:, None, :]
    weight_NH = weight_NH * (same_NHH * targets.weight_TH[:, None, :]).amax(dim=2)
    mean_N = weight_NH.sum(dim=1)
    return weight_NH / mean_N[:, None], mean_N if root_N is None else mean_N * root_N
