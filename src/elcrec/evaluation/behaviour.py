"""Behaviour embeddings of histories: what intents are assigned by."""

from __future__ import annotations

from torch import Tensor

from elcrec.config import Settings
from elcrec.evaluation.encoding import encode_histories
from elcrec.model.network import ELCRecNetwork

ENCODE_ROWS = 512


def behaviours(network: ELCRecNetwork, item_N: Tensor, start_Q: Tensor, end_Q: Tensor, settings: Settings) -> Tensor:
    """Behaviour embeddings of histories, [Q, D], by the recipe's own padding; the network in evaluation mode."""
    length, padding = settings.max_seq_len, settings.padding
    return encode_histories(network.encode_behaviour, item_N, start_Q, end_Q, length, padding, ENCODE_ROWS)
