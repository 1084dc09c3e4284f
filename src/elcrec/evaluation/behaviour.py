"""Behaviour embeddings of histories: what intents are assigned by."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.batches import histories, lay_out
from elcrec.model.network import ELCRecNetwork

ENCODE_ROWS = 512


@torch.no_grad()
def behaviours(network: ELCRecNetwork, item_N: Tensor, start_Q: Tensor, end_Q: Tensor, settings: Settings) -> Tensor:
    """Behaviour embeddings of histories, [Q, D], by the recipe's own padding; the network in evaluation mode."""
    order_Q = (end_Q - start_Q).argsort(stable=True)
    encoded = []
    for at_B in order_Q.split(ENCODE_ROWS):
        item_BW, length_B = histories(item_N, start_Q[at_B], end_Q[at_B], settings.max_seq_len)
        encoded.append(network.encode_behaviour(lay_out(item_BW, length_B, settings.max_seq_len, settings.padding)))
    behaviour_QD = torch.empty(order_Q.numel(), settings.embedding_dim, device=item_N.device)
    behaviour_QD[order_Q] = torch.cat(encoded)
    return behaviour_QD
