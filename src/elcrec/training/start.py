"""Where the intent centres begin."""

from __future__ import annotations

import torch

from elcrec.config import Settings
from elcrec.data.splits import Split
from elcrec.evaluation.behaviour import behaviours
from elcrec.model.network import ELCRecNetwork

SAMPLE_PER_INTENT = 256


@torch.no_grad()
def start_centers(network: ELCRecNetwork, split: Split, settings: Settings) -> None:
    """Put the centres on k-means centroids of the encoder's behaviour embeddings, as unit rows.

    20 iterations, 5 restarts, on raw (not unit) embeddings of the training inputs. Users are sampled down to
    256 an intent where there are more; with fewer users than intents the other centres stay random.

    Source: released ELCRec, there on all users and on the untrained encoder (``warmup_epochs`` 0).
    """
    from sklearn.cluster import KMeans  # takes over a second to import, and only training needs it
    from threadpoolctl import threadpool_limits

    user_M = split.learners()
    generator = torch.Generator().manual_seed(settings.seed)
    most = SAMPLE_PER_INTENT * settings.n_intents
    if user_M.numel() > most:
        user_M = user_M[torch.randperm(user_M.numel(), generator=generator)[:most].to(user_M.device)]
    network.eval()
    behaviour_MD = behaviours(network, split.item_N, split.start_U[user_M], split.train_end_U[user_M] - 1, settings)
    points = torch.unique(behaviour_MD.double().cpu(), dim=0).numpy()
    n_clusters = min(settings.n_intents, len(points))
    # The released program starts k-means from random rows; a trained encoder has clusters worth finding.
    init = "random" if settings.warmup_epochs == 0 else "k-means++"
    kmeans = KMeans(n_clusters, init=init, n_init=5, max_iter=20, random_state=settings.seed)
    with threadpool_limits(1):  # the order in which threads add up would change the last digits
        kmeans.fit(points.astype("float32"))
    centroids = torch.from_numpy(kmeans.cluster_centers_).to(network.centers.weight)
    network.centers.weight[:n_clusters] = centroids
    network.centers.normalise()
