"""Two-stage scoring of large catalogues: a first pass over all items in bfloat16, the few candidates in full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from elcrec.model.precision import fast_products

LEAST_ITEMS = 100_000
"""Smaller catalogues are scored in full at once."""
CANDIDATES = 128
SPAN = 128
ROUNDING = 2.0**-8
"""bfloat16 keeps 8 bits: what is rounded to the nearest of its numbers is off by up to this share of itself."""
SUMMING = 2.0**-22
"""Products are summed in float32; each sum is off by up to this share (on some accelerators it is cut, not rounded)."""
COLUMNS_AT_ONCE = 65_536


class BFloat16Table(NamedTuple):
    """The item table in bfloat16.

    Attributes:
        table_DV: [D, V + 1].
        longest: The largest norm of an item's vector.
        most_lost: The largest norm of what rounding took from one.
    """

    table_DV: Tensor
    longest: float
    most_lost: float

    @classmethod
    def of(cls, table_DV: Tensor) -> BFloat16Table | None:
        """Of a table that is large, where products in bfloat16 are fast; else None."""
        if table_DV.shape[1] < LEAST_ITEMS or fast_products(table_DV.device) != torch.bfloat16:
            return None
        half_DV = table_DV.to(torch.bfloat16).contiguous()
        blocks = zip(table_DV.split(COLUMNS_AT_ONCE, dim=1), half_DV.split(COLUMNS_AT_ONCE, dim=1), strict=True)
        most_lost = max(float((whole - half).norm(dim=0).max()) for whole, half in blocks)
        return cls(half_DV, float(table_DV.norm(dim=0).max()), most_lost)

    def scores(self, user_BD: Tensor, out: Tensor) -> Tensor:
        """About what all items score: bfloat16 [B, V + 1], in ``out``."""
        with _summed_in_float32():
            torch.mm(user_BD.to(torch.bfloat16), self.table_DV, out=out)
        return out

    def best(self, near_BV: Tensor, user_BD: Tensor, table_DV: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """The k best items of each row, and whether they are so for certain.

        An item that is no candidate scores at most what the last candidate seemed to, plus what rounding can have
        hidden: where the k-th of those scored in full is above that, no item was missed.

        Args:
            near_BV: What :meth:`scores` gave, with -inf at items that are not ranked.
            user_BD: [B, D].
            table_DV: [D, V + 1], in full.
            k: Number of items, 1 .. ``CANDIDATES``.

        Returns:
            Item indices int64 [B, k], 0 where nothing is left, scores [B, k], -inf there, and bool [B].
        """
        seemed_BM, item_BM = _largest(near_BV, min(CANDIDATES, near_BV.shape[1]))
        score_BM = full_scores(user_BD, table_DV, item_BM).masked_fill_(seemed_BM == -torch.inf, -torch.inf)
        score_BK, place_BK = score_BM.topk(k, dim=1)
        last_B = seemed_BM[:, -1].float()
        certain_B = (last_B == -torch.inf) | (score_BK[:, -1] > last_B + self._hidden(user_BD, last_B))
        return item_BM.gather(1, place_BK) * (score_BK > -torch.inf), score_BK, certain_B

    def _hidden(self, user_BD: Tensor, last_B: Tensor) -> Tensor:
        """By how much an item can score more than ``last``, which it seems to score at most: [B].

        With x' and y' what is left of x and y: ``|x.y - x'.y'| <= |x - x'| |y| + |x'| |y - y'|``, each norm as it is,
        not as bad as it could be; then the sums (those of the full scores too), and the result as it is written down.
        """
        half_BD = user_BD.to(torch.bfloat16).float()
        lost_B, length_B = (user_BD - half_BD).norm(dim=1), torch.maximum(user_BD.norm(dim=1), half_BD.norm(dim=1))
        factors_B = lost_B * self.longest + length_B * self.most_lost
        sums_B = 2 * SUMMING * user_BD.shape[1] * length_B * (self.longest + self.most_lost)
        hidden_B: Tensor = 1.01 * (factors_B + sums_B + ROUNDING * last_B.abs())
        return hidden_B


@contextmanager
def _summed_in_float32() -> Iterator[None]:
    """On a GPU, sums of parts of a product are otherwise rounded to bfloat16 in between."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_bf16_reduced_precision_reduction
    matmul.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        matmul.allow_bf16_reduced_precision_reduction = before


def full_scores(user_BD: Tensor, table_DV: Tensor, item_BM: Tensor) -> Tensor:
    """Dot products with some items of each row: [B, M]; the same digits in any batch."""
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
