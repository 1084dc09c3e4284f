"""Softmax over the targets and items drawn for the step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.losses.prediction import Prediction, mean_of


# reason: tensors of one step, the last with a default
def sampled_softmax(
    hidden_ND: Tensor,
    items_VD: Tensor,
    target_NH: Tensor,
    weight_NH: Tensor,
    drawn_M: Tensor,
    expected_M: Tensor,
    share_N: Tensor | None = None,
) -> Tensor:
    """Cross-entropy over the targets and M drawn items, each draw weighed by how often it had to be expected.

    ``1/N sum_n [ log( sum_h e^(h.e_h) + sum_m e^(h.e_m) / q_m ) - sum_h w_h h.e_h ]``, draws that hit a target left
    out: the sums estimate that of the whole catalogue, so the loss tends to :func:`softmax` as M grows.

    Args:
        hidden_ND: [N, D].
        items_VD: [V, D], the catalogue.
        target_NH: int64 [N, H], rows of ``items_VD``, different ones; see :func:`softmax`.
        weight_NH: [N, H]; see :func:`softmax`.
        drawn_M: int64 [M], rows of ``items_VD``, the same for all positions.
        expected_M: [M], q > 0: how many of the M draws were expected to give that row.
        share_N: [N], weight of each position, mean 1; None: all count alike.

    Returns:
        Scalar, >= 0.

    Source: Bengio and Senecal 2008 (importance sampling); the targets are there for certain, so their own logits
    are not corrected.
    """
    target_logit_NH = (F.embedding(target_NH, items_VD) @ hidden_ND[:, :, None]).squeeze(2)
    drawn_logit_NM = hidden_ND @ F.embedding(drawn_M, items_VD).T - expected_M.log()
    hit_NM = (drawn_M == target_NH[:, :, None]).logical_and(weight_NH[:, :, None] > 0).any(dim=1)
    logits = [target_logit_NH.masked_fill(weight_NH == 0, -torch.inf), drawn_logit_NM.masked_fill(hit_NM, -torch.inf)]
    loss_N = torch.cat(logits, dim=1).logsumexp(dim=1) - (weight_NH * target_logit_NH).sum(dim=1)
    return mean_of(loss_N, share_N)


def of_prediction(prediction: Prediction) -> Tensor:
    """The loss of a training step."""
    return sampled_softmax(
        prediction.hidden_ND,
        prediction.items_VD,
        prediction.row_NH,
        prediction.weight_NH,
        *prediction.drawn,
        prediction.share_N,
    )
