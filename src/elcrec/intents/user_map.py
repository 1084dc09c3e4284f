"""Users as dots on a plane, near each other where their behaviour is similar (t-SNE)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.progress import step

LANDMARKS = 800
NEIGHBOURS = 3
PERPLEXITY = 30
MOVES = 300
ROWS = 4096

Points = npt.NDArray[np.float64]


def user_map(behaviour_UD: Tensor, seed: int) -> Points:
    """Places in the unit square: [U, 2], 0 to 1.

    t-SNE of at most 800 users, for its time grows fast with their number; the others lie amid their three
    nearest of these, by cosine, a little scattered so that they do not hide one another.

    Args:
        behaviour_UD: [U, D], behaviour embeddings.
        seed: Of the sample, of t-SNE and of the scattering.

    Source: van der Maaten and Hinton 2008 (t-SNE).
    """
    unit_UD = F.normalize(behaviour_UD, dim=-1)
    generator = np.random.default_rng(seed)
    landmarks = np.sort(generator.permutation(len(unit_UD))[:LANDMARKS])
    with step("placing users on the map"):
        placed_L2 = _placed(unit_UD[torch.from_numpy(landmarks)].numpy(), seed)
    spread = 0.5 * np.median(_nearest_distance(placed_L2)) if len(placed_L2) > 1 else 0.0
    landmark_LD = unit_UD[torch.from_numpy(landmarks)]
    parts = []
    for unit_BD in unit_UD.split(ROWS):
        cosine, near = (unit_BD @ landmark_LD.T).topk(min(NEIGHBOURS, len(landmarks)), dim=1)
        weight = ((cosine - cosine[:, :1]) / 0.05).exp()
        weight = weight / weight.sum(dim=1, keepdim=True)
        parts.append((placed_L2[near.numpy()] * weight.numpy()[:, :, None]).sum(axis=1))
    point_U2 = np.concatenate(parts)
    point_U2 += generator.normal(0, 1, point_U2.shape) * spread
    point_U2[landmarks] = placed_L2
    low, high = point_U2.min(axis=0), point_U2.max(axis=0)
    scaled: Points = 0.01 + 0.98 * (point_U2 - low) / np.maximum(high - low, 1e-9)
    return scaled


def _placed(unit_LD: npt.NDArray[np.float32], seed: int) -> Points:
    from sklearn.decomposition import PCA  # takes over a second to import
    from sklearn.manifold import TSNE

    width = min(2, *unit_LD.shape)
    # Identical rows (collapsed embeddings) have no direction of largest variance: a trace of noise gives them one.
    noise = np.random.default_rng(seed).normal(0, 1e-6, unit_LD.shape)
    start = np.pad(PCA(width).fit_transform(unit_LD + noise), ((0, 0), (0, 2 - width))) if len(unit_LD) > 1 else None
    if start is None or len(unit_LD) < 3 * NEIGHBOURS:  # too few for t-SNE
        return np.zeros((len(unit_LD), 2)) if start is None else np.asarray(start, dtype=np.float64)
    start = start / max(start[:, 0].std(), 1e-9) * 1e-4
    perplexity = min(PERPLEXITY, (len(unit_LD) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init=start.astype(np.float32), max_iter=MOVES, random_state=seed)
    return np.asarray(tsne.fit_transform(unit_LD), dtype=np.float64)


def _nearest_distance(point_L2: Points) -> Points:
    x = torch.from_numpy(point_L2)
    distance: Points = torch.cdist(x, x).fill_diagonal_(float("inf")).min(dim=1).values.numpy()
    return distance
