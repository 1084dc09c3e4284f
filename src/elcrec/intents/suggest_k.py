"""Suggest the number of intents that the data support, by a sweep of k-means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.errors import SettingsError
from elcrec.intents.intent_health import effective_intents
from elcrec.intents.kmeans import spherical_kmeans

PRIORS = (10.0, 100.0, 1000.0)


def suggest_k(
    behaviour_QD: Tensor,
    histories: HistoryBatch,
    n_items: int,
    candidates: Sequence[int] | None,
    seed: int,
) -> pl.DataFrame:
    """How well intents alone tell the next item, for several numbers of them.

    Histories are clustered; each cluster's distribution over items is counted on its histories,
    ``P(i | k) = (n_ik + s P(i)) / (n_k + s)``, and evaluated on the item that followed each history. Too few
    clusters mix different users, too many have few users each to count, so the mean log likelihood has a maximum.

    Args:
        behaviour_QD: [Q, D], embeddings of histories.
        histories: Those before the items that followed, in main memory.
        n_items: V.
        candidates: Numbers to try; default: powers of 2 from 2 to a tenth of the histories, at most 1024.
        seed: Of k-means (one start each).

    Returns:
        ``n_intents``, ``gain`` (mean log likelihood above that of popularity, in nats), ``effective`` (of the
        clusters), ``suggested`` (true for the smallest number whose gain is within one standard error of the
        best one's); s is the best of 10, 100 and 1,000 for each number.

    Raises:
        SettingsError: A number that cannot be.
    """
    n_histories = len(histories)
    if candidates is None:
        top = min(1024, max(2, n_histories // 10))
        candidates = [2**power for power in range(1, 11) if 2**power <= top]
    if not candidates or min(candidates) < 2 or max(candidates) > n_histories:
        raise SettingsError(f"numbers of intents to try: from 2 to the number of histories, {n_histories:,}")
    start_Q = histories.start_Q.numpy()
    length_Q = histories.end_Q.numpy() - start_Q
    row_E = np.repeat(np.arange(n_histories), length_Q)
    within_E = np.arange(length_Q.sum()) - np.repeat(length_Q.cumsum() - length_Q, length_Q)
    item_E = histories.item_N.numpy()[start_Q[row_E] + within_E]
    next_Q = histories.target_Q.numpy().copy()
    popular_V = np.bincount(item_E, minlength=n_items + 1) + 1.0
    popular_V /= popular_V.sum()
    rows, gains = [], {}
    for n_intents in sorted(set(candidates)):
        cluster_Q = spherical_kmeans(behaviour_QD, n_intents, seed, restarts=1).numpy().copy()
        counts = csr_matrix((np.ones(len(item_E)), (cluster_Q[row_E], item_E)), shape=(n_intents, n_items + 1))
        seen_Q = np.asarray(counts[cluster_Q, next_Q]).ravel()
        size_Q = np.asarray(counts.sum(axis=1)).ravel()[cluster_Q]
        prior_Q = popular_V[next_Q]
        gain_SQ = [np.log((seen_Q + s * prior_Q) / (size_Q + s) / prior_Q) for s in PRIORS]
        gains[n_intents] = max(gain_SQ, key=np.mean)
        users_K = torch.bincount(torch.from_numpy(cluster_Q), minlength=n_intents)
        rows.append((n_intents, float(gains[n_intents].mean()), effective_intents(users_K)))
    best = max(gains, key=lambda n_intents: float(gains[n_intents].mean()))
    suggested = min(
        n_intents
        for n_intents, gain_Q in gains.items()
        if (gains[best] - gain_Q).mean() <= (gains[best] - gain_Q).std() / np.sqrt(n_histories)
    )
    frame = pl.DataFrame(rows, schema=["n_intents", "gain", "effective"], orient="row")
    return frame.with_columns(suggested=pl.col("n_intents") == suggested)
