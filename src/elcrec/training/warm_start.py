"""Warm start: a trained network for a vocabulary with new items."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.dataset import Dataset
from elcrec.data.neighbours import neighbour_matrix
from elcrec.data.splits import Split
from elcrec.model.network import ELCRecNetwork

TABLE = "encoder.item_embedding.weight"
REPEATS = "repeats.of_item.weight"


@torch.no_grad()
def extend_vocabulary(
    network: ELCRecNetwork, settings: Settings, before_V: Tensor, split: Split, dataset: Dataset | None = None
) -> ELCRecNetwork:
    """The same network with another catalogue: known items keep their vectors, everything else its weights.

    A new item starts as the sum of the vectors of its neighbours in training histories, weighed as in
    :func:`elcrec.data.neighbours.neighbour_matrix`: what embedding propagation gives an item without a vector of its
    own. To that comes what its features give it. An item without neighbours and features keeps a fresh draw from
    torch's global generator.

    Args:
        network: Trained; its table as after training.
        settings: Its settings.
        before_V: int64 [V], for each item of the new catalogue its index in the old one; -1: new.
        split: The log of the new catalogue, on the network's device, with the features of its items.
        dataset: How features of items and users are numbered; None where the network knows none.

    Returns:
        Another network; the first is as it was.
    """
    weights = network.state_dict()
    old = weights[TABLE]
    spaces = () if dataset is None else (dataset.features, dataset.user_features)
    larger = ELCRecNetwork(settings, len(before_V), *spaces).to(old.device)
    table = larger.item_table.weight.detach().clone()
    known_V = before_V >= 0
    rows = torch.cat([known_V.new_zeros(1), ~known_V, known_V.new_zeros(len(table) - len(known_V) - 1)])
    table[0], table[1 + len(known_V) :] = old[0], old[1 + network.n_items :]
    table[1 : 1 + len(known_V)][known_V] = old[before_V[known_V]]
    near = neighbour_matrix(split, len(table)) @ table.masked_fill(rows[:, None], 0.0)
    met = rows & (near != 0).any(dim=1)
    table[met] = near[met]
    if split.features is not None and network.item_table.of_features is not None:
        own = network.item_table.of_features.parts(split.features.padded(len(table)))
        known = rows & (own != 0).any(dim=1)
        table[known] = own[known] + near[known]
    weights = {**weights, TABLE: table}
    if REPEATS in weights:  # a new item begins with what repeat scores have for all
        of_item = torch.zeros(len(table), weights[REPEATS].shape[1], device=table.device)
        of_item[1 : 1 + len(known_V)][known_V] = weights[REPEATS][before_V[known_V]]
        weights[REPEATS] = of_item
    larger.load_state_dict(weights)
    return larger
