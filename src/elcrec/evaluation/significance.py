"""Significance tests of two recommenders on the same users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
DECIMALS = 12
DRAWN_AT_ONCE = 1 << 20


class Difference(NamedTuple):
    """How much better, and how sure that is.

    Attributes:
        mean: Mean difference over users.
        low: Lower end of the 95% interval of the mean (percentile bootstrap over users).
        high: Its upper end.
        p: Two-sided p-value of the Wilcoxon signed-rank test; 1 where all differences are 0.
    """

    mean: float
    low: float
    high: float
    p: float


def gains(rank_X: NDArray[np.float64], k: int, row_X: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """NDCG@k of each user, in [0, 1]; see :func:`elcrec.evaluation.metrics.basket_metrics`.

    Args:
        rank_X: [X], ranks of relevant items (NaN or beyond k: not found).
        k: Cutoff.
        row_X: int64 [X], the user of each, from 0 without gaps; default: each has one.

    Returns:
        [Q].
    """
    row_X = np.arange(len(rank_X)) if row_X is None else row_X
    inside_X = rank_X <= k
    gain_X = np.where(inside_X, 1 / np.log2(1 + np.where(inside_X, rank_X, 1)), 0.0)
    best_K = np.cumsum(1 / np.log2(2 + np.arange(k)))
    found: NDArray[np.float64] = np.bincount(row_X, gain_X) / best_K[np.bincount(row_X).clip(max=k) - 1]
    return found


def paired_difference(ours_Q: NDArray[np.float64], theirs_Q: NDArray[np.float64], seed: int = 0) -> Difference:
    """Test paired values of the same users.

    Args:
        ours_Q: [Q], one value a user.
        theirs_Q: [Q], of the same users in the same order.
        seed: Of the bootstrap.

    Raises:
        ValueError: Not the same number of users.

    Source: Wilcoxon 1945 (with zeros counted by Pratt 1959, as most users' values are equal); Efron 1979.
    """
    from scipy.stats import wilcoxon

    if ours_Q.shape != theirs_Q.shape:
        raise ValueError(f"{len(ours_Q):,} users against {len(theirs_Q):,}: the same users are compared")
    # Means over seeds differ in the last bits by the order of the sum: what is equal has to count as equal.
    difference_Q = np.round(ours_Q - theirs_Q, DECIMALS)
    if not difference_Q.any():
        return Difference(0.0, 0.0, 0.0, 1.0)
    p = float(wilcoxon(difference_Q, zero_method="pratt").pvalue)
    low, high = np.quantile(_resampled_means(difference_Q, seed), [0.025, 0.975])
    return Difference(float(difference_Q.mean()), float(low), float(high), p)


def _resampled_means(difference_Q: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Means over users drawn with replacement: [R]; memory stays the same however many users there are."""
    # Drawing users is drawing how often each distinct difference occurs.
    value_X, count_X = np.unique(difference_Q, return_counts=True)
    random, share_X = np.random.default_rng(seed), count_X / len(difference_Q)
    rows = max(1, DRAWN_AT_ONCE // len(value_X))
    sizes = [min(rows, RESAMPLES - first) for first in range(0, RESAMPLES, rows)]
    sums = [random.multinomial(len(difference_Q), share_X, size) @ value_X for size in sizes]
    return np.concatenate(sums) / len(difference_Q)


def holm(p_values: list[float]) -> list[float]:
    """P-values corrected for multiple comparisons: each in [0, 1], never below the raw one.

    Source: Holm 1979.
    """
    order = np.argsort(p_values)
    raised = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return corrected.tolist()
