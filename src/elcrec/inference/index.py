"""Approximate search for the best items of large catalogues; needs ``elcrec[search]``."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from elcrec.errors import RunError, SettingsError, decoding
from elcrec.model.encoding import EncodedHistories
from elcrec.storage import write_atomically

CELLS = 4
"""Cells of the index, times the root of the number of items."""
LEAST_PROBED = 8
RECALL = 0.995
SAMPLE_PER_CELL = 64
PASSES = 8
HISTORIES_AT_ONCE = 256


class ItemSearch(NamedTuple):
    """An index over the items' vectors: cells around k-means centroids, of which the nearest few are searched.

    Vectors are kept as they are, so that scores are exact and only items of cells not looked into can be missed.

    Source: inverted file with inner product (Jegou et al. 2011), as in faiss.

    Attributes:
        index: The faiss index; item index i at place i - 1.
        mark: Fingerprint of the vectors.
    """

    index: Any
    mark: str

    @classmethod
    def build(cls, items_VD: Tensor, user_QD: Tensor, k: int = 20) -> ItemSearch:
        """Index the vectors of items, and look into as many cells as it takes to find what users want.

        Args:
            items_VD: [V, D], item index 1 first.
            user_QD: [Q, D], a sample of users: of their k best items a share of ``RECALL`` has to be found.
            k: Best items of each.

        Raises:
            SettingsError: faiss is not installed.
        """
        faiss = _faiss()
        vectors = _vectors(items_VD)
        n_items, width = vectors.shape
        n_cells = max(1, min(int(CELLS * math.sqrt(n_items)), n_items // 32))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, n_cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.max_points_per_centroid = PASSES, SAMPLE_PER_CELL
        index.cp.min_points_per_centroid = 1  # with fewer faiss writes its own warning between our lines
        index.train(vectors)
        index.add(vectors)
        search = cls(index, _mark(vectors))
        index.nprobe = n_cells
        wanted_QK, _ = search.best(user_QD, k)
        index.nprobe = min(LEAST_PROBED, n_cells)
        while index.nprobe < n_cells and recall(wanted_QK, search.best(user_QD, k)[0]) < RECALL:
            index.nprobe = min(index.nprobe + max(1, index.nprobe // 4), n_cells)
        return search

    def best(self, user_QD: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Of each user vector, [Q, D], about the k best items, best first.

        Returns:
            Item indices int64 [Q, k], 0 where fewer were found, and scores [Q, k], -inf there.
        """
        score_QK, place_QK = self.index.search(_vectors(user_QD), min(k, self.index.ntotal))
        item_QK = torch.from_numpy(place_QK) + 1
        return item_QK, torch.from_numpy(score_QK).masked_fill_(item_QK == 0, -torch.inf)

    def write(self, path: Path) -> None:
        """Keep it, and before it the fingerprints of the vectors and of the index.

        Raises:
            RunError: It cannot be written.
        """
        faiss = _faiss()
        index = faiss.serialize_index(self.index)
        tail = np.frombuffer((self.mark + _mark(index)).encode(), dtype=np.uint8)
        content = np.concatenate([tail, index])
        write_atomically(path, lambda beside: content.tofile(beside))

    @classmethod
    def read(cls, path: Path, items_VD: Tensor) -> ItemSearch:
        """What :meth:`write` kept.

        Raises:
            RunError: It is damaged, or of other vectors.
            SettingsError: faiss is not installed.
        """
        faiss = _faiss()
        mark = _mark(_vectors(items_VD))
        remedy = f"make it again with elcrec index {path.parent}"
        with decoding(lambda reason: RunError(f"{path} cannot be read ({reason}): {remedy}")):
            content = np.fromfile(path, dtype=np.uint8)
        # faiss takes sizes from the file as they are: a damaged one may end the process, so it never sees one.
        index = content[2 * len(mark) :]
        if content[: 2 * len(mark)].tobytes() != (mark + _mark(index)).encode():
            raise RunError(f"{path} is damaged or of other weights: {remedy}")
        with decoding(lambda reason: RunError(f"{path} is of another faiss ({reason}): {remedy}")):
            return cls(faiss.deserialize_index(index), mark)


def look_up(search: ItemSearch, users: EncodedHistories, k: int, exclude_seen: bool) -> tuple[Tensor, Tensor]:
    """The best items by an index, without those seen where they are excluded.

    Args:
        search: The index.
        users: Q histories.
        k: Items a list.
        exclude_seen: Leave out what is in the history.

    Returns:
        As :meth:`elcrec.inference.scoring.Scorer.best_items`; 0 where the index found fewer.
    """
    histories, _, user_QD = users
    k = min(k, search.index.ntotal)
    item_QK, score_QK = torch.zeros(len(user_QD), k, dtype=torch.int64), torch.zeros(len(user_QD), k)
    for at_B, block in histories.shortest_first(HISTORIES_AT_ONCE):
        seen_BW, length_B = block.items()
        # Enough for k to be left without those seen.
        wanted = k + (int(length_B.max()) if exclude_seen else 0)
        item_BF, score_BF = search.best(user_QD[at_B], wanted)
        if exclude_seen:
            seen_BW = seen_BW.cpu().sort(dim=1).values
            place_BF = torch.searchsorted(seen_BW, item_BF).clamp(max=seen_BW.shape[1] - 1)
            score_BF.masked_fill_(seen_BW.gather(1, place_BF) == item_BF, -torch.inf)
        score_QK[at_B.cpu()], best_BK = score_BF.topk(k, dim=1)
        item_QK[at_B.cpu()] = item_BF.gather(1, best_BK)
    return item_QK * (score_QK > -torch.inf), score_QK


def recall(wanted_QK: Tensor, found_QK: Tensor) -> float:
    """Share of the items wanted that were found, 0 to 1; item 0 is none, and of none nothing is missed."""
    hit_QK = (wanted_QK[:, :, None] == found_QK[:, None, :]).any(dim=2)
    hit_X = hit_QK[wanted_QK > 0].double()
    return hit_X.mean().item() if len(hit_X) else 1.0


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise SettingsError("approximate search needs faiss: pip install 'elcrec[search]'") from error
    faiss.omp_set_num_threads(torch.get_num_threads())
    return faiss


def _vectors(tensor_XD: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ascontiguousarray(tensor_XD.detach().cpu().numpy(), dtype=np.float32)


def _mark(content: np.ndarray[Any, Any]) -> str:
    return hashlib.blake2b(content.data, digest_size=16).hexdigest()
