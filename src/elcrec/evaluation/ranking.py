"""Scores of whole catalogues, block by block, and what is read off them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.batches import histories
from elcrec.errors import RunError
from elcrec.evaluation.encoding import LEAST_ROWS, encode_histories
from elcrec.evaluation.scanning import CANDIDATES, HalfTable, full_scores
from elcrec.model.network import ELCRecNetwork

ENCODE_ROWS = 1024
SCORE_ROWS = 128
UNRANKED = torch.iinfo(torch.int64).max
"""The rank of an item that may not be ranked: beyond every cutoff."""


class Wish(NamedTuple):
    """What counts beside the dot product: ``(1 - strength) * score + strength * bonus``, for items that are allowed.

    Attributes:
        strength: 0 to 1; 0 without a bonus.
        bonus_V: [V + 1], of each item index.
        barred_V: bool [V + 1], items that are not ranked.
        shown_QX: int64 [Q, X], items that are not ranked for each history; 0 is none.
    """

    strength: float = 0.0
    bonus_V: Tensor | None = None
    barred_V: Tensor | None = None
    shown_QX: Tensor | None = None


def user_vectors(network: ELCRecNetwork, item_N: Tensor, start_Q: Tensor, end_Q: Tensor, max_seq_len: int) -> Tensor:
    """The vector each history is ranked with; only real positions are encoded.

    Args:
        network: In evaluation mode.
        item_N: int64 [N], the log.
        start_Q: int64 [Q], first position of each history.
        end_Q: int64 [Q], position after its last.
        max_seq_len: Newest items read.

    Returns:
        [Q, D].
    """
    return encode_histories(network.encode_users, item_N, start_Q, end_Q, max_seq_len, "skip", ENCODE_ROWS)


def item_table(network: ELCRecNetwork) -> Tensor:
    """The items' vectors as scores are made with: [D, V + 1], a view of the weights.

    Raises:
        RunError: They are not numbers.
    """
    table_DV = network.item_table.detach()[: network.n_items + 1].T
    _check_numbers(table_DV)
    return table_DV


def _check_numbers(vectors: Tensor) -> None:
    if not bool(vectors.isfinite().all()):
        raise RunError("the model's scores are not numbers (NaN): its weights are damaged or training diverged")


@torch.no_grad()
def score_blocks(
    network: ELCRecNetwork,
    item_N: Tensor,
    start_Q: Tensor,
    end_Q: Tensor,
    max_seq_len: int,
    exclude_seen: bool = True,
    user_QD: Tensor | None = None,
    wish: Wish | None = None,
    table_DV: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores of all items for histories, a block at a time, shortest histories first.

    Args:
        network: In evaluation mode.
        item_N: int64 [N], the log.
        start_Q: int64 [Q], first position of each history.
        end_Q: int64 [Q], position after its last.
        max_seq_len: Newest items read.
        exclude_seen: Items of the history are not ranked.
        user_QD: [Q, D], vectors to score with instead of :func:`user_vectors`.
        wish: What else counts, beside the dot product.
        table_DV: What :func:`item_table` gave, where it is kept.

    Yields:
        Which histories, int64 [B], and their scores, [B, V + 1]: column i is item index i, column 0 (padding)
        is -inf, and so is every item of the whole history when ``exclude_seen``. The buffer is used again.
    """
    if user_QD is None:
        user_QD = user_vectors(network, item_N, start_Q, end_Q, max_seq_len)
    table_DV = item_table(network).contiguous() if table_DV is None else table_DV
    _check_numbers(user_QD)
    order_Q = (end_Q - start_Q).argsort(stable=True)
    most = max(LEAST_ROWS, min(SCORE_ROWS, order_Q.numel()))
    buffer = torch.empty(most, network.n_items + 1, device=item_N.device)
    for at_B in order_Q.split(SCORE_ROWS):
        user_BD = _filled(user_QD[at_B])
        score_BV = torch.mm(user_BD, table_DV, out=buffer[: len(user_BD)])[: at_B.numel()]
        if wish is not None:
            _grant(score_BV, wish, at_B)
        _exclude(score_BV, item_N, start_Q[at_B], end_Q[at_B], exclude_seen)
        yield at_B, score_BV


def _grant(score_BV: Tensor, wish: Wish, at_B: Tensor) -> None:
    if wish.bonus_V is not None:
        score_BV.mul_(1 - wish.strength).add_(wish.bonus_V, alpha=wish.strength)
    if wish.barred_V is not None:
        score_BV.masked_fill_(wish.barred_V, float("-inf"))
    if wish.shown_QX is not None:
        score_BV.scatter_(1, wish.shown_QX[at_B], float("-inf"))


def ranks_by_scores(
    score_QV: Tensor, item_N: Tensor, start_Q: Tensor, target_Q: Tensor, exclude_seen: bool = True
) -> Tensor:
    """Ranks under scores from elsewhere (a baseline's, an oracle's), by the same rules as the model's.

    Args:
        score_QV: [Q, V + 1], column i is item index i; changed in place.
        item_N: int64 [N], the log.
        start_Q: int64 [Q], first position of each history.
        target_Q: int64 [Q], positions of the items to predict.
        exclude_seen: See :func:`target_ranks`.

    Returns:
        int64 [Q], see :func:`rank_of`.
    """
    _exclude(score_QV, item_N, start_Q, target_Q, exclude_seen)
    return rank_of(score_QV, item_N[target_Q])


def _exclude(score_BV: Tensor, item_N: Tensor, start_B: Tensor, end_B: Tensor, seen: bool) -> None:
    score_BV[:, 0] = float("-inf")
    if seen:
        seen_BW, _ = histories(item_N, start_B, end_B)
        # Not scatter_, which in bfloat16 copies the whole matrix there and back.
        score_BV[torch.arange(len(seen_BW), device=score_BV.device)[:, None], seen_BW] = float("-inf")


def rank_of(score_BV: Tensor, target_B: Tensor) -> Tensor:
    """Rank of a target among all items, ties counted against it.

    Args:
        score_BV: [B, V + 1], as :func:`score_blocks` yields them.
        target_B: int64 [B], item indices.

    Returns:
        int64 [B], 1 .. V; ``UNRANKED`` for an item that is excluded.

    Raises:
        RunError: A score is not a number.
    """
    target_B1 = score_BV.gather(1, target_B[:, None])
    if bool(torch.isnan(target_B1).any()):
        raise RunError("the model's scores are not numbers (NaN): its weights are damaged or training diverged")
    at_least = torch.ge(score_BV, target_B1, out=torch.empty_like(score_BV))  # float: its sum is fast
    return at_least.sum(dim=1).long().masked_fill(target_B1[:, 0] == float("-inf"), UNRANKED)


def target_ranks(
    network: ELCRecNetwork,
    item_N: Tensor,
    start_Q: Tensor,
    target_Q: Tensor,
    max_seq_len: int,
    exclude_seen: bool = True,
    coverage_cutoffs: tuple[int, ...] = (),
) -> tuple[Tensor, dict[str, float]]:
    """Rank of the item at each position, given all before it since ``start``.

    Args:
        network: In evaluation mode.
        item_N: int64 [N], the log.
        start_Q: int64 [Q], first position of each history.
        target_Q: int64 [Q], positions of the items to predict.
        max_seq_len: Newest items read.
        exclude_seen: Items of the history are not ranked; a target among them is ``UNRANKED``.
        coverage_cutoffs: Cutoffs at which to count the items that anybody is shown.

    Returns:
        Ranks int64 [Q], and ``coverage@k`` in [0, 1] for each cutoff.
    """
    rank_Q = torch.empty_like(target_Q)
    shown = {k: torch.zeros(network.n_items + 1, dtype=torch.bool, device=item_N.device) for k in coverage_cutoffs}
    for at_B, score_BV in score_blocks(network, item_N, start_Q, target_Q, max_seq_len, exclude_seen):
        rank_Q[at_B] = rank_of(score_BV, item_N[target_Q[at_B]])
        if shown:
            item_BK, _ = top_items(score_BV, max(shown))
            for k, mask in shown.items():
                mask[item_BK[:, :k].flatten()] = True
    coverage = {f"coverage@{k}": mask[1:].double().mean().item() for k, mask in shown.items()}
    return rank_Q, coverage


def best_items(
    network: ELCRecNetwork,
    item_N: Tensor,
    start_Q: Tensor,
    end_Q: Tensor,
    k: int,
    max_seq_len: int,
    exclude_seen: bool = True,
    user_QD: Tensor | None = None,
    wish: Wish | None = None,
    table_DV: Tensor | None = None,
    half: HalfTable | None = None,
) -> tuple[Tensor, Tensor]:
    """The k best items for each history, best first; arguments as for :func:`score_blocks`.

    With ``half``, a table in half precision of the same items, a short plain list is found by looking them over in it
    first: the same lists, several times faster in large catalogues.

    Returns:
        Item indices int64 [Q, k'] and scores [Q, k'], in main memory; see :func:`top_items`.
    """
    item_QK = torch.zeros(start_Q.numel(), min(k, network.n_items), dtype=torch.int64)
    score_QK = torch.zeros(item_QK.shape)
    if half is not None and wish is None and k <= CANDIDATES // 4:
        if user_QD is None:
            user_QD = user_vectors(network, item_N, start_Q, end_Q, max_seq_len)
        _check_numbers(user_QD)
        table_DV = item_table(network) if table_DV is None else table_DV
        found = _scanned(half, table_DV, user_QD, item_N, start_Q, end_Q, k, exclude_seen)
    else:
        how = (max_seq_len, exclude_seen, user_QD, wish, table_DV)
        blocks = score_blocks(network, item_N, start_Q, end_Q, *how)
        found = ((at_B, *top_items(score_BV, k)) for at_B, score_BV in blocks)
    for at_B, item_BK, score_BK in found:
        item_QK[at_B.cpu()], score_QK[at_B.cpu()] = item_BK.cpu(), score_BK.cpu()
    return item_QK, score_QK


def _scanned(
    half: HalfTable,
    table_DV: Tensor,
    user_QD: Tensor,
    item_N: Tensor,
    start_Q: Tensor,
    end_Q: Tensor,
    k: int,
    exclude_seen: bool,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Blocks of histories, their items and scores; the few that half precision cannot settle are scored in full."""
    buffer = torch.empty(
        max(LEAST_ROWS, min(SCORE_ROWS, len(user_QD))), table_DV.shape[1], dtype=torch.bfloat16, device=user_QD.device
    )
    for at_B in (end_Q - start_Q).argsort(stable=True).split(SCORE_ROWS):
        user_BD, span = _filled(user_QD[at_B]), (start_Q[at_B], end_Q[at_B])
        near_BV = half.scores(user_BD, buffer[: len(user_BD)])[: len(at_B)]
        user_BD = user_BD[: len(at_B)]
        _exclude(near_BV, item_N, *span, exclude_seen)
        item_BK, score_BK, certain_B = half.best(near_BV, user_BD, table_DV, k)
        if not bool(certain_B.all()):
            at_X = torch.nonzero(~certain_B).flatten()
            score_XV = (_filled(user_BD[at_X]) @ table_DV)[: len(at_X)]
            _exclude(score_XV, item_N, span[0][at_X], span[1][at_X], exclude_seen)
            item_XK, rough_XK = top_items(score_XV, k)
            score_XK = full_scores(user_BD[at_X], table_DV, item_XK).masked_fill_(rough_XK == -torch.inf, -torch.inf)
            score_BK[at_X], place_XK = score_XK.sort(dim=1, descending=True, stable=True)
            item_BK[at_X] = item_XK.gather(1, place_XK)
        yield at_B, item_BK, score_BK


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
