"""Ranks of held-out items among the whole catalogue."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.errors import RunError
from elcrec.evaluation.metrics import CoverageMetrics
from elcrec.inference.scoring import NOT_NUMBERS, UNRANKED, Scorer, exclude, top_items
from elcrec.model.network import ELCRecNetwork


def target_ranks(
    network: ELCRecNetwork,
    histories: HistoryBatch,
    exclude_seen: bool = True,
    coverage_cutoffs: tuple[int, ...] = (),
) -> tuple[Tensor, CoverageMetrics]:
    """Rank of the item that follows each history.

    Args:
        network: In evaluation mode.
        histories: Those before the items to predict.
        exclude_seen: Items of the history are not ranked; a target among them is ``UNRANKED``.
        coverage_cutoffs: Cutoffs at which to count the items that any user is recommended.

    Returns:
        Ranks int64 [Q], and ``coverage@k`` in [0, 1] for each cutoff.
    """
    target_Q = histories.target_Q
    rank_Q = torch.empty_like(target_Q)
    shown = {k: torch.zeros(network.n_items + 1, dtype=torch.bool, device=rank_Q.device) for k in coverage_cutoffs}
    for at_B, score_BV in Scorer.of(network).contiguous().blocks(histories, exclude_seen):
        rank_Q[at_B] = rank_of(score_BV, target_Q[at_B])
        if shown:
            item_BK, _ = top_items(score_BV, max(shown))
            for k, mask in shown.items():
                mask[item_BK[:, :k].flatten()] = True
    coverage = {f"coverage@{k}": mask[1:].double().mean().item() for k, mask in shown.items()}
    return rank_Q, cast("CoverageMetrics", coverage)


def ranks_by_scores(score_QV: Tensor, histories: HistoryBatch, exclude_seen: bool = True) -> Tensor:
    """Ranks under scores from elsewhere (a baseline's, an oracle's), by the same rules as the model's.

    Args:
        score_QV: [Q, V + 1], column i is item index i; changed in place.
        histories: Those before the items to predict.
        exclude_seen: See :func:`target_ranks`.

    Returns:
        int64 [Q], see :func:`rank_of`.
    """
    exclude(score_QV, histories, exclude_seen)
    return rank_of(score_QV, histories.target_Q)


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
