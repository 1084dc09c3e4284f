"""From cuts in the log to the tokens the encoder reads. All drawing is tensor code; no loop over samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Padding = Literal["skip", "encode"]


@dataclass(frozen=True)
class TokenBatch:
    """B sequences laid end to end as T tokens, in blocks of equal width so that attention needs no gather.

    With padding ``skip`` a block's width is the length of its sequences, rounded up on a short ladder;
    real tokens come first and rows are sorted by width. With ``encode`` there is one block of width
    ``max_seq_len`` and real tokens come last, as in the released program.

    Attributes:
        item_T: int64 [T], item indices, 0 where there is none.
        position_T: int64 [T], in 0 .. max_seq_len - 1; the newest item of a sequence has the last position.
        column_T: int64 [T], place in its row of the layout, from 0.
        real_T: bool [T].
        source_T: int64 [T], index into the flattened [B, W] matrix the batch was made from (any value
            where not real): ``matrix.flatten()[source_T]`` lays another such matrix out alike.
        blocks: (rows, width) of each block.
        row_B: int64 [B], where the caller's row b lies among the rows.
        last_B: int64 [B], the token of the caller's row b that holds its newest item.
        length_R: int64 [B], real tokens of each row, in layout order.
        padding: The layout.
    """

    item_T: Tensor
    position_T: Tensor
    column_T: Tensor
    real_T: Tensor
    source_T: Tensor
    blocks: tuple[tuple[int, int], ...]
    row_B: Tensor
    last_B: Tensor
    length_R: Tensor
    padding: Padding


def histories(item_N: Tensor, start_B: Tensor, end_B: Tensor, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """The items ``item_N[start:end]`` of each row, first item in column 0.

    Args:
        item_N: int64 [N].
        start_B: int64 [B].
        end_B: int64 [B]; ``end > start``.
        limit: Keep only that many of the newest.

    Returns:
        int64 [B, W] padded with 0 on the right, and the lengths, int64 [B].
    """
    length_B = end_B - start_B
    if limit is not None:
        length_B = length_B.clamp(max=limit)
        start_B = end_B - length_B
    width = int(length_B.max())
    column_W = torch.arange(width, device=item_N.device)
    inside_BW = column_W < length_B[:, None]
    at_BW = (start_B[:, None] + column_W).clamp(max=item_N.numel() - 1)
    return item_N[at_BW] * inside_BW, length_B


def lay_out(item_BW: Tensor, length_B: Tensor, max_seq_len: int, padding: Padding) -> TokenBatch:
    """Tokens of the newest ``max_seq_len`` items of each row.

    Args:
        item_BW: int64 [B, W], rows filled from column 0.
        length_B: int64 [B], 1 .. W.
        max_seq_len: Longest sequence, L.
        padding: ``skip`` or ``encode``.
    """
    device = item_BW.device
    n_rows, columns = item_BW.shape
    kept_B = length_B.clamp(max=max_seq_len)
    if padding == "encode":
        width_R = torch.full_like(kept_B, max_seq_len)
        order_R = torch.arange(n_rows, device=device)
    else:
        width_R, order_R = _rungs(kept_B, max_seq_len).sort(stable=True)
    length_R = kept_B[order_R]
    widths, counts = torch.unique_consecutive(width_R, return_counts=True)
    blocks = tuple(zip(counts.tolist(), widths.tolist(), strict=True))

    first_R = width_R.cumsum(0) - width_R
    row_T = torch.repeat_interleave(torch.arange(n_rows, device=device), width_R)
    column_T = torch.arange(row_T.numel(), device=device) - first_R[row_T]
    # Column of the token within its kept history; negative or too large where there is no item.
    shift_R = max_seq_len - length_R if padding == "encode" else torch.zeros_like(length_R)
    index_T = column_T - shift_R[row_T]
    real_T = (index_T >= 0) & (index_T < length_R[row_T])
    skipped_R = (length_B - kept_B)[order_R]
    source_T = (order_R * columns + skipped_R)[row_T] + index_T
    source_T = source_T.clamp(0, item_BW.numel() - 1)
    if padding == "encode":
        position_T = column_T
    else:
        position_T = (max_seq_len - length_R[row_T] + column_T).clamp(max=max_seq_len - 1)
    item_T = item_BW.flatten()[source_T] * real_T
    if padding == "encode":  # the released program knows padding by item 0, and so hides masked items as well
        real_T = item_T > 0
    row_B = torch.empty_like(order_R)
    row_B[order_R] = torch.arange(n_rows, device=device)
    return TokenBatch(
        item_T=item_T,
        position_T=position_T,
        column_T=column_T,
        real_T=real_T,
        source_T=source_T,
        blocks=blocks,
        row_B=row_B,
        last_B=(first_R + shift_R + length_R - 1)[row_B],
        length_R=length_R,
        padding=padding,
    )


def _rungs(length_B: Tensor, max_seq_len: int) -> Tensor:
    """Lengths rounded up, exact to 6, then in steps of a fourth; on an accelerator, to the longest."""
    if length_B.device.type != "cpu":
        return torch.full_like(length_B, int(length_B.max()))
    ladder = [*range(1, min(6, max_seq_len) + 1)]
    while ladder[-1] < max_seq_len:
        ladder.append(min(max_seq_len, ladder[-1] + max(2, ladder[-1] // 4)))
    rung = torch.tensor(ladder)
    return rung[torch.searchsorted(rung, length_B)]


def shuffled(user_M: Tensor, batch_size: int, generator: torch.Generator, most: int | None = None) -> Iterator[Tensor]:
    """All users once, or ``most`` of them, in random order, ``batch_size`` at a time."""
    order = torch.randperm(user_M.numel(), generator=generator, device=user_M.device)
    yield from user_M[order[:most]].split(batch_size)


class NegativeSampler:
    """Uniform negatives that are none of the user's items, exactly and without rejection.

    The r-th item a user does not have is ``r`` plus the number of his items at or below it; with his
    items sorted as s_0 < s_1 < ..., that number is the count of j with ``s_j - j <= r``: one binary search.
    """

    def __init__(self, item_N: Tensor, user_N: Tensor, n_users: int, top: int) -> None:
        """Prepare for given exclusions.

        Args:
            item_N: int64 [N], excluded items, 1 .. top.
            user_N: int64 [N], whose exclusion it is, 0 .. n_users - 1.
            n_users: Number of users.
            top: Highest item drawn; a user who has all of 1 .. top gets ``top``.
        """
        self.top = top
        key = torch.unique(user_N * (top + 1) + item_N)
        user_K = key // (top + 1)
        self._count_U = torch.bincount(user_K, minlength=n_users)
        self._first_U = self._count_U.cumsum(0) - self._count_U
        rank_K = torch.arange(key.numel(), device=key.device) - self._first_U[user_K]
        self._gap_K = user_K * (top + 1) + (key % (top + 1)) - rank_K

    def draw(self, user_T: Tensor, generator: torch.Generator) -> Tensor:
        """One negative for each entry of ``user_T``, uniform on 1 .. top without the user's items: same shape."""
        free_T = (self.top - self._count_U[user_T]).clamp(min=1)
        uniform_T = torch.rand(user_T.shape, generator=generator, device=user_T.device, dtype=torch.float64)
        rank_T = 1 + (uniform_T * free_T).long()
        below_T = torch.searchsorted(self._gap_K, user_T * (self.top + 1) + rank_T, right=True)
        return (rank_T + below_T - self._first_U[user_T]).clamp(max=self.top)


class ItemSampler:
    """Draws items for a whole step, half of them uniformly, half as often as they occur."""

    def __init__(self, item_N: Tensor, n_items: int) -> None:
        """Prepare for a log.

        Args:
            item_N: int64 [N], the items learnt from, 1 .. n_items.
            n_items: Size of the catalogue, V.
        """
        self._item_N = item_N
        counts_V = torch.bincount(item_N, minlength=n_items + 1)[1:]
        self._chance_V = 0.5 / n_items + 0.5 * counts_V / item_N.numel()

    def draw(self, n_draws: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Items (row 0 is item 1), int64 [n_draws], and how often each had to be expected, float [n_draws]."""
        device = self._item_N.device
        n_uniform = n_draws // 2
        uniform = torch.randint(self._chance_V.numel(), (n_uniform,), generator=generator, device=device)
        place = torch.randint(self._item_N.numel(), (n_draws - n_uniform,), generator=generator, device=device)
        drawn_M = torch.cat([uniform, self._item_N[place] - 1])
        return drawn_M, n_draws * self._chance_V[drawn_M]
