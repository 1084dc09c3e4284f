"""The measures of ``intent_jobs.py``: one function a job; what each means stands there."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elcrec import ELCRec
from elcrec.data.catalogue import Catalogue
from elcrec.intents.intent_table import typical_items
from elcrec.intents.kmeans import spherical_kmeans
from elcrec.intents.naming import SEPARATOR, name_intents

K, CHOSEN, ROWS_OF_SLATE = 10, (1, 2, 3), 3
POWERS = (0.5, 1.0, 2.0)
STRENGTHS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
DIALS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CANDIDATES, MOST_OF_DIVERSITY, ACCURACIES = 100, 3000, (0.98, 0.95)
LEAST_OF_AUDIENCE, TYPICAL = 30, 20
STRONGEST_SHARE, LEAST_SHARE_OF_EVENTS = 4, 0.01
LEAST_EVENTS, LEAST_SHARE, LEAST_LIFT = 20, 0.1, 2.0
LONG_FUTURE = 10
BLOCK = 64

Parts = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A run and what its users did later.

    Attributes:
        model: The run.
        later: Later events, in the order of the log.
        labels: Descriptions of items by their category alone.
    """

    model: ELCRec
    later: pl.DataFrame
    labels: Catalogue

    @cached_property
    def futures(self) -> pl.DataFrame:
        """A row a user with later events: ``user_id``, ``events``, ``later`` and ``next`` (item indices; -1: new)."""
        index = pl.Series("item", self.model.items.indices(self.later["item_id"], "skip"))
        frame = self.later.with_columns(index)
        is_next = pl.int_range(pl.len()).over("user_id") == 0
        if "timestamp" in frame.columns:
            is_next = pl.col("timestamp") == pl.col("timestamp").first().over("user_id")
        frame = frame.with_columns(is_next=is_next)
        return frame.group_by("user_id", maintain_order=True).agg(
            events=pl.len(),
            all="item",
            later=pl.col("item").unique(maintain_order=True),
            next=pl.col("item").filter("is_next").unique(maintain_order=True),
        )

    @property
    def users(self) -> pl.Series:
        """Users with later events."""
        return self.futures["user_id"]

    @cached_property
    def for_choices(self) -> np.ndarray:
        """Which of the users are those for choices: bool [U]."""
        return np.array([zlib.crc32(str(user).encode()) % 4 == 0 for user in self.users.to_list()])

    @cached_property
    def strongest(self) -> pl.DataFrame:
        """The three strongest intents of the users, with weights."""
        return self.model.user_intents(self.users, top=max(CHOSEN))

    @cached_property
    def intents_UM(self) -> Tensor:
        """Their numbers: int64 [U, 3]."""
        return torch.from_numpy(self.strongest["intent"].to_numpy().copy()).view(-1, max(CHOSEN))

    @cached_property
    def category_V(self) -> np.ndarray:
        """Number of each item's category, -1 for none: int [V + 1], and [-1] is none."""
        known = self.labels.matched(self.model.items.ids).main_attribute().drop_nulls()
        number_V = np.full(len(self.model.items) + 2, -1)
        number_V[self.model.items.indices(known["item_id"])] = known["attribute"].rank("dense").to_numpy()
        return number_V

    def parts(self, value_U: np.ndarray) -> dict[str, float]:
        """Means over the users for choices, and over the others."""
        return {"valid": float(value_U[self.for_choices].mean()), "test": float(value_U[~self.for_choices].mean())}


def hits(items_UK: np.ndarray, targets: Iterable[list[int]]) -> np.ndarray:
    """How many of each user's targets are in the items: int [U]."""
    return np.array([len(set(own) & set(items)) for own, items in zip(targets, items_UK.tolist(), strict=True)])


# ---------------------------------------------------------------------- 1. cold users


def cold_users(case: Case) -> Parts:
    """Hit rate@10 of the next items by chosen intents alone, by popularity, and by the model that knows the history."""
    model, targets = case.model, case.futures["next"].to_list()
    popularity_V, new_users = model.topn.popularity_V, model.topn.new_users
    popular_UK = (popularity_V[1:].topk(K).indices + 1).expand(len(targets), -1)
    whole = model.items.indices(model.recommend(case.users, k=K)["item_id"]).reshape(-1, K)
    found: Parts = {
        "n_test": int((~case.for_choices).sum()),
        "popularity": case.parts(hits(popular_UK.numpy(), targets) > 0),
        "with history": case.parts(hits(whole, targets) > 0),
    }
    lift_KV = torch.stack([model.assigner.item_intents.lift([k]) for k in range(model.settings.n_intents)])
    share_K = torch.from_numpy(model.assigner.item_intents.share_K)
    for n_chosen in CHOSEN:
        chosen_UM = case.intents_UM[:, :n_chosen].sort(dim=1).values
        sets_SM, set_U = torch.unique(chosen_UM, dim=0, return_inverse=True)
        best: dict[str, list[Tensor]] = {}
        for chosen in sets_SM.tolist():
            # Lift of the union of intents, which have no user in common.
            weight_M = share_K[chosen] / share_K[chosen].sum()
            lift_V = (weight_M[:, None] * lift_KV[chosen]).sum(dim=0)
            scores = {"lift": lift_V, **{f"popularity * lift ** {t:g}": popularity_V * lift_V**t for t in POWERS}}
            scores["recommend_to_new_user"] = new_users.scores(chosen)
            for name, score_V in scores.items():
                best.setdefault(name, []).append(score_V[1:].topk(K).indices + 1)
        found[str(n_chosen)] = {
            name: case.parts(hits(torch.stack(lists)[set_U].numpy(), targets) > 0) for name, lists in best.items()
        }
    return found


# ---------------------------------------------------------------------- 2. slate


def slate(case: Case) -> Parts:
    """Recall of the later items by three rows of ten, and by thirty plain recommendations."""
    long_U = (case.futures["events"] >= LONG_FUTURE).to_numpy()
    users, targets = case.users.filter(long_U), case.futures["later"].filter(long_U).to_list()
    choices_U, length = case.for_choices[long_U], ROWS_OF_SLATE * K

    def recall(listed: pl.DataFrame) -> dict[str, float]:
        items = pl.Series("item", case.model.items.indices(listed["item_id"]))
        by_user = listed.with_columns(items).group_by("user_id", maintain_order=True).agg("item")
        own = dict(by_user.iter_rows())
        value_U = np.array(
            [len(set(own.get(u, [])) & set(t)) / len(t) for u, t in zip(users.to_list(), targets, strict=True)]
        )
        return {"valid": float(value_U[choices_U].mean()), "test": float(value_U[~choices_U].mean())}

    found: Parts = {"n_test": int((~choices_U).sum()), "plain": recall(case.model.recommend(users, k=length))}
    for strength in STRENGTHS:
        listed = case.model.slate(users, rows=ROWS_OF_SLATE, k=K, strength=strength)
        found[f"strength {strength:g}"] = recall(listed)
    return found


# ---------------------------------------------------------------------- 3. audiences


def audiences(case: Case) -> Parts:
    """Share of an intent's users who next take its category, next to random users and to its earlier buyers."""
    test = ~case.for_choices
    weight_U = case.strongest["weight"].to_numpy().reshape(-1, max(CHOSEN))[test, 0]
    users, own_U = case.users.filter(test), case.intents_UM[torch.from_numpy(test), 0].numpy()
    takes = [set(case.category_V[items].tolist()) - {-1} for items in case.futures["next"].filter(test).to_list()]
    typical = dict(case.model.intents(TYPICAL).select("intent", "items").iter_rows())
    log = case.model.log.frame.select(
        "user_id", item=pl.Series(case.model.items.indices(case.model.log.frame["item_id"]))
    )
    log = log.with_columns(category=pl.Series(case.category_V[log["item"].to_numpy()]))
    highest = categories_of_highest_lift(log.join(case.model.assigner.users_frame, on="user_id"))
    before = (
        log.with_columns(left=pl.len().over("user_id") - pl.int_range(pl.len()).over("user_id"))
        .filter(pl.col("category") >= 0)
        .group_by("user_id", "category")
        .agg(times=pl.len(), left=pl.col("left").min())
    )
    rows = []
    for intent in np.unique(own_U).tolist():
        members = np.flatnonzero(own_U == intent)
        known = case.category_V[case.model.items.indices(typical[intent])]
        known = known[known >= 0]
        if len(members) < LEAST_OF_AUDIENCE or not len(known):
            continue
        category = int(np.bincount(known).argmax())
        took_U = np.array([category in own for own in takes])
        took_highest_U = np.array([highest.get(intent, -2) in own for own in takes])
        strongest = members[np.argsort(-weight_U[members], kind="stable")][: len(members) // STRONGEST_SHARE]
        buyers = before.filter(pl.col("category") == category).join(
            pl.DataFrame({"user_id": users, "row": np.arange(len(users))}), on="user_id"
        )
        ordered = buyers.sort(["times", "left", "row"], descending=[True, False, False])["row"].to_numpy()
        rows.append(
            {
                "users": len(members),
                "intent": took_U[members].mean(),
                "random": took_U.mean(),
                "strongest_quarter": took_U[strongest].mean(),
                "highest_lift": took_highest_U[members].mean(),
                "highest_lift_random": took_highest_U.mean(),
                "bought_before": took_U[ordered[: len(members)]].mean() if len(ordered) else 0.0,
                "any_buyer": took_U[ordered].mean() if len(ordered) else 0.0,
                "typical_of_category": float((known == category).mean()),
            }
        )
    table = pl.DataFrame(rows)
    if table.is_empty():
        return {"n_intents": 0}
    shares, weight = pl.exclude("users"), pl.col("users")
    weighted = table.select((shares * weight).sum() / weight.sum()).row(0, named=True)
    return {"n_intents": len(table), "n_users": int(table["users"].sum()), **weighted}


def categories_of_highest_lift(log: pl.DataFrame) -> dict[int, int]:
    """Of each intent the category that its users take most above all users, of those with 1% of its events or more.

    Args:
        log: Events with ``category`` (-1: none) and the ``intent`` of their user.
    """
    events = log.filter(pl.col("category") >= 0)
    share = events.group_by("category").agg(all=pl.len() / len(events))
    own = (
        events.group_by("intent", "category")
        .agg(n=pl.len())
        .with_columns(own=pl.col("n") / pl.col("n").sum().over("intent"))
    )
    ranked = (
        own.filter(pl.col("own") >= LEAST_SHARE_OF_EVENTS)
        .join(share, on="category")
        .sort([pl.col("own") / pl.col("all"), "category"], descending=[True, False])
    )
    return dict(ranked.group_by("intent", maintain_order=True).first().select("intent", "category").iter_rows())


# ---------------------------------------------------------------------- 4. diversity


def overlap_of_items(model: ELCRec) -> Tensor:
    """Jaccard overlap of the attributes of all pairs of items: [V + 1, V + 1]."""
    assert model.catalogue is not None
    pairs = model.catalogue.pairs()
    row, column = model.items.indices(pairs["item_id"]), pairs["attribute"].rank("dense").to_numpy() - 1
    has_VA = torch.zeros(len(model.items) + 1, int(column.max()) + 1)
    has_VA[torch.from_numpy(row), torch.from_numpy(column.astype(np.int64))] = 1
    both_VV, size_V = has_VA @ has_VA.T, has_VA.sum(dim=1)
    return both_VV.div_((size_V[:, None] + size_V - both_VV).clamp_(min=1))


def mmr(item_UN: Tensor, score_UN: Tensor, alike_VV: Tensor, dial: float) -> Tensor:
    """Maximal marginal relevance: ten of the candidates, int64 [U, 10]; relevance is scaled to 0 .. 1.

    Source: Carbonell and Goldstein 1998.
    """
    chosen = []
    for item_BN, score_BN in zip(item_UN.split(BLOCK), score_UN.split(BLOCK), strict=True):
        low, high = score_BN.min(dim=1, keepdim=True).values, score_BN.max(dim=1, keepdim=True).values
        relevance_BN = (score_BN - low) / (high - low).clamp(min=1e-12)
        closest_BN, open_BN, places = torch.zeros_like(score_BN), torch.ones_like(score_BN, dtype=torch.bool), []
        for _ in range(K):
            gain_BN = (1 - dial) * relevance_BN - dial * closest_BN
            best_B1 = gain_BN.masked_fill(~open_BN, -torch.inf).argmax(dim=1, keepdim=True)
            open_BN.scatter_(1, best_B1, False)
            closest_BN = torch.maximum(closest_BN, alike_VV[item_BN.gather(1, best_B1), item_BN])
            places.append(best_B1)
        chosen.append(item_BN.gather(1, torch.cat(places, dim=1)))
    return torch.cat(chosen)


def at_accuracy(points: list[list[float]], ndcg: float) -> float:
    """The largest diversity on a curve of (NDCG, diversity) at some NDCG or more, linear between the points."""
    best = max((diversity for value, diversity in points if value >= ndcg), default=0.0)
    for (high, one), (low, other) in pairwise(points):
        if min(high, low) <= ndcg <= max(high, low) and high != low:
            best = max(best, other + (one - other) * (ndcg - low) / (high - low))
    return float(best)


def diversity(case: Case) -> Parts:
    """Diversity of ten recommendations at equal NDCG@10, by ``diversify`` and by MMR."""
    model = case.model
    at = np.flatnonzero(~case.for_choices)[:MOST_OF_DIVERSITY]
    users, targets = case.users.gather(at), case.futures["next"].gather(at).to_list()
    overlap_VV = overlap_of_items(model)
    discount_K = 1 / np.log2(np.arange(2, K + 2))

    def point(item_UK: Tensor) -> list[float]:
        """NDCG@10 of the next items, and diversity."""
        gains = [
            (discount_K * np.isin(items, own)).sum() / discount_K[: len(own)].sum()
            for items, own in zip(item_UK.numpy(), targets, strict=True)
        ]
        one_X, other_X = torch.triu_indices(K, K, 1)
        return [float(np.mean(gains)), float(1 - overlap_VV[item_UK[:, one_X], item_UK[:, other_X]].mean())]

    def listed(k: int, dial: float = 0.0) -> tuple[Tensor, Tensor]:
        table = model.recommend(users, k=k, diversify=dial)
        item = torch.from_numpy(model.items.indices(table["item_id"])).view(-1, k)
        return item, torch.from_numpy(table["score"].to_numpy().copy()).view(-1, k)

    item_UN, score_UN = listed(CANDIDATES)
    unit_VD = torch.nn.functional.normalize(model.network.items_VD.detach(), dim=-1)
    cosine_VV = torch.nn.functional.pad(unit_VD @ unit_VD.T, (1, 0, 1, 0))
    plain = point(item_UN[:, :K])
    curves = {
        "diversify": [plain, *(point(listed(K, dial)[0]) for dial in DIALS)],
        "mmr of vectors": [plain, *(point(mmr(item_UN, score_UN, cosine_VV, dial)) for dial in DIALS)],
        "mmr of attributes": [plain, *(point(mmr(item_UN, score_UN, overlap_VV, dial)) for dial in DIALS)],
    }
    return {
        "n_users": len(users),
        "plain": plain,
        "curves": curves,
        **{
            f"at {share:g}": {name: at_accuracy(points, share * plain[0]) for name, points in curves.items()}
            for share in ACCURACIES
        },
    }


# ---------------------------------------------------------------------- 5. agreement


def agreement(case: Case) -> Parts:
    """AMI with the next item's category of learned intents, of k-means and of chance."""
    quality = case.model.intent_quality(case.labels, split="test")
    return {who: quality[who]["attribute_ami"] for who in ("learned", "kmeans", "chance")}


# ---------------------------------------------------------------------- 6. names


def items_of_parts(model: ELCRec, names: Iterable[str]) -> dict[str, set[int]]:
    """Items that have the parts of names as an attribute or in their titles."""
    assert model.catalogue is not None
    pairs = model.catalogue.pairs().with_columns(
        key=pl.col("attribute").str.replace_all(r"\s+", " ").str.to_lowercase()
    )
    by_key = dict(pairs.group_by("key").agg("item_id").iter_rows())
    titles = pl.DataFrame(list(model.catalogue.titles().items()), schema=["item_id", "title"], orient="row")
    found = {}
    for part in {part for name in names for part in name.split(SEPARATOR)}:
        ids = list(by_key.get(part.lower(), []))
        if len(titles):
            words = titles["title"].str.to_lowercase().str.contains(part.lower(), literal=True)
            ids += titles["item_id"].filter(words).to_list()
        found[part] = set(model.items.indices(ids).tolist()) if ids else set()
    return found


def right_names(case: Case, intent_U: np.ndarray, names: list[str]) -> Parts:
    """The share of the names that the rule finds right, among intents with enough later events."""
    rows = [
        (intent, item)
        for intent, own in zip(intent_U.tolist(), case.futures["all"].to_list(), strict=True)
        for item in own
    ]
    intent_X, item_X = np.array(rows).T
    of_part, right, shares, lifts = items_of_parts(case.model, names), [], [], []
    for intent in np.unique(intent_X).tolist():
        own_X = intent_X == intent
        if own_X.sum() < LEAST_EVENTS:
            continue
        named = np.isin(item_X, list(set().union(*(of_part[part] for part in names[intent].split(SEPARATOR)))))
        share, base = named[own_X].mean(), named[~own_X].mean()
        right.append(share >= LEAST_SHARE and share >= LEAST_LIFT * base)
        shares.append(share)
        lifts.append(share / max(base, 1e-9))
    return {
        "n_intents": len(right),
        "right": float(np.mean(right)),
        "median_share": float(np.median(shares)),
        "median_lift": float(np.median(lifts)),
    }


def names(case: Case) -> Parts:
    """Right names of the intents, and of k-means clusters that are named alike."""
    model = case.model
    n_intents, rows = model.settings.n_intents, model.users.indices(case.users)
    behaviour_UD = model.assigner.behaviours(model.fitted.dataset.of_users()).cpu()
    cluster_U = spherical_kmeans(behaviour_UD, n_intents, model.settings.seed).numpy()
    frame, events = pl.DataFrame({"user_id": model.users.ids, "intent": cluster_U}), model.log.frame
    of_clusters = name_intents(frame, events, model.catalogue, n_intents, typical_items(frame, events, 3))
    return {
        "learned": right_names(case, case.intents_UM[:, 0].numpy(), model.intent_names),
        "kmeans": right_names(case, cluster_U[rows], of_clusters),
    }


JOBS = {
    "cold-users": cold_users,
    "slate": slate,
    "audiences": audiences,
    "diversity": diversity,
    "agreement": agreement,
    "names": names,
}
