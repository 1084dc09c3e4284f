"""Generalised binary cross-entropy with several negatives a position."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from elcrec.losses.prediction import Prediction, mean_of


def gbce(
    hidden_ND: Tensor,
    positive_ND: Tensor,
    negative_NMD: Tensor,
    n_items: int,
    calibration: float,
    share_N: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy with M negatives a position, the positive's probability raised to a power.

    ``-1/N sum_n [ b log s(h.p) + sum_m log(1 - s(h.n_m)) ]`` with s the logistic function and
    ``b = a (t (1 - 1/a) + 1/a)``, ``a = M / (V - 1)``, at most 1: 1 for t = 0 (plain), a for t = 1. It undoes the
    overconfidence that comes from seeing few negatives.

    Args:
        hidden_ND: [N, D], real positions only.
        positive_ND: [N, D], vectors of the items that came next.
        negative_NMD: [N, M, D], vectors of the negatives, M >= 1.
        n_items: Size of the catalogue, V >= 1.
        calibration: t, 0 to 1.
        share_N: [N], weight of each position, mean 1; None: all count alike.

    Returns:
        Scalar, >= 0.

    Source: gSASRec (arXiv 2308.07192) eq. 15 to 17.
    """
    sampled = min(negative_NMD.shape[1] / max(n_items - 1, 1), 1.0)
    power = sampled * (calibration * (1 - 1 / sampled) + 1 / sampled)
    positive_N = (hidden_ND * positive_ND).sum(dim=1)
    negative_NM = (negative_NMD @ hidden_ND[:, :, None]).squeeze(2)
    return -mean_of(power * F.logsigmoid(positive_N) + F.logsigmoid(-negative_NM).sum(dim=1), share_N)


def of_prediction(prediction: Prediction) -> Tensor:
    """The loss of a training step."""
    return gbce(
        prediction.hidden_ND,
        prediction.positive_ND,
        prediction.negative_NMD,
        prediction.n_items,
        prediction.settings.calibration,
        prediction.share_N,
    )
