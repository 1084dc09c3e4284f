"""Encoding of histories, in blocks of similar lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from elcrec.data.batches import Padding, TokenBatch, lay_out
from elcrec.data.histories import HistoryBatch
from elcrec.model.network import ELCRecNetwork
from elcrec.progress import step

LEAST_ROWS = 4
"""Fewer rows than this are filled up: matrix products of very few rows are rounded otherwise, and the
recommendations to a user must not depend on the other users of a batch."""
USER_ROWS = 1024
BEHAVIOUR_ROWS = 512


class EncodedHistories(NamedTuple):
    """Histories and the vectors to rank items with.

    Attributes:
        histories: Q histories.
        vector_QD: [Q, D], what the network encodes them to.
        user_QD: [Q, D], what items are ranked with: the same, unless some intents are left out of it.
    """

    histories: HistoryBatch
    vector_QD: Tensor
    user_QD: Tensor

    @classmethod
    def of(cls, network: ELCRecNetwork, histories: HistoryBatch) -> EncodedHistories:
        """Encoded by a network in evaluation mode."""
        vector_QD = user_vectors(network, histories)
        return cls(histories, vector_QD, vector_QD)

    def at(self, at_X: Tensor) -> EncodedHistories:
        """Those at some places, int64 [X]."""
        return EncodedHistories(self.histories.at(at_X), self.vector_QD[at_X], self.user_QD[at_X])


def user_vectors(network: ELCRecNetwork, histories: HistoryBatch) -> Tensor:
    """The vector each history is ranked with, [Q, D]; only real positions are encoded.

    What is known of the users is added to what the history gives.

    Args:
        network: In evaluation mode.
        histories: Q of them.
    """
    vector_QD, features = _encode(network, network.encode_users, histories, "skip", USER_ROWS), histories.user_features
    if network.of_users is None or features is None:
        return vector_QD
    return vector_QD + network.of_users.parts(features.padded(LEAST_ROWS))[: len(histories)]


def behaviour_embeddings(network: ELCRecNetwork, histories: HistoryBatch) -> Tensor:
    """What intents are assigned by, [Q, D], with the model's own padding.

    Args:
        network: In evaluation mode.
        histories: Q of them.
    """
    return _encode(network, network.encode_behaviour, histories, network.padding, BEHAVIOUR_ROWS)


@torch.no_grad()
def _encode(
    network: ELCRecNetwork,
    encode: Callable[[TokenBatch], Tensor],
    histories: HistoryBatch,
    padding: Padding,
    rows: int,
) -> Tensor:
    """One vector a history, float [Q, D]; ``encode`` gives those of a batch, in its caller's row order."""
    if not len(histories):
        return network.items_VD.new_zeros(0, network.items_VD.shape[1])
    encoded, places, max_seq_len, n_encoded = [], [], network.max_seq_len, 0
    with step("encoding histories", len(histories)) as done:
        for at_B, some in histories.shortest_first(rows):
            done(n_encoded)
            item_BW, length_B = some.items(limit=max_seq_len)
            event_BW = some.events_of_items(limit=max_seq_len)
            missing = max(0, LEAST_ROWS - len(at_B))
            item_BW = torch.cat([item_BW, item_BW[:1].expand(missing, -1)])
            event_BW = None if event_BW is None else torch.cat([event_BW, event_BW[:1].expand(missing, -1)])
            length_B = torch.cat([length_B, length_B.new_ones(missing)])
            encoded.append(encode(lay_out(item_BW, length_B, max_seq_len, padding, event_BW=event_BW))[: len(at_B)])
            places.append(at_B)
            n_encoded += len(at_B)
    sorted_QD = torch.cat(encoded).float()
    vector_QD = torch.empty_like(sorted_QD)
    vector_QD[torch.cat(places)] = sorted_QD
    return vector_QD
