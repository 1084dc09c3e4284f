"""Cluster losses compared on one trained encoder: agreement of intents with the next item, and their health.

    python benchmarks/clustering.py RUN --items ../shared/data/Beauty_item2attributes.json

Each candidate starts from the same k-means++ centres on the training histories of RUN and is trained on mini-batches
of the same embeddings for the same number of steps; only the centres are trained. Measured on the histories before the
validation items (test is not used), over seeds: adjusted mutual information and lift of the next item's main
attribute, effective intents, largest share, share of dead intents. Writes benchmarks/results/clustering/NAME.json.
Losses that were rejected are in this file, not in the package.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from sklearn.metrics import adjusted_mutual_info_score
from torch import Tensor

from elcrec import ELCRec
from elcrec.data.catalogue import Catalogue
from elcrec.data.histories import HistoryBatch
from elcrec.experiments.provenance import provenance
from elcrec.intents.diagnostics import main_attributes
from elcrec.intents.intent_health import intent_health
from elcrec.intents.intent_quality import attribute_lift
from elcrec.intents.kmeans import spherical_kmeans
from elcrec.losses import clustering
from elcrec.model.encoding import behaviour_embeddings

RESULTS = Path(__file__).parent / "results" / "clustering"
PASSES, BATCH, LEARNING_RATE = 10, 256, 1e-3

# behaviours [B, D], unit centres [K, D], users of each so far [K], vector of the next item [B, D] -> loss
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
KINDS = 128  # of items, for the predictive loss


def balanced_assignment(score_BK: Tensor, epsilon: float, iterations: int = 3) -> Tensor:
    """Sinkhorn-Knopp as in SwAV (arXiv 2006.09882) section 3.1: rows sum to 1, columns about alike."""
    log_plan = score_BK / epsilon
    for _ in range(iterations):
        log_plan = log_plan - log_plan.logsumexp(dim=0, keepdim=True)
        log_plan = log_plan - log_plan.logsumexp(dim=1, keepdim=True)
    return log_plan.exp()


def cosine(h_BD: Tensor, c_KD: Tensor) -> Tensor:
    return F.normalize(h_BD, dim=-1) @ c_KD.T


def cross_entropy(target_BK: Tensor, score_BK: Tensor, temperature: float) -> Tensor:
    return -(target_BK * F.log_softmax(score_BK / temperature, dim=-1)).sum(dim=1).mean()


def nearest(balance: float) -> Loss:
    def loss(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
        return clustering.nearest_cluster_loss(h_BD, c_KD, users_K, balance)

    return loss


def balanced(epsilon: float, temperature: float) -> Loss:
    def loss(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
        score_BK = cosine(h_BD, c_KD)
        return cross_entropy(balanced_assignment(score_BK.detach(), epsilon), score_BK, temperature)

    return loss


def balanced_cosine(epsilon: float) -> Loss:
    def loss(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
        score_BK = cosine(h_BD, c_KD)
        return -(balanced_assignment(score_BK.detach(), epsilon) * score_BK).sum(dim=1).mean()

    return loss


def swapped(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
    """The history predicts the balanced assignment of the next item, and the other way round."""
    past_BK, future_BK = cosine(h_BD, c_KD), cosine(next_BD, c_KD)
    past_target, future_target = (balanced_assignment(score.detach(), 0.05) for score in (past_BK, future_BK))
    return cross_entropy(future_target, past_BK, 0.1) + cross_entropy(past_target, future_BK, 0.1)


def self_training(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
    score_BK = cosine(h_BD, c_KD)
    return F.cross_entropy(score_BK / 0.1, score_BK.argmax(dim=1))


def soft(temperature: float) -> Loss:
    def loss(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
        return -temperature * (cosine(h_BD, c_KD) / temperature).logsumexp(dim=1).mean()

    return loss


def predictive(weight: float, temperature: float) -> Loss:
    """Nearest centre, and the soft intent has to tell the kind of the next item: ``-log sum_k q(k | h) p(kind | k)``.

    A kind is the direction that the next item's vector is nearest to among KINDS fixed ones (drawn from the first
    batch); ``p(kind | k)`` is counted as it goes, older batches fading, and smoothed with the prior.
    """
    kinds_GD = count_KG = None

    def loss(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
        nonlocal kinds_GD, count_KG
        if kinds_GD is None:
            kinds_GD = F.normalize(next_BD[:KINDS], dim=-1)
            count_KG = torch.ones(len(c_KD), KINDS)
        kind_B = cosine(next_BD, kinds_GD).argmax(dim=1)
        soft_BK = F.softmax(cosine(h_BD, c_KD) / temperature, dim=-1)
        prior_G = count_KG.sum(dim=0) / count_KG.sum()
        given_KG = (count_KG + 20 * prior_G) / (count_KG.sum(dim=1, keepdim=True) + 20)
        count_KG = 0.99 * count_KG + torch.zeros_like(count_KG).T.index_add(0, kind_B, soft_BK.detach()).T
        told_B = (soft_BK * given_KG.T[kind_B]).sum(dim=1)
        return nearest(0.01)(h_BD, c_KD, users_K, next_BD) - weight * told_B.log().mean()

    return loss


def printed(h_BD: Tensor, c_KD: Tensor, users_K: Tensor, next_BD: Tensor) -> Tensor:
    return clustering.printed_cluster_loss(F.normalize(h_BD, dim=-1), c_KD)


# Each makes a new loss: some keep a state.
CANDIDATES: dict[str, Callable[[], Loss]] = {
    "nearest, handicap .01 (ours, in training)": partial(nearest, 0.01),
    "nearest, handicap .03 (ours, when settling)": partial(nearest, 0.03),
    "nearest, handicap .1": partial(nearest, 0.1),
    "nearest, no handicap": partial(nearest, 0.0),
    "mixture of directions, t .01": partial(soft, 0.01),
    "mixture of directions, t .05": partial(soft, 0.05),
    "balanced cross-entropy, eps .05, t .1": partial(balanced, 0.05, 0.1),
    "balanced cross-entropy, eps .02, t .05": partial(balanced, 0.02, 0.05),
    "balanced cosine, eps .02": partial(balanced_cosine, 0.02),
    "swapped with the next item": lambda: swapped,
    "predictive of the next item's kind, weight .3": partial(predictive, 0.3, 0.05),
    "predictive of the next item's kind, weight 1": partial(predictive, 1.0, 0.05),
    "cross-entropy to the nearest": lambda: self_training,
    "printed (paper eq. 7)": lambda: printed,
}
RECENCIES = (1.0, 0.8, 0.65, 0.5, 0.35, 0.2)


class Bench:
    """A trained encoder's embeddings of training and validation histories, and the evaluation of a clustering."""

    def __init__(self, model: ELCRec, labels_V: Tensor) -> None:
        self.model, self.labels_V = model, labels_V
        self.n_intents = model.settings.n_intents
        split = model.fitted.split
        self.learner_M = split.learners()
        self.user_Q, self.target_Q = split.targets("valid")
        self.label_Q = labels_V[split.item_N[self.target_Q]]
        next_M = split.item_N[split.train_end_U[self.learner_M] - 1]
        self.next_MD = model.network.item_table.weight.detach()[next_M]

    def embed(self, recency: float) -> tuple[Tensor, Tensor]:
        model, split = self.model, self.model.fitted.split
        model.network.recency = recency
        train = (split.start_U[self.learner_M], split.train_end_U[self.learner_M] - 1)
        valid = (split.start_U[self.user_Q], self.target_Q)
        with torch.no_grad():
            batches = (HistoryBatch(split.item_N, *at) for at in (train, valid))
            train_MD, valid_QD = (behaviour_embeddings(model.network, batch) for batch in batches)
        return train_MD, valid_QD

    def start(self, behaviour_MD: Tensor, seed: int) -> Tensor:
        cluster_M = spherical_kmeans(behaviour_MD, self.n_intents, seed, restarts=1)
        sum_KD = torch.zeros(self.n_intents, behaviour_MD.shape[1]).index_add_(
            0, cluster_M, F.normalize(behaviour_MD, dim=-1)
        )
        return F.normalize(sum_KD, dim=-1)

    def learn(self, loss: Loss, behaviour_MD: Tensor, start_KD: Tensor, seed: int) -> Tensor:
        weight = start_KD.clone().requires_grad_()
        optimizer = torch.optim.Adam([weight], lr=LEARNING_RATE)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(PASSES):
            users_K = torch.zeros(self.n_intents)
            for row_B in torch.randperm(len(behaviour_MD), generator=generator).split(BATCH):
                unit_KD = F.normalize(weight, dim=-1)
                nearest_B = cosine(behaviour_MD[row_B], unit_KD.detach()).argmax(dim=1)
                users_K += torch.bincount(nearest_B, minlength=self.n_intents)
                value = loss(behaviour_MD[row_B], unit_KD, users_K, self.next_MD[row_B])
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
        return F.normalize(weight.detach(), dim=-1)

    def judge(self, intent_Q: Tensor, seed: int) -> dict[str, float]:
        known = self.label_Q >= 0
        intents, labels = intent_Q[known].numpy(), self.label_Q[known].numpy()
        health = intent_health(torch.bincount(intent_Q, minlength=self.n_intents), torch.eye(self.n_intents))
        return {
            "attribute_ami": float(adjusted_mutual_info_score(intents, labels)),
            "attribute_lift": attribute_lift(intents, labels, seed),
            "effective": health["effective"],
            "largest_share": health["largest_share"],
            "dead": health["dead"] / self.n_intents,
        }


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "mean": float(np.mean([run[name] for run in runs])),
            "sd": float(np.std([run[name] for run in runs], ddof=1)),
        }
        for name in runs[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--name", default="Beauty")
    arguments = parser.parse_args()
    model = ELCRec.load(arguments.run, "cpu")
    labels_V = main_attributes(model.fitted, Catalogue.read(arguments.items).matched(model.items.ids))
    assert labels_V is not None
    bench, seeds = Bench(model, labels_V), range(1, arguments.seeds + 1)
    recency = model.settings.recency
    losses, recencies = {}, {}
    train_MD, valid_QD = bench.embed(recency)
    starts = {seed: bench.start(train_MD, seed) for seed in seeds}
    kmeans = [bench.judge(spherical_kmeans(valid_QD, bench.n_intents, seed), seed) for seed in seeds]
    losses["k-means on the evaluated histories themselves, 5 restarts"] = summary(kmeans)
    for name, make in CANDIDATES.items():
        began = time.perf_counter()
        found = [bench.learn(make(), train_MD, starts[seed], seed) for seed in seeds]
        losses[name] = summary(
            [bench.judge(cosine(valid_QD, c).argmax(dim=1), s) for s, c in zip(seeds, found, strict=True)]
        )
        losses[name]["seconds"] = {"mean": (time.perf_counter() - began) / len(seeds), "sd": 0.0}
        ami, effective = losses[name]["attribute_ami"]["mean"], losses[name]["effective"]["mean"]
        print(f"{name:45} ami {ami:.4f} effective {effective:.0f}", flush=True)
    for value in RECENCIES:
        train_MD, valid_QD = bench.embed(value)
        found = [bench.learn(nearest(0.01), train_MD, bench.start(train_MD, seed), seed) for seed in seeds]
        ours = [bench.judge(cosine(valid_QD, c).argmax(dim=1), s) for s, c in zip(seeds, found, strict=True)]
        kmeans = [bench.judge(spherical_kmeans(valid_QD, bench.n_intents, seed), seed) for seed in seeds]
        recencies[f"{value:g}"] = {"learned": summary(ours), "kmeans": summary(kmeans)}
        print(f"recency {value:g}: ami {recencies[f'{value:g}']['learned']['attribute_ami']['mean']:.4f}")
    document = {
        "suite": "clustering",
        "dataset": arguments.name,
        "recipe": model.recipe,
        "seed": model.settings.seed,
        "split": "valid",
        "seeds": list(seeds),
        "n_intents": bench.n_intents,
        "losses": losses,
        "recency": recencies,
        "best_epoch": model.metrics.get("best_epoch"),
        **provenance(),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{arguments.name}.json").write_text(json.dumps(document, indent=1) + "\n")
    print(pl.DataFrame([{"loss": name, **{k: v["mean"] for k, v in row.items()}} for name, row in losses.items()]))


if __name__ == "__main__":
    main()
