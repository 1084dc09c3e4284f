"""Ranks of held-out items among the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.errors import RunError
from elcrec.evaluation.metrics import CoverageMetrics
from elcrec.inference.scoring import NOT_NUMBERS, UNRANKED, Scorer, exclude, top_items
from elcrec.model.encoding import EncodedHistories
from elcrec.model.network import ELCRecNetwork
from elcrec.process.progress import step

ONE_BY_ONE_FROM = 2**16
"""Comparisons of a history, its targets times the items, above which a loop over histories is faster on a CPU."""
MOST_AT_ONCE = 128
"""Targets of a history that are ranked at once; each has a row of comparisons in memory."""


def target_ranks(
    network: ELCRecNetwork,
    histories: HistoryBatch,
    exclude_seen: bool = True,
    coverage_cutoffs: tuple[int, ...] = (),
) -> tuple[Tensor, CoverageMetrics]:
    """Ranks of the items to predict.

    Args:
        network: In evaluation mode.
        histories: Those before the items to predict.
        exclude_seen: Items of the history are not ranked; a target among them is ``UNRANKED``.
        coverage_cutoffs: Cutoffs at which to count the items that any user is recommended.

    Returns:
        Ranks int64 [X] in the order of :attr:`elcrec.data.histories.HistoryBatch.targets` (one for each history, unless
        baskets are predicted), and ``coverage@k`` in [0, 1] for each cutoff.
    """
    targets = TargetPlaces(histories)
    rank_X = torch.empty_like(targets.item_X)
    shown = {k: torch.zeros(network.n_items + 1, dtype=torch.bool, device=rank_X.device) for k in coverage_cutoffs}
    for at_B, score_BV in scores_of(network, histories, exclude_seen):
        targets.rank(score_BV, at_B, rank_X)
        if shown:
            item_BK, _ = top_items(score_BV, max(shown))
            for k, mask in shown.items():
                mask[item_BK[:, :k].flatten()] = True
    coverage = {f"coverage@{k}": mask[1:].double().mean().item() for k, mask in shown.items()}
    return rank_X, cast("CoverageMetrics", coverage)


def ranks_of_ways(network: ELCRecNetwork, histories: HistoryBatch, ways: tuple[bool, ...]) -> dict[bool, Tensor]:
    """Ranks of the items to predict with seen items excluded (True), ranked (False), or both, of one pass.

    Returns:
        int64 [X] for each way; see :func:`target_ranks`.
    """
    blocks = scores_of(network, histories, exclude_seen=False not in ways)
    return ranks_of_blocks(blocks, histories, ways)


def scores_of(network: ELCRecNetwork, histories: HistoryBatch, exclude_seen: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores of all items for histories, block by block: see :meth:`elcrec.inference.scoring.Scorer.blocks`."""
    with step("ranking held-out items", len(histories)) as done:
        ranked = 0
        for at_B, score_BV in (
            Scorer.of(network).contiguous().blocks(EncodedHistories.of(network, histories), exclude_seen)
        ):
            yield at_B, score_BV
            ranked += len(at_B)
            done(ranked)


def ranks_of_blocks(
    blocks: Iterable[tuple[Tensor, Tensor]], histories: HistoryBatch, ways: tuple[bool, ...]
) -> dict[bool, Tensor]:
    """The same under scores from elsewhere: places of the histories, int64 [B], and scores, [B, V + 1], changed."""
    targets = TargetPlaces(histories)
    ranks = {way: torch.empty_like(targets.item_X) for way in ways}
    for at_B, score_BV in blocks:
        if False in ways:
            exclude(score_BV, histories.at(at_B), seen=False)
            targets.rank(score_BV, at_B, ranks[False])
        if True in ways:
            exclude(score_BV, histories.at(at_B), seen=True)
            targets.rank(score_BV, at_B, ranks[True])
    return ranks


class TargetPlaces:
    """The items to predict of histories, and where each history's stand among them."""

    def __init__(self, histories: HistoryBatch) -> None:
        """Of histories with something to predict."""
        self.row_X, self.item_X = histories.targets
        self._count_Q = torch.bincount(self.row_X, minlength=len(histories))
        self._first_Q = self._count_Q.cumsum(0) - self._count_Q

    def rank(self, score_BV: Tensor, at_B: Tensor, rank_X: Tensor) -> None:
        """Write the ranks of the targets of some histories.

        Args:
            score_BV: Scores of all items for these histories; see :func:`rank_of`.
            at_B: int64 [B], which histories.
            rank_X: int64 [X], changed in place.
        """
        n_compared = int(self._count_Q[at_B].sum()) * score_BV.shape[1]
        one_by_one = score_BV.device.type == "cpu" and n_compared > ONE_BY_ONE_FROM * len(at_B)
        (self._rank_one_by_one if one_by_one else self._rank_together)(score_BV, at_B, rank_X)

    def _rank_together(self, score_BV: Tensor, at_B: Tensor, rank_X: Tensor) -> None:
        """The first targets of all these histories, then the second ones, and so on."""
        for slot in range(int(self._count_Q[at_B].max())):
            has_B = self._count_Q[at_B] > slot
            place_B = (self._first_Q[at_B] + slot)[has_B]
            rank_X[place_B] = rank_of(score_BV if bool(has_B.all()) else score_BV[has_B], self.item_X[place_B])

    def _rank_one_by_one(self, score_BV: Tensor, at_B: Tensor, rank_X: Tensor) -> None:
        """All targets of a history, whose scores stay in the cache meanwhile, then those of the next."""
        end_B = self._first_Q[at_B] + self._count_Q[at_B]
        for score_V, first, end in zip(score_BV, self._first_Q[at_B].tolist(), end_B.tolist(), strict=True):
            for start in range(first, end, MOST_AT_ONCE):
                own = slice(start, min(start + MOST_AT_ONCE, end))
                rank_X[own] = rank_of(score_V.expand(own.stop - start, -1), self.item_X[own])


def ranks_by_scores(score_QV: Tensor, histories: HistoryBatch, exclude_seen: bool = True) -> Tensor:
    """Ranks under scores from elsewhere (a baseline's, an oracle's), by the same rules as the model's.

    Args:
        score_QV: [Q, V + 1], column i is item index i; changed in place.
        histories: Those before the items to predict.
        exclude_seen: See :func:`target_ranks`.

    Returns:
        int64 [X], see :func:`target_ranks`.
    """
    exclude(score_QV, histories, exclude_seen)
    targets = TargetPlaces(histories)
    rank_X = torch.empty_like(targets.item_X)
    targets.rank(score_QV, torch.arange(len(histories), device=score_QV.device), rank_X)
    return rank_X


def rank_of(score_BV: Tensor, target_B: Tensor) -> Tensor:
    """Rank of a target among all items, ties counted against it.

    Args:
        score_BV: [B, V + 1], as :meth:`elcrec.inference.scoring.Scorer.blocks` yields them.
        target_B: int64 [B], item indices.

    Returns:
        int64 [B], 1 .. V; ``UNRANKED`` for an item that is excluded.

    Raises:
        RunError: A score is not a number.
    """
    target_B1 = score_BV.gather(1, target_B[:, None])
    if bool(torch.isnan(target_B1).any()):
        raise RunError(NOT_NUMBERS)
    at_least = torch.ge(score_BV, target_B1, out=torch.empty_like(score_BV))  # float: its sum is fast
    return at_least.sum(dim=1).long().masked_fill(target_B1[:, 0] == float("-inf"), UNRANKED)
