"""Prediction of the features of the items that come next."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.losses.softmax import mean_log_sum


def feature_loss(
    hidden_ND: Tensor, feature_FD: Tensor, target_ND: Tensor, share_N: Tensor, products: torch.dtype
) -> Tensor:
    """Cross-entropy of the features of the targets over all features.

    ``1/N sum_n m_n [ logsumexp_a(h_n.g_a) - h_n.q_n ]``, q_n the mean of the vectors g of the features of the targets.

    Args:
        hidden_ND: [N, D].
        feature_FD: [F, D], g.
        target_ND: [N, D], ``q_n m_n``: each target weighs what it weighs in the next-item loss.
        share_N: [N], m: how much of the targets of a row has features, >= 0.
        products: See :func:`elcrec.losses.softmax.softmax`.

    Returns:
        Scalar, >= 0.
    """
    score = (hidden_ND * target_ND).sum() / len(hidden_ND)
    return mean_log_sum(hidden_ND, feature_FD, products, None, share_N) - score
