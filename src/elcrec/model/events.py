"""Embeddings of what is known of the events of a history."""

from __future__ import annotations

from torch import Tensor, nn

from elcrec.data.event_codes import N_GAPS, gaps_in, kinds_in


class EventEmbedding(nn.Module):
    """The sum of an embedding of an event's kind and one of the time since the event before it.

    Codes: :mod:`elcrec.data.event_codes`. What is not known has an embedding, too.
    """

    def __init__(self, n_kinds: int, gaps: bool, embedding_dim: int) -> None:
        """Fresh weights.

        Args:
            n_kinds: Kinds that have an embedding; 0: kinds are not read.
            gaps: Whether times between events are read.
            embedding_dim: Width, D.
        """
        super().__init__()
        self.kind = nn.Embedding(n_kinds + 1, embedding_dim) if n_kinds else None
        self.gap = nn.Embedding(N_GAPS, embedding_dim) if gaps else None

    def forward(self, event_T: Tensor, x_TD: Tensor) -> Tensor:
        """``x_TD`` and, added to it, the embeddings of codes: int64 [T]."""
        if self.kind is not None:
            x_TD = x_TD + self.kind(kinds_in(event_T))
        if self.gap is not None:
            x_TD = x_TD + self.gap(gaps_in(event_T))
        return x_TD
