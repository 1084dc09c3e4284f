"""Batches: token tensors for the encoder, from positions in the log; sampled by tensor code, without loops."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Padding = Literal["skip", "encode"]
Blocks = tuple[tuple[int, int], ...]
# Sequences are packed with others up to the same of these lengths: attention costs its row's width for every token.
PACKED_WIDTHS = (64, 256, 1024)


@dataclass(frozen=True)
class TokenBatch:
    """B sequences laid end to end as T tokens, in blocks of rows of equal width so that attention needs no gather.

    With padding ``skip`` a row is one sequence, as wide as its length rounded up on a short ladder; or, packed, as many
    sequences as fit into the width of the longest. Either way a sequence's tokens follow each other, the oldest first,
    and few places are filled with nothing. With ``encode`` there is one block of width ``max_seq_len`` and real tokens
    come last in a row, as in the released program.

    Attributes:
        item_T: int64 [T], item indices, 0 where there is none.
        position_T: int64 [T], in 0 .. max_seq_len - 1; the newest item of a sequence has the last position.
        column_T: int64 [T], place in its sequence, from 0 (``encode``: in its row).
        sequence_T: int64 [T], the caller's row that it is of; -1 where it is of none.
        real_T: bool [T].
        source_T: int64 [T], index into the flattened [B, W] matrix the batch was made from (any value
            where not real): ``matrix.flatten()[source_T]`` lays another such matrix out in the same way.
        blocks: (rows, width) of each block.
        last_B: int64 [B], the token of the caller's row b that holds its newest item.
        length_B: int64 [B], real tokens of the caller's row b.
        padding: The layout.
        event_T: int64 [T], codes of the events (:mod:`elcrec.data.event_codes`); None where none are known.
    """

    item_T: Tensor
    position_T: Tensor
    column_T: Tensor
    sequence_T: Tensor
    real_T: Tensor
    source_T: Tensor
    blocks: Blocks
    last_B: Tensor
    length_B: Tensor
    padding: Padding
    event_T: Tensor | None = None


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


def lay_out(
    item_BW: Tensor,
    length_B: Tensor,
    max_seq_len: int,
    padding: Padding,
    packed: bool = False,
    event_BW: Tensor | None = None,
) -> TokenBatch:
    """Tokens of the newest ``max_seq_len`` items of each row.

    Args:
        item_BW: int64 [B, W], rows filled from column 0.
        length_B: int64 [B], 1 .. W.
        max_seq_len: Longest sequence, L.
        padding: ``skip`` or ``encode``.
        packed: ``skip``: several sequences in a row. That is fastest, but the last digits of a sequence's hidden
            vectors then depend on what else is in the batch.
        event_BW: int64 [B, W], codes of the events; None where none are known.
    """
    device, (n_rows, columns) = item_BW.device, item_BW.shape
    kept_B = length_B.clamp(max=max_seq_len)
    if padding == "encode":
        first_B = torch.arange(1, n_rows + 1, device=device) * max_seq_len - kept_B
        blocks: Blocks = ((n_rows, max_seq_len),)
    else:
        first_B, blocks = (_packed if packed else _by_width)(kept_B)

    # One entry for each kept item: its row, its column, and the token it becomes.
    row_X = torch.repeat_interleave(torch.arange(n_rows, device=device), kept_B)
    column_X = torch.arange(row_X.numel(), device=device) - (kept_B.cumsum(0) - kept_B)[row_X]
    token_X = first_B[row_X] + column_X
    n_tokens = sum(rows * width for rows, width in blocks)

    def at_tokens(value_X: Tensor, elsewhere: int = 0) -> Tensor:
        return value_X.new_full((n_tokens,), elsewhere).index_copy_(0, token_X, value_X)

    source_T = at_tokens((row_X * columns) + (length_B - kept_B)[row_X] + column_X)
    real_T = at_tokens(torch.ones_like(row_X)).bool()
    item_T = item_BW.flatten()[source_T] * real_T
    if padding == "encode":
        token_T = torch.arange(n_tokens, device=device)
        sequence_T, column_T = token_T // max_seq_len, token_T % max_seq_len
        position_T = column_T
        # The released program knows padding by item 0, and so hides masked items as well.
        real_T = item_T > 0
    else:
        sequence_T, column_T = at_tokens(row_X, -1), at_tokens(column_X)
        position_T = at_tokens((max_seq_len - kept_B)[row_X] + column_X)
    return TokenBatch(
        item_T=item_T,
        position_T=position_T,
        column_T=column_T,
        sequence_T=sequence_T,
        real_T=real_T,
        source_T=source_T,
        blocks=blocks,
        last_B=first_B + kept_B - 1,
        length_B=kept_B,
        padding=padding,
        event_T=None if event_BW is None else event_BW.flatten()[source_T] * real_T,
    )


def _by_width(length_B: Tensor) -> tuple[Tensor, Blocks]:
    """A row for each sequence, sorted by width: first token of each, int64 [B], and the blocks."""
    width_R, order_R = _length_buckets(length_B).sort(stable=True)
    first_B = torch.empty_like(order_R)
    first_B[order_R] = width_R.cumsum(0) - width_R
    widths, counts = torch.unique_consecutive(width_R, return_counts=True)
    return first_B, tuple(zip(counts.tolist(), widths.tolist(), strict=True))


def _length_buckets(length_B: Tensor) -> Tensor:
    """Lengths rounded up, exact to 6, then in steps of a fourth, never above the longest; on an accelerator, to it."""
    longest = int(length_B.max())
    if length_B.device.type != "cpu":
        return torch.full_like(length_B, longest)
    ladder = [*range(1, 7)]
    while ladder[-1] < longest:
        ladder.append(ladder[-1] + max(2, ladder[-1] // 4))
    width = torch.tensor(ladder)
    return width[torch.searchsorted(width, length_B)]


def _packed(length_B: Tensor) -> tuple[Tensor, Blocks]:
    """Rows that hold several sequences, for each of ``PACKED_WIDTHS``: first token of each, [B], and the blocks.

    The longest first, each into the row where the least room is left over.
    """
    lengths = length_B.tolist()
    first = [0] * len(lengths)
    classes: dict[int, list[int]] = {}
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        classes.setdefault(bisect_left(PACKED_WIDTHS, lengths[number]), []).append(number)
    blocks, begin = [], 0
    for numbers in classes.values():
        width, n_rows = lengths[numbers[-1]], 0
        room: list[tuple[int, int]] = []  # places left and the row, least first
        for number in reversed(numbers):
            at = bisect_left(room, (lengths[number], 0))
            left, row = room.pop(at) if at < len(room) else (width, n_rows)
            n_rows = max(n_rows, row + 1)
            first[number] = begin + (row + 1) * width - left
            if left > lengths[number]:
                insort(room, (left - lengths[number], row))
        blocks.append((n_rows, width))
        begin += n_rows * width
    return torch.tensor(first, device=length_B.device), tuple(blocks)


def shuffled(user_M: Tensor, batch_size: int, generator: torch.Generator, most: int | None = None) -> Iterator[Tensor]:
    """All users once, or ``most`` of them, in random order, ``batch_size`` at a time."""
    order = torch.randperm(user_M.numel(), generator=generator, device=user_M.device)
    yield from user_M[order[:most]].split(batch_size)


class NegativeSampler:
    """Uniform negatives that are none of the user's items, exactly and without rejection.

    The r-th item a user does not have is ``r`` plus the number of the user's items at or below it; with those
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
            item_N: int64 [N], item indices of the training log, 1 .. n_items.
            n_items: Size of the catalogue, V.
        """
        self._item_N = item_N
        counts_V = torch.bincount(item_N, minlength=n_items + 1)[1:]
        self._chance_V = 0.5 / n_items + 0.5 * counts_V / item_N.numel()

    def draw(self, n_draws: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Items (row 0 is item 1), int64 [n_draws], and how often each had to be expected, float [n_draws]."""
        device = self._item_N.device
        n_each = -(-n_draws // 2)
        uniform = torch.randint(self._chance_V.numel(), (n_draws // 2,), generator=generator, device=device)
        place = torch.randint(self._item_N.numel(), (n_each,), generator=generator, device=device)
        drawn_M = torch.cat([uniform, self._item_N[place] - 1])
        if n_draws % 2:  # a coin says how the odd one is drawn, so that half of all draws are uniform
            other = torch.randint(self._chance_V.numel(), (1,), generator=generator, device=device)
            heads = torch.rand(1, generator=generator, device=device) < 0.5
            drawn_M[-1:] = torch.where(heads, other, drawn_M[-1:])
        return drawn_M, n_draws * self._chance_V[drawn_M]
