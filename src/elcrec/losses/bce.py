"""Binary cross-entropy with one negative a position."""

from __future__ import annotations

from torch import Tensor

from elcrec.losses.prediction import Prediction, mean_of


def bce(hidden_ND: Tensor, positive_ND: Tensor, negative_ND: Tensor, share_N: Tensor | None = None) -> Tensor:
    """Binary cross-entropy with one negative a position.

    ``-1/N sum_n [ log s(h.p) + log(1 - s(h.n)) ]`` with s the logistic function, 1e-24 inside the
    logarithms as released.

    Args:
        hidden_ND: [N, D], real positions only.
        positive_ND: [N, D], vectors of the items that came next.
        negative_ND: [N, D], vectors of the negatives.
        share_N: [N], weight of each position, mean 1; None: all count alike.

    Returns:
        Scalar, >= 0.

    Source: ELCRec eq. 2 (SASRec eq. 8).
    """
    positive_N = (hidden_ND * positive_ND).sum(dim=1).sigmoid()
    negative_N = (hidden_ND * negative_ND).sum(dim=1).sigmoid()
    return -mean_of((positive_N + 1e-24).log() + (1 - negative_N + 1e-24).log(), share_N)


def of_prediction(prediction: Prediction) -> Tensor:
    """The loss of a training step."""
    return bce(prediction.hidden_ND, prediction.positive_ND, prediction.negative_NMD[:, 0], prediction.share_N)
