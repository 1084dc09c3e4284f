"""The best items of a large catalogue: all looked over in half precision, the few that may be meant scored in full."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from elcrec.model.precision import fast_products

LEAST_ITEMS = 100_000
"""Smaller catalogues are scored in full at once."""
CANDIDATES = 128
SPAN = 128
# bfloat16 keeps 8 bits: a factor is off by 2^-9 of itself, and so is a result when it is written down.
ROUNDING = 2.0**-9


class HalfTable(NamedTuple):
    """The item table in bfloat16.

    Attributes:
        table_DV: [D, V + 1].
        longest: The largest norm of an item's vector.
    """

    table_DV: Tensor
    longest: float

    @classmethod
    def of(cls, table_DV: Tensor) -> HalfTable | None:
        """Of a table that is large, where products in bfloat16 are fast; else None."""
        if table_DV.shape[1] < LEAST_ITEMS or fast_products(table_DV.device) != torch.bfloat16:
            return None
        return cls(table_DV.to(torch.bfloat16).contiguous(), float(table_DV.norm(dim=0).max()))

    def scores(self, user_BD: Tensor, out: Tensor) -> Tensor:
        """About what all items score: bfloat16 [B, V + 1], in ``out``."""
        return torch.mm(user_BD.to(torch.bfloat16), self.table_DV, out=out)

    def best(self, near_BV: Tensor, user_BD: Tensor, table_DV: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """The k best items of each row, and whether they are so for certain.

        An item that is no candidate scores at most what the last candidate seemed to, plus what rounding can have
        hidden: where the k-th of those scored in full is above that, no item was missed.

        Args:
            near_BV: What :meth:`scores` gave, with -inf at what may not be listed.
            user_BD: [B, D].
            table_DV: [D, V + 1], in full.
            k: Items a list, 1 .. ``CANDIDATES``.

        Returns:
            Item indices int64 [B, k], 0 where nothing is left, scores [B, k], -inf there, and bool [B].
        """
        seemed_BM, item_BM = _largest(near_BV, min(CANDIDATES, near_BV.shape[1]))
        score_BM = full_scores(user_BD, table_DV, item_BM).masked_fill_(seemed_BM == -torch.inf, -torch.inf)
        score_BK, place_BK = score_BM.topk(k, dim=1)
        last_B = seemed_BM[:, -1].float()
        hidden_B = 2.01 * ROUNDING * user_BD.norm(dim=1) * self.longest + ROUNDING * last_B.abs() * 1.01
        certain_B = (last_B == -torch.inf) | (score_BK[:, -1] > last_B + hidden_B)
        return item_BM.gather(1, place_BK) * (score_BK > -torch.inf), score_BK, certain_B


def full_scores(user_BD: Tensor, table_DV: Tensor, item_BM: Tensor) -> Tensor:
    """Dot products with some items of each row: [B, M]; the same digits whatever else is asked."""
    return (table_DV.T[item_BM] * user_BD[:, None, :]).sum(dim=2)


def _largest(value_BV: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """The m largest of each row, and where: only the m stretches with the largest maxima can hold them."""
    n_spans = value_BV.shape[1] // SPAN
    if n_spans <= 2 * m:
        return value_BV.topk(m, dim=1)
    rows, whole = len(value_BV), n_spans * SPAN
    most_BS = value_BV[:, :whole].view(rows, n_spans, SPAN).amax(dim=2)
    span_BM = most_BS.topk(m, dim=1, sorted=False).indices
    place_BMX = span_BM[:, :, None] * SPAN + torch.arange(SPAN, device=value_BV.device)
    rest = torch.arange(whole, value_BV.shape[1], device=value_BV.device).expand(rows, -1)
    place_BX = torch.cat([place_BMX.flatten(1), rest], dim=1)
    largest_BM, at_BM = value_BV.gather(1, place_BX).topk(m, dim=1)
    return largest_BM, place_BX.gather(1, at_BM)
