"""The behaviour encoder: a SASRec-style causal transformer over tokens laid end to end.

Source: ELCRec section 4.1; SASRec (arXiv 1808.09781) with the released program's details: post-LayerNorm with
eps 1e-12, exact GELU, feed-forward width 4D, dropout on embeddings, attention and sublayers, weights from
N(0, .02), biases 0.

Shape suffixes: T tokens of the batch, B sequences, D width, H heads, R rows and W width of one block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elcrec.data.batches import Blocks, TokenBatch
from elcrec.model.dropout import Dropout
from elcrec.model.events import EventEmbedding
from elcrec.model.features import FeatureEmbedding
from elcrec.model.item_table import ItemTable

NORM_EPS = 1e-12
RELEASED_MASK = -10000.0
# Keeps the [tokens, 4D] buffers below 32 MB, above which the C allocator gives their pages back each step.
FEED_TOKENS = 12800


class Encoder(Protocol):
    """What the network, the objective and the export ask of an encoder."""

    @property
    def item_table(self) -> ItemTable:
        """The items' vectors."""

    def __call__(self, batch: TokenBatch, newest_only: bool = False, table: Tensor | None = None) -> Tensor:
        """Hidden vectors of all tokens, [T, D], or of each sequence's newest, [B, D]."""


class SequenceEncoder(nn.Module):
    """The :class:`Encoder` of both recipes: tokens in, one hidden vector per token out."""

    # reason: plain sizes, so that model/ knows no settings
    def __init__(
        self,
        n_item_rows: int | None,
        max_seq_len: int,
        embedding_dim: int,
        n_layers: int,
        n_heads: int,
        dropout: float,
        train_row_0: bool = True,
        filter_width: int = 0,
        events: EventEmbedding | None = None,
        of_features: FeatureEmbedding | None = None,
    ) -> None:
        """Build with fresh weights.

        Args:
            n_item_rows: Rows of the item table: padding row 0, the items, and what the recipe adds; None: it has no
                table of its own and is always given one (in an :class:`EncoderEnsemble`).
            max_seq_len: Number of positions, L.
            embedding_dim: Width, D.
            n_layers: Transformer layers.
            n_heads: Attention heads; divides D.
            dropout: 0 to 1.
            train_row_0: Whether item row 0 is trained, as a mask token. In the released
                program it stays the random noise it began as, and is added at padded positions.
            filter_width: Of each layer's :class:`CausalConvolution`; 0: none.
            events: Embeddings of what is known of events; None: they are not read.
            of_features: Embeddings of item features; None: they are not read.
        """
        super().__init__()
        self.events = events
        self.item_embedding = (
            None if n_item_rows is None else ItemTable(n_item_rows, embedding_dim, train_row_0, of_features)
        )
        self.padding_idx = None if train_row_0 else 0
        self.position_embedding = nn.Embedding(max_seq_len, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(embedding_dim, n_heads, dropout, filter_width) for _ in range(n_layers)
        )
        self.apply(_initialise)

    @property
    def item_table(self) -> ItemTable:
        """See :class:`Encoder`.

        Raises:
            ValueError: It has none of its own.
        """
        if self.item_embedding is None:
            raise ValueError("this encoder has no item table of its own")
        return self.item_embedding

    def forward(self, batch: TokenBatch, newest_only: bool = False, table: Tensor | None = None) -> Tensor:
        """Hidden vectors of all tokens, or of each sequence's newest.

        Args:
            batch: Tokens; see :class:`elcrec.data.batches.TokenBatch`.
            newest_only: Give only the newest token's vector, and compute only what it needs.
            table: The items' vectors to look up, [rows, D]; default: those of the item table.

        Returns:
            [T, D], or [B, D] in the caller's row order with ``newest_only``. At tokens that are not real: with
            padding ``encode`` what the released program has there, with ``skip`` nothing of use.
        """
        table = self.item_table.vectors() if table is None else table
        x_TD: Tensor = F.embedding(batch.item_T, table, self.padding_idx)
        x_TD = x_TD + self.position_embedding(batch.position_T)
        if self.events is not None:
            x_TD = self.events(torch.zeros_like(batch.item_T) if batch.event_T is None else batch.event_T, x_TD)
        x_TD = self.dropout(self.norm(x_TD))
        masks = attention_masks(batch)
        for number, layer in enumerate(self.layers, start=1):
            kept_B = batch.last_B if newest_only and number == len(self.layers) else None
            x_TD = layer(x_TD, batch, masks, kept_B)
        return x_TD


class EncoderEnsemble(nn.Module):
    """Encoders side by side, each with its own part of the items' vectors; a score is the mean of theirs.

    What averaging the scores of N models gives, in one: each is trained by its own next-item loss on the same batches,
    and they share no weights. Intent centres and repeat scores read the vectors of all. Hidden vectors are the
    members' next to each other, divided by N, so that their product with the items' vectors is the mean of the
    members' scores.

    Attributes:
        members: N encoders of width D / N, without item tables of their own.
    """

    def __init__(self, item_table: ItemTable, members: Sequence[SequenceEncoder]) -> None:
        """The weights of the table are drawn again, as those of a :class:`SequenceEncoder`'s.

        Args:
            item_table: Of width D.
            members: The encoders.
        """
        super().__init__()
        self.item_embedding = item_table
        _initialise(item_table)
        self.members = nn.ModuleList(members)

    @property
    def item_table(self) -> ItemTable:
        """See :class:`Encoder`."""
        return self.item_embedding

    def forward(self, batch: TokenBatch, newest_only: bool = False, table: Tensor | None = None) -> Tensor:
        """See :meth:`SequenceEncoder.forward`."""
        table = self.item_table.vectors() if table is None else table
        parts = table.chunk(len(self.members), dim=1)
        hidden = [
            member(batch, newest_only, part_VD.contiguous())
            for member, part_VD in zip(self.members, parts, strict=True)
        ]
        return torch.cat(hidden, dim=1) / len(hidden)


class CausalConvolution(nn.Module):
    """A filter along the sequence, one a channel: ``y_t = sum_j w_j * x_(t-j)`` over the newest items j = 0, 1, ...

    Attention has to learn that the last few items matter most; here it is built in, as in BSARec (arXiv 2312.10325),
    whose filter is a Fourier one over the whole padded history. This one never looks ahead: all positions can learn.
    """

    def __init__(self, width: int, embedding_dim: int) -> None:
        """All weights 0: a layer begins with attention alone."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, embedding_dim))

    def forward(self, x_TD: Tensor, column_T: Tensor) -> Tensor:
        """[T, D] in and out; ``column_T``, int64 [T], is each token's place in its row, from 0."""
        y_TD = x_TD * self.weight[0]
        for age in range(1, min(self.weight.shape[0], x_TD.shape[0])):
            same_row = (column_T[age:] >= age)[:, None].to(x_TD.dtype)
            y_TD = y_TD + F.pad(x_TD[:-age] * same_row * self.weight[age], (0, 0, age, 0))
        return y_TD


class EncoderLayer(nn.Module):
    """Attention plus a causal convolution, then feed-forward; each with dropout, residual and LayerNorm."""

    def __init__(self, embedding_dim: int, n_heads: int, dropout: float, filter_width: int = 0) -> None:
        """See :class:`SequenceEncoder`."""
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(embedding_dim, 3 * embedding_dim)
        self.attention_out = nn.Linear(embedding_dim, embedding_dim)
        self.attention_norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.widen = nn.Linear(embedding_dim, 4 * embedding_dim)
        self.narrow = nn.Linear(4 * embedding_dim, embedding_dim)
        self.output_norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.dropout = Dropout(dropout)
        self.filter = CausalConvolution(filter_width, embedding_dim) if filter_width else None

    def forward(self, x_TD: Tensor, batch: TokenBatch, masks: list[Tensor], kept_B: Tensor | None = None) -> Tensor:
        """[T, D] in and out; only tokens ``kept_B`` out, if given: all feed the attention, only those go on."""
        mixed_TD = self._attend(self.qkv(x_TD), batch.blocks, masks)
        filtered_TD = self.filter(x_TD, batch.column_T) if self.filter is not None else None
        if kept_B is not None:
            mixed_TD, x_TD = mixed_TD[kept_B], x_TD[kept_B]
            filtered_TD = filtered_TD[kept_B] if filtered_TD is not None else None
        mixed_TD = self.attention_out(mixed_TD)
        mixed_TD = self.dropout(mixed_TD if filtered_TD is None else mixed_TD + filtered_TD)
        x_TD = self.attention_norm(mixed_TD + x_TD)
        fed_TD = torch.cat([self.narrow(F.gelu(self.widen(part_CD))) for part_CD in x_TD.split(FEED_TOKENS)])
        x_TD = self.output_norm(self.dropout(fed_TD) + x_TD)
        return x_TD

    def _attend(self, qkv_T3D: Tensor, blocks: Blocks, masks: list[Tensor]) -> Tensor:
        out = []
        for block, (rows, width), mask in zip(_blocks(qkv_T3D, blocks), blocks, masks, strict=True):
            # One matrix a head and row, read where it lies: [R, W, D/H] each, queries first, then keys and values.
            parts = block.view(rows, width, 3 * self.n_heads, -1).unbind(dim=2)
            n_heads, mixed = self.n_heads, []
            for q_RWd, k_RWd, v_RWd in zip(
                parts[:n_heads], parts[n_heads : 2 * n_heads], parts[2 * n_heads :], strict=True
            ):
                scale = 1 / math.sqrt(q_RWd.shape[-1])
                score_RWW = torch.baddbmm(mask, q_RWd, k_RWd.transpose(1, 2), alpha=scale)
                mixed.append(self.dropout(score_RWW.softmax(dim=-1)) @ v_RWd)
            out.append(torch.cat(mixed, dim=-1).view(rows * width, -1))
        return out[0] if len(out) == 1 else torch.cat(out)


def attention_masks(batch: TokenBatch) -> list[Tensor]:
    """What is added to the scores of each block.

    With padding ``skip``: -inf for future keys and those of another sequence; a token of none sees others of none.
    With ``encode``: the released program's -10000 for future and padded keys, so that a padded query, all of
    whose keys get the same, attends to all of them.

    Returns:
        [rows, width, width] each.
    """
    skip, masks = batch.padding == "skip", []
    for (rows, width), of_T in zip(
        batch.blocks, _blocks(batch.sequence_T if skip else batch.real_T, batch.blocks), strict=True
    ):
        of_RW = of_T.view(rows, width)
        other_RWW = of_RW[:, None, :] != of_RW[:, :, None] if skip else ~of_RW[:, None, :]
        hidden_RWW = other_RWW | torch.ones(width, width, dtype=torch.bool, device=of_T.device).triu(1)
        if not skip and torch.is_autocast_enabled(of_T.device.type):
            # The same number at every key changes no share, but added in bfloat16 it would round the scores away.
            hidden_RWW &= ~hidden_RWW.all(dim=2, keepdim=True)
        masks.append(torch.zeros(rows, width, width, device=of_T.device))
        masks[-1].masked_fill_(hidden_RWW, float("-inf") if skip else RELEASED_MASK)
    return masks


def pool(hidden_TD: Tensor, batch: TokenBatch, recency: float = 1.0) -> Tensor:
    """The behaviour embedding: weighted mean over real positions, or with padding ``encode`` plain mean over all L.

    ``h = sum_t r^(n-1-t) h_t / sum_t r^(n-1-t)`` over the n real positions t = 0 .. n-1.

    Source: released ELCRec takes the plain mean over all positions (the paper's text says concatenation).

    Args:
        hidden_TD: [T, D].
        batch: The tokens, of B sequences.
        recency: r, 0 < r <= 1: what a position weighs against the one after it; 1 is the plain mean.

    Returns:
        [B, D], in the caller's row order.
    """
    n_sequences = len(batch.length_B)
    if batch.padding == "encode":
        return hidden_TD.view(n_sequences, -1, hidden_TD.shape[1]).mean(dim=1)
    at_X = torch.nonzero(batch.sequence_T >= 0).flatten()
    sequence_X = batch.sequence_T[at_X]
    weight_X = recency ** (batch.length_B[sequence_X] - 1 - batch.column_T[at_X]).to(hidden_TD.dtype)
    total_B = weight_X.new_zeros(n_sequences).index_add(0, sequence_X, weight_X)
    weighted_XD = hidden_TD[at_X] * (weight_X / total_B[sequence_X])[:, None]
    return hidden_TD.new_zeros(n_sequences, hidden_TD.shape[1]).index_add(0, sequence_X, weighted_XD)


def _blocks(x_TD: Tensor, blocks: Blocks) -> tuple[Tensor, ...]:
    """The tokens of each block; split at once, because the gradient of a slice is as large as what it is cut from."""
    if len(blocks) == 1:  # nothing to cut, and no gradient to put together
        return (x_TD,)
    parts: tuple[Tensor, ...] = x_TD.split([rows * width for rows, width in blocks])
    return parts


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
