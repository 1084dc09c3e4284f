"""Spherical k-means: the baseline for learned intents."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.progress import step

ROWS = 65536


def spherical_kmeans(x_ND: Tensor, n_clusters: int, seed: int, restarts: int = 5, iterations: int = 25) -> Tensor:
    """Cluster numbers of rows by cosine: int64 [N], in 0 .. n_clusters - 1.

    Centroids begin at random rows; an empty cluster begins again at a random row; of the restarts the one with
    the largest mean cosine is kept.

    Source: Dhillon and Modha 2001.
    """
    unit_ND = F.normalize(x_ND, dim=-1)
    generator = torch.Generator().manual_seed(seed)
    best = (-float("inf"), torch.zeros(len(x_ND), dtype=torch.int64))
    with step(f"k-means with {n_clusters} clusters", restarts) as done:
        for number in range(restarts):
            done(number)
            center_KD = unit_ND[torch.randperm(len(unit_ND), generator=generator)[:n_clusters]]
            for _ in range(iterations):
                _, cluster_N = _closest(unit_ND, center_KD)
                sum_KD = torch.zeros_like(center_KD).index_add_(0, cluster_N, unit_ND)
                again_KD = unit_ND[torch.randint(len(unit_ND), (len(center_KD),), generator=generator)]
                empty_K = torch.bincount(cluster_N, minlength=len(center_KD)) == 0
                center_KD = torch.where(empty_K[:, None], again_KD, F.normalize(sum_KD, dim=-1))
            cosine_N, cluster_N = _closest(unit_ND, center_KD)
            best = max(best, (cosine_N.mean().item(), cluster_N), key=lambda found: found[0])
    return best[1]


def _closest(unit_ND: Tensor, center_KD: Tensor) -> tuple[Tensor, Tensor]:
    parts = [(rows @ center_KD.T).max(dim=1) for rows in unit_ND.split(ROWS)]
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])
