"""Calibrated re-ranking: recommendations with the mix of intents that their users have."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.intents.item_intents import ItemIntents

CANDIDATES = 100
SPARE = 2
"""Candidates per recommended item, at least: with fewer there is little to choose from."""
KEPT_SHARE = 0.01
ROWS = 256


def n_candidates(k: int) -> int:
    """Number of candidates, the best items, that k are chosen from."""
    return max(CANDIDATES, SPARE * k)


def calibrate(
    item_QN: Tensor, score_QN: Tensor, wanted_QK: Tensor, item_intents: ItemIntents, dial: float, k: int
) -> tuple[Tensor, Tensor]:
    """Choose k of N candidates so that they have the mix of intents that the user has.

    Greedy: each step adds the candidate with the largest ``(1 - dial) * mean relevance - dial * KL(p || q)``, where
    p is the user's mix, q the mean of ``P(k | i)`` over the chosen items with 1% of p mixed in, and relevance the score
    scaled to 0 .. 1 over the candidates.

    Args:
        item_QN: int64 [Q, N], candidates, best first; 0 where there is none.
        score_QN: [Q, N], their scores.
        wanted_QK: [Q, K], each user's mix p; rows sum to 1.
        item_intents: P(k | i).
        dial: 0 (the order of scores) to 1 (the mix alone).
        k: Items wanted.

    Returns:
        Items int64 [Q, k'] and scores [Q, k'], in the order chosen; k' = min(k, N).

    Source: Steck 2018, Calibrated Recommendations, eq. 3 to 7.
    """
    chosen = [
        _calibrate_rows(item_QN[at], score_QN[at], wanted_QK[at], item_intents, dial, min(k, item_QN.shape[1]))
        for at in torch.arange(len(item_QN)).split(max(1, ROWS * CANDIDATES // max(item_QN.shape[1], CANDIDATES)))
    ]
    column_QK = torch.cat(chosen)
    return item_QN.gather(1, column_QK), score_QN.gather(1, column_QK)


def _calibrate_rows(
    item_BN: Tensor, score_BN: Tensor, wanted_BK: Tensor, item_intents: ItemIntents, dial: float, k: int
) -> Tensor:
    there_BN = item_BN > 0
    low_B1 = score_BN.masked_fill(~there_BN, float("inf")).min(dim=1, keepdim=True).values
    high_B1 = score_BN.max(dim=1, keepdim=True).values
    relevance_BN = (score_BN - low_B1) / (high_B1 - low_B1).clamp(min=1e-12)
    mix_BNK = item_intents.given_item(item_BN.flatten()).view(*item_BN.shape, -1)
    listed_BK, open_BN, chosen = torch.zeros_like(wanted_BK), there_BN.clone(), []
    for length in range(1, k + 1):
        q_BNK = (1 - KEPT_SHARE) * (listed_BK[:, None] + mix_BNK) / length + KEPT_SHARE * wanted_BK[:, None]
        # KL(p || q) without the entropy of p, which is the same for all candidates.
        divergence_BN = -(wanted_BK[:, None] * q_BNK.clamp(min=1e-12).log()).sum(dim=2)
        gain_BN = (1 - dial) * relevance_BN / length - dial * divergence_BN
        best_B1 = gain_BN.masked_fill(~open_BN, float("-inf")).argmax(dim=1, keepdim=True)
        # A row whose candidates are used up goes on with the empty ones, which stand last.
        nothing_B1 = ~open_BN.any(dim=1, keepdim=True)
        best_B1 = torch.where(nothing_B1, torch.full_like(best_B1, length - 1), best_B1)
        listed_BK = listed_BK + mix_BNK.gather(1, best_B1[:, :, None].expand(-1, -1, mix_BNK.shape[2]))[:, 0]
        open_BN.scatter_(1, best_B1, False)
        chosen.append(best_B1)
    return torch.cat(chosen, dim=1)
