"""Cluster quality: agreement of intents with the next item, cluster shape, and stability over trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.intents.kmeans import spherical_kmeans

SILHOUETTE_USERS = 5000
PRIORS = (10.0, 100.0, 1000.0, 10000.0)


def intent_quality(
    behaviour_QD: Tensor, unit_KD: Tensor, next_Q: Tensor, label_V: Tensor | None, seed: int
) -> dict[str, Any]:
    """Measures of the intents, of k-means with as many clusters on the same embeddings, and of chance.

    Chance is the learned intents shuffled among the users.

    Args:
        behaviour_QD: [Q, D], embeddings of histories.
        unit_KD: [K, D], the intents' unit centres.
        next_Q: int64 [Q], the item that followed each history.
        label_V: int64 [V + 1], attribute of each item index, -1 for none; None without metadata.
        seed: Of k-means (5 restarts), of chance and of samples.

    Returns:
        ``n_users`` (Q), ``n_labelled`` (those whose next item has an attribute; None where there are none), and
        ``learned``, ``kmeans``, ``chance``, each with

        - ``attribute_ami``: adjusted mutual information (arithmetic mean) of intent and next item's attribute,
          0 by chance, 1 at most (only with metadata);
        - ``attribute_lift``: geometric mean of ``P(a | intent) / P(a)`` over the next items' attributes a, the
          probabilities counted on the other half of the users; 1 is no better than the prior (only with metadata);
        - ``cosine``: mean cosine of users to the mean direction of their intent, -1 to 1;
        - ``silhouette``: by cosine distance, of at most 5,000 users, -1 to 1;
        - ``used``: intents with users.
    """
    unit_QD = F.normalize(behaviour_QD, dim=-1)
    learned_Q = (unit_QD @ unit_KD.T).argmax(dim=1)
    generator = torch.Generator().manual_seed(seed)
    groupings = {
        "learned": learned_Q,
        "kmeans": spherical_kmeans(behaviour_QD, len(unit_KD), seed),
        "chance": learned_Q[torch.randperm(len(learned_Q), generator=generator)],
    }
    label_Q = None if label_V is None else label_V[next_Q]
    if label_Q is not None and not bool((label_Q >= 0).any()):
        label_Q = None
    return {
        "n_users": len(next_Q),
        "n_labelled": None if label_Q is None else int((label_Q >= 0).sum()),
        **{name: _measures(unit_QD, intent_Q, label_Q, seed) for name, intent_Q in groupings.items()},
    }


def _measures(unit_QD: Tensor, intent_Q: Tensor, label_Q: Tensor | None, seed: int) -> dict[str, float | None]:
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score  # takes over a second to import

    measures: dict[str, float | None] = {}
    if label_Q is not None:
        known = label_Q >= 0
        intents, labels = intent_Q[known].numpy(), label_Q[known].numpy()
        measures["attribute_ami"] = float(adjusted_mutual_info_score(intents, labels))
        measures["attribute_lift"] = attribute_lift(intents, labels, seed)
    n_intents = int(intent_Q.max()) + 1
    mean_KD = F.normalize(torch.zeros(n_intents, unit_QD.shape[1]).index_add_(0, intent_Q, unit_QD), dim=-1)
    measures["cosine"] = (unit_QD * mean_KD[intent_Q]).sum(dim=1).mean().item()
    some_X = torch.randperm(len(intent_Q), generator=torch.Generator().manual_seed(seed))[:SILHOUETTE_USERS]
    sampled = intent_Q[some_X].numpy()
    distinct = len(np.unique(sampled))
    measures["silhouette"] = (
        float(silhouette_score(unit_QD[some_X].numpy(), sampled, metric="cosine"))
        if 1 < distinct < len(sampled)
        else None
    )
    measures["used"] = len(torch.unique(intent_Q))
    return measures


def attribute_lift(intents: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """``exp(mean log(P(a | intent) / P(a)))`` over held-out pairs, each half evaluated with the counts of the other.

    ``P(a | k) = (n_ka + s P(a)) / (n_k + s)``, with s of 10, 100, 1,000 and 10,000 the one that gives most: an intent
    without evidence should fall back on the prior, and how fast depends on the number of attributes.

    Args:
        intents: int [Q], >= 0.
        labels: int [Q], >= 0: the attributes a.
        seed: Of the halves.

    Returns:
        Above 0; about 1 is no better than the prior.
    """
    half = np.random.default_rng(seed).random(len(intents)) < 0.5
    n_intents, n_labels = intents.max() + 1, labels.max() + 1
    logs: dict[float, list[np.ndarray]] = {prior: [] for prior in PRIORS}
    for seen in (half, ~half):
        table_KA = np.zeros((n_intents, n_labels))
        np.add.at(table_KA, (intents[seen], labels[seen]), 1)
        prior_A = (table_KA.sum(axis=0) + 1) / (table_KA.sum() + n_labels)
        for s in PRIORS:
            given_KA = (table_KA + s * prior_A) / (table_KA.sum(axis=1, keepdims=True) + s)
            logs[s].append(np.log(given_KA[intents[~seen], labels[~seen]] / prior_A[labels[~seen]]))
    return float(np.exp(max(np.concatenate(parts).mean() for parts in logs.values())))


def stability(
    ours_UD: Tensor, theirs_UD: Tensor, our_centers: Tensor, their_centers: Tensor, seed: int
) -> dict[str, float]:
    """Adjusted Rand index between the groupings of the same users by two trainings.

    Args:
        ours_UD: [U, D], behaviour embeddings by the first model.
        theirs_UD: [U, D'], of the same users by the second.
        our_centers: [K, D], unit centres.
        their_centers: [K', D'], unit centres.
        seed: Of k-means.

    Returns:
        ``learned``, and ``kmeans`` with as many clusters on the same embeddings; 0 by chance, 1 at most.
    """
    from sklearn.metrics import adjusted_rand_score  # takes over a second to import

    learned = [
        (F.normalize(x, dim=-1) @ centers.T).argmax(dim=1)
        for x, centers in ((ours_UD, our_centers), (theirs_UD, their_centers))
    ]
    kmeans = [
        spherical_kmeans(x, len(centers), seed) for x, centers in ((ours_UD, our_centers), (theirs_UD, their_centers))
    ]
    return {
        "learned": float(adjusted_rand_score(*(found.numpy() for found in learned))),
        "kmeans": float(adjusted_rand_score(*(found.numpy() for found in kmeans))),
    }
