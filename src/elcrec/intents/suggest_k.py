"""Suggest the number of intents that the data support, by a sweep of k-means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy  # which loads scipy.sparse when it is first used
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.ids import as_list
from elcrec.data.numbers import is_whole
from elcrec.data.vocabulary import Indices
from elcrec.errors import SettingsError
from elcrec.intents.intent_health import effective_intents
from elcrec.intents.kmeans import spherical_kmeans

PRIORS = (10.0, 100.0, 1000.0)
MOST_TRIED = 1024
Floats = npt.NDArray[np.float64]


def suggest_k(
    behaviour_QD: Tensor,
    histories: HistoryBatch,
    n_items: int,
    candidates: Sequence[int] | None,
    seed: int,
    also: int | None = None,
) -> pl.DataFrame:
    """How well intents alone tell the next item, for several numbers of them.

    Histories are clustered; each cluster's distribution over items is counted on its histories,
    ``P(i | k) = (n_ik + s P(i)) / (n_k + s)``, and evaluated on the item that followed each history. Too few
    clusters mix different users, too many have few users each to count, so the mean log likelihood has a maximum.

    Args:
        behaviour_QD: [Q, D], embeddings of histories.
        histories: Those before the items that followed, in main memory.
        n_items: V.
        candidates: Numbers to try; default: powers of 2 from 2 to a tenth of the histories, at most 1024, then
            three numbers on each side of the one that these suggest.
        seed: Of k-means (one start each).
        also: A number that is tried by default, too, where there are as many histories.

    Returns:
        ``n_intents``, ``gain`` (mean log likelihood above that of popularity, in nats), ``effective`` (of the
        clusters), ``suggested`` (true for the smallest number whose gain is within one standard error of the
        best one's); s is the best of 10, 100 and 1,000 for each number.

    Raises:
        SettingsError: A number that cannot be.
    """
    log = _Events.of(histories, n_items)
    rows: list[tuple[int, float, float]] = []
    gains: dict[int, Floats] = {}

    def try_numbers(numbers: Iterable[int]) -> None:
        for n_clusters in sorted(set(numbers) - gains.keys()):
            cluster_Q = spherical_kmeans(behaviour_QD, n_clusters, seed, restarts=1).numpy().copy()
            gains[n_clusters] = log.gain(cluster_Q, n_clusters)
            users_K = torch.bincount(torch.from_numpy(cluster_Q), minlength=n_clusters)
            rows.append((n_clusters, float(gains[n_clusters].mean()), effective_intents(users_K)))

    try_numbers(_numbers_to_try(candidates, len(histories)))
    if candidates is None:
        try_numbers(number for number in _around(_smallest_as_good(gains)) if number <= _most(len(histories)))
        try_numbers([also] if also is not None and 2 <= also <= len(histories) else [])
    frame = pl.DataFrame(rows, schema=["n_intents", "gain", "effective"], orient="row").sort("n_intents")
    return frame.with_columns(suggested=pl.col("n_intents") == _smallest_as_good(gains))


def _most(n_histories: int) -> int:
    return min(MOST_TRIED, max(2, n_histories // 10))


def _numbers_to_try(candidates: Sequence[int] | None, n_histories: int) -> Sequence[int]:
    if candidates is None:
        candidates = [2**power for power in range(1, _most(n_histories).bit_length())]
    numbers = as_list("candidates", candidates)
    if not numbers or not all(is_whole(number) and 2 <= number <= n_histories for number in numbers):
        raise SettingsError(f"numbers of intents to try: from 2 to the number of histories, {n_histories:,}")
    return [int(number) for number in numbers]


def _around(number: int) -> set[int]:
    """Three numbers on each side of one, as far as its half and its double."""
    return {max(2, round(number * 2 ** (step / 4))) for step in (-3, -2, -1, 1, 2, 3)}


def _smallest_as_good(gains: dict[int, Floats]) -> int:
    """The smallest number whose gain is within one standard error of the best one's."""
    best_Q = max(gains.values(), key=np.mean)
    return min(
        number
        for number, gain_Q in gains.items()
        if (best_Q - gain_Q).mean() <= (best_Q - gain_Q).std() / np.sqrt(len(gain_Q))
    )


@dataclass(frozen=True)
class _Events:
    """The events of histories, and the item that followed each history.

    Attributes:
        row_E: int64 [E], the history of each event.
        item_E: int64 [E], its item.
        next_Q: int64 [Q], the item that followed.
        popularity_V: [V + 1], ``P(i)``, each item counted once more than it occurs.
    """

    row_E: Indices
    item_E: Indices
    next_Q: Indices
    popularity_V: Floats

    @classmethod
    def of(cls, histories: HistoryBatch, n_items: int) -> _Events:
        start_Q = histories.start_Q.numpy()
        length_Q = histories.end_Q.numpy() - start_Q
        row_E = np.repeat(np.arange(len(histories)), length_Q)
        within_E = np.arange(length_Q.sum()) - np.repeat(length_Q.cumsum() - length_Q, length_Q)
        item_E = histories.item_N.numpy()[start_Q[row_E] + within_E]
        count_V = np.bincount(item_E, minlength=n_items + 1) + 1.0
        # A copy: SciPy takes no memory of PyTorch's as an index.
        return cls(row_E, item_E, histories.target_Q.numpy().copy(), count_V / count_V.sum())

    def gain(self, cluster_Q: Indices, n_clusters: int) -> Floats:
        """Log likelihood of each next item by its history's cluster, above that of popularity: [Q], by the best s."""
        shape = (n_clusters, len(self.popularity_V))
        counts = scipy.sparse.csr_matrix((np.ones(len(self.item_E)), (cluster_Q[self.row_E], self.item_E)), shape=shape)
        seen_Q = np.asarray(counts[cluster_Q, self.next_Q]).ravel()
        size_Q = np.asarray(counts.sum(axis=1)).ravel()[cluster_Q]
        prior_Q = self.popularity_V[self.next_Q]
        gain_SQ: list[Floats] = [np.log((seen_Q + s * prior_Q) / (size_Q + s) / prior_Q) for s in PRIORS]
        return max(gain_SQ, key=np.mean)
