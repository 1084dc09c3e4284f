"""What speaks for an item that the history holds already: a score on top of the dot product."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from elcrec.data.seen import N_FEATURES, SeenItems

WIDTH = 16
ITEM_WIDTH = 4


class RepeatScore(nn.Module):
    """``r(u, i) = a.f + w.z + (A z).v_i + (B h_u).z`` with ``z = mlp(f(u, i))``, for items i of the history of u.

    ``f`` tells how often, how recently and in which rhythm the item came (:func:`elcrec.data.seen.seen_items`); the
    item's own v_i lets milk come back and a film not; the user's vector h_u says whether this is a moment for
    known things. The linear part ``a.f`` is fitted on validation after training
    (:mod:`elcrec.training.repeat_fit`), all else is learned with the network. The score of an item is
    ``h_u.e_i + r(u, i)`` where the history holds it, else ``h_u.e_i``.
    """

    def __init__(self, n_item_rows: int, embedding_dim: int) -> None:
        """All repeat scores begin at 0.

        Args:
            n_item_rows: Rows of the item table.
            embedding_dim: Width of user vectors, D.
        """
        super().__init__()
        self.linear = nn.Linear(N_FEATURES, 1).requires_grad_(False)
        self.widen = nn.Linear(N_FEATURES, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.weight = nn.Linear(WIDTH, 1)
        self.of_item = nn.Embedding(n_item_rows, ITEM_WIDTH)
        self.toward_item = nn.Linear(WIDTH, ITEM_WIDTH)
        self.of_user = nn.Linear(embedding_dim, WIDTH, bias=False)
        for last in (self.linear, self.weight, self.of_item, self.of_user):
            nn.init.zeros_(last.weight)
        for last in (self.linear, self.weight):
            nn.init.zeros_(last.bias)

    def forward(self, seen: SeenItems, user_QD: Tensor) -> Tensor:
        """Repeat scores.

        Args:
            seen: P pairs of Q histories and their items.
            user_QD: [Q, D], the users' vectors.

        Returns:
            [P].
        """
        z_PW = F.gelu(self.mix(F.gelu(self.widen(seen.feature_PF))))
        of_item_P = (self.toward_item(z_PW) * self.of_item(seen.item_P)).sum(dim=1)
        of_user_P = (z_PW * self.of_user(user_QD)[seen.row_P]).sum(dim=1)
        score_P: Tensor = (self.linear(seen.feature_PF) + self.weight(z_PW)).squeeze(1) + of_item_P + of_user_P
        return score_P
