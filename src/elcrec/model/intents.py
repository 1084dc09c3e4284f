"""Intent centres: learnable unit vectors that behaviour embeddings are assigned to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class IntentCenters(nn.Module):
    """K centres in the space of behaviour embeddings.

    Source: ELCRec section 4.2 (centres are parameters, learned with the recommender).
    """

    def __init__(self, n_intents: int, embedding_dim: int) -> None:
        """Random unit rows; training replaces them by k-means centroids before the first step."""
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.randn(n_intents, embedding_dim), dim=-1))

    @torch.no_grad()
    def normalise(self) -> None:
        """Scale rows to length 1, outside the graph."""
        self.weight.copy_(F.normalize(self.weight, dim=-1))

    @torch.no_grad()
    def nearest(self, x_ND: Tensor) -> Tensor:
        """Index of the nearest centre by Euclidean distance: int64 [N], in 0 .. K - 1."""
        c_KD = self.weight
        # |x - c|^2 without |x|^2, which is the same for all centres.
        # min() finds it several times faster than argmin().
        return torch.addmm(c_KD.square().sum(dim=1), x_ND, c_KD.T, alpha=-2).min(dim=1).indices

    def cosines(self, x_ND: Tensor) -> Tensor:
        """Cosine of each vector to each centre, [N, K], without gradient."""
        return F.normalize(x_ND.detach(), dim=-1) @ F.normalize(self.weight.detach(), dim=-1).T

    def of(self, intent_N: Tensor) -> Tensor:
        """The centres of intents, [N, D], with a gradient that is summed in the same order every time.

        Indexing would do, but its gradient depends on how threads race where an intent occurs twice.
        """
        return F.embedding(intent_N, self.weight)

    def assign(self, behaviour_ND: Tensor) -> Tensor:
        """Intent of behaviour embeddings of any length: nearest unit centre to the unit behaviour, int64 [N]."""
        return self.cosines(behaviour_ND).max(dim=1).indices

    def fuse(self, hidden_ND: Tensor, fusion: str) -> Tensor:
        """Each vector with its nearest centre: ``shift`` h + c [N, D], ``concat`` [h; c] [N, 2D], or ``none`` h.

        Source: released ELCRec, position by position; gradients flow into both.
        """
        if fusion == "none":
            return hidden_ND
        center_ND = self.of(self.nearest(hidden_ND.detach()))
        return hidden_ND + center_ND if fusion == "shift" else torch.cat([hidden_ND, center_ND], dim=-1)
