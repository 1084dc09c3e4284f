"""Histories through the encoder, a block of similar lengths at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from elcrec.data.batches import Padding, TokenBatch, histories, lay_out

LEAST_ROWS = 4
"""Fewer rows than this are filled up: matrix products of very few rows are rounded otherwise, and what somebody is
recommended must not depend on who else is asked about."""


@torch.no_grad()
def encode_histories(
    encode: Callable[[TokenBatch], Tensor],
    item_N: Tensor,
    start_Q: Tensor,
    end_Q: Tensor,
    max_seq_len: int,
    padding: Padding,
    block_rows: int,
) -> Tensor:
    """One vector a history.

    Args:
        encode: Gives the vectors of a batch, [B, D], in its caller's row order.
        item_N: int64 [N], the log.
        start_Q: int64 [Q], first position of each history; Q >= 1.
        end_Q: int64 [Q], position after its last.
        max_seq_len: Newest items read.
        padding: How the tokens are laid out.
        block_rows: Histories encoded at once.

    Returns:
        float [Q, D].
    """
    order_Q = (end_Q - start_Q).argsort(stable=True)
    encoded = []
    for at_B in order_Q.split(block_rows):
        item_BW, length_B = histories(item_N, start_Q[at_B], end_Q[at_B], limit=max_seq_len)
        missing = max(0, LEAST_ROWS - len(at_B))
        item_BW = torch.cat([item_BW, item_BW[:1].expand(missing, -1)])
        length_B = torch.cat([length_B, length_B.new_ones(missing)])
        encoded.append(encode(lay_out(item_BW, length_B, max_seq_len, padding))[: len(at_B)])
    sorted_QD = torch.cat(encoded).float()
    vector_QD = torch.empty_like(sorted_QD)
    vector_QD[order_Q] = sorted_QD
    return vector_QD
