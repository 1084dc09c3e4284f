"""A small synthetic shop with planted intents, whose predictability is a parameter.

Each customer has one intent. Within it, purchases follow a Markov chain that is the intent's own: every item
has a few likely successors. With probability ``difficulty`` a purchase ignores the intent and is drawn by
popularity from the whole shop. No customer buys an item twice. Because the chains are known, so is the best
possible prediction: it upper-bounds every model, as popularity bounds it from below.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from elcrec.data.interactions import Interactions
from elcrec.errors import DataError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MIN_LENGTH, MAX_LENGTH = 5, 12


@dataclass(frozen=True)
class World:
    """A generated shop.

    Attributes:
        log: What was bought: ``user_id``, ``item_id`` (names), ``timestamp`` (dates).
        intents: Names of the planted intents, K.
        intent_of_user: ``user_id``, ``planted`` (name).
        shelf_of_item: ``item_id``, ``planted`` (name of the intent whose shelf it is on).
        items: Item names in the order of the tables below, V.
        chance_KVV: P(next item | intent, last item) before bought items are left out; rows sum to 1.
        first_KV: P(first item | intent).
    """

    log: Interactions
    intents: list[str]
    intent_of_user: pl.DataFrame
    shelf_of_item: pl.DataFrame
    items: list[str]
    chance_KVV: Floats
    first_KV: Floats

    def best_scores(self, histories: list[list[str]]) -> Floats:
        """P(next item | history) by Bayes' rule over the planted intents: the optimum for any model.

        Args:
            histories: Item names, oldest first, at least one each.

        Returns:
            [n, V], rows sum to 1; 0 for what has been bought.
        """
        number = {name: index for index, name in enumerate(self.items)}
        belief_UK = self.beliefs(histories)
        scores = np.empty((len(histories), len(self.items)))
        for row, history in enumerate(histories):
            bought = [number[name] for name in history]
            chance_KV = self.chance_KVV[:, bought[-1]].copy()
            chance_KV[:, bought] = 0
            scores[row] = belief_UK[row] @ (chance_KV / chance_KV.sum(axis=1, keepdims=True))
        return scores

    def beliefs(self, histories: list[list[str]]) -> Floats:
        """P(planted intent | history) by Bayes' rule, with a uniform prior over intents: the optimum for any grouping.

        Args:
            histories: Item names, oldest first, at least one each.

        Returns:
            [U, K], rows sum to 1.
        """
        number = {name: index for index, name in enumerate(self.items)}
        beliefs = np.empty((len(histories), len(self.intents)))
        for row, history in enumerate(histories):
            bought = [number[name] for name in history]
            free = np.ones(len(self.items))
            evidence_K = np.log(self.first_KV[:, bought[0]] + 1e-300)
            for last, item in pairwise(bought):
                free[last] = 0
                chance_KV = self.chance_KVV[:, last] * free
                evidence_K += np.log(chance_KV[:, item] / chance_KV.sum(axis=1) + 1e-300)
            belief_K = np.exp(evidence_K - evidence_K.max())
            beliefs[row] = belief_K / belief_K.sum()
        return beliefs


def make_shop(n_users: int = 5000, difficulty: float = 0.2, seed: int = 1) -> World:
    """Generate a shop.

    Args:
        n_users: Customers, 1 or more.
        difficulty: 0 (only the intent decides) to 1 (only popularity does).
        seed: The world follows from it.

    Raises:
        DataError: An argument is out of range.
    """
    if n_users < 1 or not 0 <= difficulty <= 1:
        raise DataError(f"a shop needs n_users >= 1 and difficulty from 0 to 1, not {n_users} and {difficulty}")
    random = np.random.default_rng(seed)
    shelves = read_shelves()
    intents, items = list(shelves), [name for shelf in shelves.values() for name in shelf]
    shelf_V = np.repeat(np.arange(len(intents)), [len(shelf) for shelf in shelves.values()])
    chance_KVV, first_KV = _chains(shelf_V, difficulty, random)

    # Intents differ in size: the largest has about twice the customers of the smallest.
    size_K = np.linspace(1.35, 0.65, len(intents))
    intent_U = random.choice(len(intents), size=n_users, p=size_K / size_K.sum())
    length_U = np.minimum(MIN_LENGTH + random.geometric(0.35, size=n_users) - 1, MAX_LENGTH)
    bought_UL = _walk(intent_U, chance_KVV, first_KV, random)
    kept_UL = np.arange(MAX_LENGTH) < length_U[:, None]
    users = np.array([f"shopper-{number:05d}" for number in range(1, n_users + 1)])

    start = np.datetime64("2025-01-01T08:00", "m") + random.integers(0, 300 * 24 * 60, size=(n_users, 1))
    gap_UL = random.exponential(3 * 24 * 60, size=bought_UL.shape).astype(np.int64) + 1
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(users, length_U),
            "item_id": np.array(items)[bought_UL[kept_UL]],
            "timestamp": (start + gap_UL.cumsum(axis=1))[kept_UL].astype("datetime64[ms]"),
        }
    )
    return World(
        log=Interactions.read(frame),
        intents=intents,
        intent_of_user=pl.DataFrame({"user_id": users, "planted": np.array(intents)[intent_U]}),
        shelf_of_item=pl.DataFrame({"item_id": items, "planted": np.array(intents)[shelf_V]}),
        items=items,
        chance_KVV=chance_KVV,
        first_KV=first_KV,
    )


def read_shelves() -> dict[str, list[str]]:
    """The shop's intents and their items."""
    text = (resources.files("elcrec.data") / "shop_items.toml").read_text(encoding="utf-8")
    return {str(name): list(items) for name, items in tomllib.loads(text).items()}


def _chains(shelf_V: Integers, difficulty: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    n_items, n_intents = len(shelf_V), int(shelf_V.max()) + 1
    popularity_V = 1 / (1 + random.permutation(n_items)) ** 0.7
    popularity_V /= popularity_V.sum()
    own_KV = (shelf_V == np.arange(n_intents)[:, None]).astype(float)
    first_KV = own_KV * random.dirichlet(np.full(n_items, 1.0), size=n_intents)
    first_KV /= first_KV.sum(axis=1, keepdims=True)
    # Few likely successors for each item of the shelf; from elsewhere the chain starts over.
    chance_KVV = np.repeat(first_KV[:, None, :], n_items, axis=1)
    for intent in range(n_intents):
        mine = np.flatnonzero(shelf_V == intent)
        chance_KVV[intent][np.ix_(mine, mine)] = random.dirichlet(np.full(len(mine), 0.3), size=len(mine)) + 1e-3
    chance_KVV *= own_KV[:, None, :]
    chance_KVV /= chance_KVV.sum(axis=2, keepdims=True)
    mixed_KVV = (1 - difficulty) * chance_KVV + difficulty * popularity_V
    return mixed_KVV, (1 - difficulty) * first_KV + difficulty * popularity_V


def _walk(intent_U: Integers, chance_KVV: Floats, first_KV: Floats, random: np.random.Generator) -> Integers:
    """Purchases of all customers, step by step: [U, MAX_LENGTH]."""
    every_U = np.arange(len(intent_U))
    free_UV = np.ones((len(intent_U), first_KV.shape[1]))
    bought = [_draw(first_KV[intent_U], random)]
    while len(bought) < MAX_LENGTH:
        free_UV[every_U, bought[-1]] = 0
        bought.append(_draw(chance_KVV[intent_U, bought[-1]] * free_UV, random))
    return np.stack(bought, axis=1)


def _draw(weight_UV: Floats, random: np.random.Generator) -> Integers:
    cumulated_UV = weight_UV.cumsum(axis=1)
    place_U1 = random.random((len(weight_UV), 1)) * cumulated_UV[:, -1:]
    drawn: Integers = (cumulated_UV <= place_U1).sum(axis=1)
    return drawn
