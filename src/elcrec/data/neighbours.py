"""The item graph: items that are neighbours in training histories."""

from __future__ import annotations

import warnings

import numpy as np
import scipy  # which loads scipy.sparse when it is first used
import torch
from torch import Tensor

from elcrec.data.splits import Split


def followers(split: Split, n_items: int, gap: int = 1) -> scipy.sparse.csr_array:
    """How often item v came ``gap`` places after item u in the training part: [V + 1, V + 1], row u, column v."""
    item_N, user_N = split.item_N.cpu().numpy(), split.user_N.cpu().numpy()
    learnt_N = split.before(split.train_end_U).cpu().numpy()
    same = (user_N[:-gap] == user_N[gap:]) & learnt_N[gap:]
    ends = (item_N[:-gap][same], item_N[gap:][same])
    return scipy.sparse.coo_array((np.ones(same.sum()), ends), shape=(n_items + 1, n_items + 1)).tocsr()


def neighbour_matrix(split: Split, n_rows: int) -> Tensor:
    """How near items are: ``A_uv = n_uv / sqrt(n_u n_v)``, n_uv how often u and v stood side by side.

    Args:
        split: The log.
        n_rows: Rows of the item table, more than the highest item index.

    Returns:
        Symmetric, sparse (CSR) float [n_rows, n_rows] on the split's device; entries in [0, 1], row 0 empty.

    Source: the propagation matrix of LightGCN (arXiv 2002.02126) on the graph of consecutive items.
    """
    forward = followers(split, n_rows - 1)
    pairs = (forward + forward.T).tocsr()
    scale = scipy.sparse.diags_array(1 / np.sqrt(np.maximum(pairs.sum(axis=1), 1)))
    near = (scale @ pairs @ scale).tocsr()
    near.sort_indices()
    parts = (torch.from_numpy(near.indptr), torch.from_numpy(near.indices), torch.from_numpy(near.data).float())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*parts, near.shape, check_invariants=True).to(split.item_N.device)
