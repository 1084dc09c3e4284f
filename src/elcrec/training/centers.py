"""Intent centres: initialisation by k-means, and refinement after training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.batches import shuffled
from elcrec.data.splits import Split
from elcrec.errors import TrainingError
from elcrec.losses.clustering import nearest_cluster_loss
from elcrec.model.encoding import behaviour_embeddings
from elcrec.model.intents import IntentCenters
from elcrec.model.network import ELCRecNetwork
from elcrec.process.progress import step

SAMPLE_PER_INTENT = 256
EM_SAMPLE_PER_INTENT = 4096
REFINE_PASSES = 12
REVIVE_PASSES = 8
BLOCK_ROWS = 65536
MEAN_PASSES = 2
# More than in training: nothing but the intents themselves depends on the assignment here.
REFINE_BALANCE = 0.03


@torch.no_grad()
def start_centers(network: ELCRecNetwork, split: Split, settings: Settings) -> None:
    """Put the centres on k-means centroids of the encoder's behaviour embeddings, as unit rows.

    20 iterations, 5 restarts, on raw (not unit) embeddings of the training inputs. Users are sampled down to
    256 an intent where there are more; with fewer users than intents the other centres stay random. With
    ``intent_learning`` ``em``, up to 4,096 users an intent, and centroids keep their length.

    Raises:
        TrainingError: The encoder gives values that are not finite.

    Source: released ELCRec, there on all users and on the untrained encoder (``warmup_epochs`` 0); released
    ICLRec for ``em``.
    """
    from sklearn.cluster import KMeans  # takes over a second to import, and only training needs it
    from threadpoolctl import threadpool_limits

    em = settings.intent_learning == "em"
    user_M = _sampled(split.learners(), settings, EM_SAMPLE_PER_INTENT if em else SAMPLE_PER_INTENT)
    network.eval()
    inputs = split.histories(user_M, split.train_end_U[user_M] - 1)
    behaviour_MD = behaviour_embeddings(network, inputs)
    if not bool(behaviour_MD.isfinite().all()):
        raise TrainingError("training diverged: behaviour embeddings are not finite; lower learning_rate")
    points = torch.unique(behaviour_MD.double().cpu(), dim=0).numpy()
    n_clusters = min(settings.n_intents, len(points))
    # The released program starts k-means from random rows; a trained encoder has clusters worth finding.
    init = "random" if settings.warmup_epochs == 0 else "k-means++"
    kmeans = KMeans(n_clusters, init=init, n_init=5, max_iter=20, random_state=settings.seed)
    with step("k-means"), threadpool_limits(1):  # the order in which threads add up would change the last digits
        kmeans.fit(points.astype("float32"))
    centroids = torch.from_numpy(kmeans.cluster_centers_).to(network.centers.weight)
    network.centers.weight[:n_clusters] = centroids
    if not em:
        network.centers.normalise()


def refine_centers(network: ELCRecNetwork, split: Split, settings: Settings) -> None:
    """Refine the centres on the finished encoder: passes of the cluster loss for the centres alone, then k-means.

    During training the encoder changes and embeddings have dropout. Here the centres see the embeddings that
    intents are assigned by: each user's newest history before the test item, as in a test query. Centres without
    users are reinitialised where embeddings are far from their centres. Two iterations of spherical k-means end it:
    with few users the passes are few steps, and leave centres where they were reinitialised. Nothing happens with
    the printed loss, without weight on the clusters, or where k-means finds the centres (``intent_learning``
    ``em``). The scores of items do not depend on the centres.
    """
    if settings.cluster_loss == "printed" or settings.cluster_weight == 0 or settings.intent_learning == "em":
        return
    user_M = _sampled(split.learners(), settings, SAMPLE_PER_INTENT)
    end_M = torch.where(split.test_U >= 0, split.test_U, split.end_U)[user_M]
    network.eval()
    with torch.no_grad():
        behaviour_MD = behaviour_embeddings(network, split.histories(user_M, end_M))
    generator = torch.Generator(device=behaviour_MD.device).manual_seed(settings.seed)
    centers = network.centers
    optimizer = torch.optim.Adam([centers.weight], lr=settings.learning_rate)
    row_M = torch.arange(len(behaviour_MD), device=behaviour_MD.device)
    with step("refining intents", REFINE_PASSES + MEAN_PASSES) as done:
        for number in range(REFINE_PASSES):
            done(number)
            if number < REVIVE_PASSES:
                _revive(centers, behaviour_MD, generator)
            users_K = torch.zeros(settings.n_intents, device=behaviour_MD.device)
            for row_B in shuffled(row_M, settings.batch_size, generator):
                users_K += torch.bincount(centers.assign(behaviour_MD[row_B]), minlength=users_K.numel())
                loss = nearest_cluster_loss(behaviour_MD[row_B], centers.weight, users_K, REFINE_BALANCE)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                centers.normalise()
        generator.manual_seed(settings.seed)  # what is drawn does not depend on the batches before
        for number in range(REFINE_PASSES, REFINE_PASSES + MEAN_PASSES):
            done(number)
            _revive(centers, behaviour_MD, generator)
            _move_to_means(centers, behaviour_MD)


@torch.no_grad()
def _move_to_means(centers: IntentCenters, behaviour_MD: Tensor) -> None:
    """Move each centre with users to the mean direction of their behaviour embeddings.

    Source: an iteration of spherical k-means (Dhillon and Modha 2001).
    """
    sum_KD = torch.zeros_like(centers.weight)
    for behaviour_BD in behaviour_MD.split(BLOCK_ROWS):
        sum_KD.index_add_(0, centers.assign(behaviour_BD), F.normalize(behaviour_BD, dim=-1))
    has_users_K = sum_KD.any(dim=1)
    centers.weight[has_users_K] = sum_KD[has_users_K]
    centers.normalise()


@torch.no_grad()
def _revive(centers: IntentCenters, behaviour_MD: Tensor, generator: torch.Generator) -> None:
    """Reinitialise centres without users at behaviour embeddings, sampled by distance to their own centre.

    Source: the draw is that of k-means++ (Arthur and Vassilvitskii 2007), with cosine distance.
    """
    nearest = [centers.cosines(behaviour_BD).max(dim=1) for behaviour_BD in behaviour_MD.split(BLOCK_ROWS)]
    intent_M = torch.cat([found.indices for found in nearest])
    distance_M = 1 - torch.cat([found.values for found in nearest])
    dead_X = torch.nonzero(torch.bincount(intent_M, minlength=len(centers.weight)) == 0).flatten()[: len(intent_M)]
    if len(dead_X):
        chosen_X = torch.multinomial(distance_M.clamp(min=1e-6), len(dead_X), generator=generator)
        centers.weight[dead_X] = F.normalize(behaviour_MD[chosen_X], dim=-1)


def _sampled(user_M: Tensor, settings: Settings, per_intent: int) -> Tensor:
    """At most so many users an intent, drawn by the seed."""
    most = per_intent * settings.n_intents
    if user_M.numel() <= most:
        return user_M
    generator = torch.Generator().manual_seed(settings.seed)
    return user_M[torch.randperm(user_M.numel(), generator=generator)[:most].to(user_M.device)]
