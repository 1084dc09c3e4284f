"""Scores of whole catalogues, block by block, and the best items of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.seen import seen_items
from elcrec.errors import RunError
from elcrec.inference.first_pass import CANDIDATES, BFloat16Table, full_scores
from elcrec.losses.prediction import ExtraScores
from elcrec.model.encoding import LEAST_ROWS, EncodedHistories
from elcrec.model.network import ELCRecNetwork

SCORE_ROWS = 128
UNRANKED = torch.iinfo(torch.int64).max
"""The rank of an item that may not be ranked: beyond every cutoff."""
NOT_NUMBERS = "the model's scores are not numbers (NaN): its weights are damaged or training diverged"


class ScoreAdjustment(NamedTuple):
    """Adjustment of the dot product: ``(1 - strength) * score + strength * bonus``, for allowed items.

    Attributes:
        strength: 0 to 1; 0 without a bonus.
        bonus_V: [V + 1], of each item index.
        barred_V: bool [V + 1], items that are not ranked.
        shown_QX: int64 [Q, X], items that are not ranked for each history; 0 is none.
        only_seen: Whether only items of the history are ranked.
    """

    strength: float = 0.0
    bonus_V: Tensor | None = None
    barred_V: Tensor | None = None
    shown_QX: Tensor | None = None
    only_seen: bool = False

    def apply(self, score_BV: Tensor, at_B: Tensor, histories: HistoryBatch) -> None:
        """Change the scores of the histories at some places, in place."""
        if self.bonus_V is not None:
            score_BV.mul_(1 - self.strength).add_(self.bonus_V, alpha=self.strength)
        if self.barred_V is not None:
            score_BV.masked_fill_(self.barred_V, float("-inf"))
        if self.shown_QX is not None:
            score_BV.scatter_(1, self.shown_QX[at_B], float("-inf"))
        if self.only_seen:
            seen_BW, _ = histories.items()
            unseen_BV = torch.ones_like(score_BV, dtype=torch.bool).scatter_(1, seen_BW, False)
            score_BV.masked_fill_(unseen_BV, float("-inf"))


@dataclass(frozen=True)
class Scorer:
    """Dot products of user vectors with every item.

    Attributes:
        network: In evaluation mode.
        table_DV: [D, V + 1], the items' vectors.
        first_pass: The same in bfloat16, where a first pass over it pays; None: every score in full.
    """

    network: ELCRecNetwork
    table_DV: Tensor
    first_pass: BFloat16Table | None = None

    @classmethod
    def of(cls, network: ELCRecNetwork, two_stage: bool = False) -> Scorer:
        """For a network.

        Args:
            network: In evaluation mode.
            two_stage: Use two-stage scoring (a first pass in bfloat16) for small k, where that pays.

        Raises:
            RunError: Its item vectors are not numbers.
        """
        table_DV = network.item_table.weight.detach()[: network.n_items + 1].T
        _check_numbers(table_DV)
        return cls(network, table_DV, BFloat16Table.of(table_DV) if two_stage else None)

    def contiguous(self) -> Scorer:
        """With a copy of the table that is faster where many blocks are scored."""
        return replace(self, table_DV=self.table_DV.contiguous())

    @torch.no_grad()
    def blocks(
        self, users: EncodedHistories, exclude_seen: bool = True, adjustment: ScoreAdjustment | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Scores of all items for histories, a block at a time, shortest histories first.

        Args:
            users: Whose scores.
            exclude_seen: Items of the history are not ranked.
            adjustment: Adjustment of the dot product; None: none.

        Yields:
            Which histories, int64 [B], and their scores, [B, V + 1]: column i is item index i, column 0 (padding)
            is -inf, and so is every item of the whole history when ``exclude_seen``; else these have their repeat
            scores, where the model has some. The buffer is used again.

        Raises:
            RunError: A user vector is not a number.
        """
        repeated = None if exclude_seen else self.network.repeats
        histories, vector_QD, user_QD = users
        _check_numbers(user_QD)
        most = max(LEAST_ROWS, min(SCORE_ROWS, len(histories)))
        buffer = torch.empty(most, self.table_DV.shape[1], device=user_QD.device)
        for at_B, block in histories.shortest_first(SCORE_ROWS):
            user_BD = _filled(user_QD[at_B])
            score_BV = torch.mm(user_BD, self.table_DV, out=buffer[: len(user_BD)])[: at_B.numel()]
            if repeated is not None:
                seen = seen_items(block, self.network.n_items)
                score_BV[seen.row_P, seen.item_P] += repeated(seen, vector_QD[at_B])
            if adjustment is not None:
                adjustment.apply(score_BV, at_B, block)
            exclude(score_BV, block, exclude_seen)
            yield at_B, score_BV

    @torch.no_grad()
    def repeat_scores(self, users: EncodedHistories, item_QK: Tensor) -> Tensor:
        """The repeat scores within the scores of some items of each history, [Q, K]; 0 for items it does not hold.

        Args:
            users: Q histories.
            item_QK: int64 [Q, K], item indices; 0 is no item.
        """
        score_QK = torch.zeros(item_QK.shape, device=self.table_DV.device)
        if self.network.repeats is None:
            return score_QK
        for at_B, block in users.histories.shortest_first(SCORE_ROWS):
            item_BK = item_QK.to(score_QK.device)[at_B]
            seen = seen_items(block, self.network.n_items)
            score_P = self.network.repeats(seen, users.vector_QD[at_B])
            found_BK = ExtraScores(seen.row_P, seen.item_P, score_P).of(item_BK, self.network.n_items + 1)
            score_QK[at_B] = found_BK * (item_BK > 0)
        return score_QK

    def best_items(
        self, users: EncodedHistories, k: int, exclude_seen: bool = True, adjustment: ScoreAdjustment | None = None
    ) -> tuple[Tensor, Tensor]:
        """The k best items for each history, best first; arguments as for :meth:`blocks`.

        With a ``first_pass``, plain requests with a small k use two-stage scoring: the same items, several times
        faster in large catalogues.

        Returns:
            Item indices int64 [Q, k'] and scores [Q, k'], in main memory; see :func:`top_items`.
        """
        item_QK = torch.zeros(len(users.histories), min(k, self.network.n_items), dtype=torch.int64)
        score_QK = torch.zeros(item_QK.shape)
        plain = adjustment is None and (exclude_seen or self.network.repeats is None)
        if self.first_pass is not None and plain and k <= CANDIDATES // 4:
            _check_numbers(users.user_QD)
            found = self._two_stages(self.first_pass, users, k, exclude_seen)
        else:
            blocks = self.blocks(users, exclude_seen, adjustment)
            found = ((at_B, *top_items(score_BV, k)) for at_B, score_BV in blocks)
        for at_B, item_BK, score_BK in found:
            item_QK[at_B.cpu()], score_QK[at_B.cpu()] = item_BK.cpu(), score_BK.cpu()
        return item_QK, score_QK

    def _two_stages(
        self, first_pass: BFloat16Table, users: EncodedHistories, k: int, exclude_seen: bool
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Blocks of histories, their items and scores; the few that bfloat16 cannot decide are scored in full."""
        histories, _, user_QD = users
        rows = max(LEAST_ROWS, min(SCORE_ROWS, len(user_QD)))
        buffer = torch.empty(rows, self.table_DV.shape[1], dtype=torch.bfloat16, device=user_QD.device)
        for at_B, block in histories.shortest_first(SCORE_ROWS):
            user_BD = _filled(user_QD[at_B])
            near_BV = first_pass.scores(user_BD, buffer[: len(user_BD)])[: len(at_B)]
            user_BD = user_BD[: len(at_B)]
            exclude(near_BV, block, exclude_seen)
            item_BK, score_BK, certain_B = first_pass.best(near_BV, user_BD, self.table_DV, k)
            if not bool(certain_B.all()):
                at_X = torch.nonzero(~certain_B).flatten()
                score_XV = (_filled(user_BD[at_X]) @ self.table_DV)[: len(at_X)]
                exclude(score_XV, block.at(at_X), exclude_seen)
                item_XK, rough_XK = top_items(score_XV, k)
                score_XK = full_scores(user_BD[at_X], self.table_DV, item_XK)
                score_XK.masked_fill_(rough_XK == -torch.inf, -torch.inf)
                score_BK[at_X], place_XK = score_XK.sort(dim=1, descending=True, stable=True)
                item_BK[at_X] = item_XK.gather(1, place_XK)
            yield at_B, item_BK, score_BK


def exclude(score_BV: Tensor, histories: HistoryBatch, seen: bool) -> None:
    """Set the scores of padding and, with ``seen``, of each history's items to -inf, in place."""
    score_BV[:, 0] = float("-inf")
    if seen:
        seen_BW, _ = histories.items()
        # Not scatter_, which in bfloat16 copies the whole matrix there and back.
        score_BV[torch.arange(len(seen_BW), device=score_BV.device)[:, None], seen_BW] = float("-inf")


def _check_numbers(vectors: Tensor) -> None:
    if not bool(vectors.isfinite().all()):
        raise RunError(NOT_NUMBERS)


def _filled(user_BD: Tensor) -> Tensor:
    """At least ``LEAST_ROWS`` rows: fewer would be multiplied otherwise, and rounded otherwise."""
    return F.pad(user_BD, (0, 0, 0, max(0, LEAST_ROWS - len(user_BD))))


def top_items(score_BV: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items of each row, best first.

    Returns:
        Item indices int64 [B, k'] with 0 where nothing is left to recommend, and scores [B, k'] (-inf
        there); k' = min(k, V).
    """
    score_BK, item_BK = score_BV.topk(min(k, score_BV.shape[1] - 1), dim=1)
    return item_BK * (score_BK > float("-inf")), score_BK
