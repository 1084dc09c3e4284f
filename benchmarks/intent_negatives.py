"""A softmax in which the items of the target's intent count more or less than others: intent-aware negatives.

``1/N sum_n [ log(sum_v w(t_n, v) exp(s_nv)) - sum_h w_nh s_nt(n,h) ]`` where ``w(t, v)`` is the weight for an item v of
the intent of the next item t, and 1 for all others and for t itself. Above 1 they are harder negatives; below 1 fewer
of them are false ones. It needs N x V numbers at once, which is enough for the benchmark files.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from elcrec import ELCRec
from elcrec.losses.prediction import Prediction
from elcrec.losses.registry import NextItemLoss, register

NAME = "intent_softmax"


def intent_of_items(model: ELCRec) -> Tensor:
    """The intent that each item has the highest lift of, int64 [V]."""
    lift_KV = torch.stack([model.assigner.item_intents.lift([intent]) for intent in range(model.settings.n_intents)])
    return lift_KV[:, 1:].argmax(dim=0)


def use(intent_V: Tensor, weight: float) -> None:
    """Make the loss known under ``NAME``, in this process."""

    def loss(prediction: Prediction) -> Tensor:
        target_NH, share_N = prediction.row_NH, prediction.share_N
        score_NV = prediction.hidden_ND @ prediction.items_VD.T
        of_intent_NV = intent_V[target_NH[:, :1]] == intent_V
        weighed_NV = score_NV + math.log(weight) * of_intent_NV.scatter(1, target_NH[:, :1], False)
        target_score_NH = score_NV.gather(1, target_NH)
        loss_N = weighed_NV.logsumexp(dim=1) - (prediction.weight_NH * target_score_NH).sum(dim=1)
        return loss_N.mean() if share_N is None else (share_N * loss_N).mean()

    register(NextItemLoss(NAME, "intent-aware negatives", "nothing", multi_step=True, all_items=True, function=loss))
