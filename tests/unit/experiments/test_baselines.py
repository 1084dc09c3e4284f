"""Baselines against counting by hand."""

import polars as pl
import pytest
import torch

from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.experiments.baselines import BASELINES
from elcrec.experiments.baselines.neighbours import DECAY

# The newest two of each are held out.
LISTS = {1: [1, 2, 3, 9, 9], 2: [2, 1, 2, 3, 9, 9], 3: [4, 1, 9, 9]}


def split() -> Split:
    rows = [(user, item) for user, items in LISTS.items() for item in items]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    return make_split(log, Vocabulary.of(log.frame["item_id"], 1), "leave_one_out", 0.1)


def scores(name: str, user: int) -> list[float]:
    world = split()
    scorer = BASELINES[name](world, 5)
    return scorer(world.start_U[user - 1 : user], world.train_end_U[user - 1 : user])[0].tolist()


def test_popularity_counts_what_may_be_learnt_from() -> None:
    assert scores("popularity", 1) == scores("popularity", 3) == [0, 3, 3, 2, 1, 0]


def test_markov_counts_what_followed_the_newest_item() -> None:
    # After item 1 (newest of user 3) came item 2 twice; nothing else.
    found = scores("markov", 3)
    assert found[2] == pytest.approx(2 + 3 / 10)
    assert found[1] == pytest.approx(3 / 10)
    assert max(range(6), key=found.__getitem__) == 2


def test_item_knn_is_the_double_loop() -> None:
    count = {1: 3, 2: 3, 3: 2, 4: 1}
    learnt = [items[:-2] for items in LISTS.values()]
    similar = torch.zeros(6, 6, dtype=torch.float64)
    for items in learnt:
        for i, a in enumerate(items):
            for j, b in enumerate(items):
                if i != j and abs(i - j) <= 5:
                    weight = DECAY ** (abs(i - j) - 1) / ((count[a] + 1) * (count[b] + 1)) ** 0.5
                    similar[a, b] += weight
    for user, items in enumerate(learnt, start=1):
        expected = sum(DECAY**age * similar[item] for age, item in enumerate(reversed(items)))
        torch.testing.assert_close(torch.tensor(scores("item-knn", user)).double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_nothing_held_out_is_counted(name: str) -> None:
    assert scores(name, 1)[5] == 0
