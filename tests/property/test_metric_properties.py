"""What holds of metrics and ranks whatever the numbers are."""

import math
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elcrec.evaluation.metrics import ranking_metrics
from elcrec.evaluation.ranks import rank_of
from elcrec.inference.scoring import top_items
from elcrec.intents.intent_health import intent_health

QUICK = settings(deadline=None, max_examples=60, derandomize=True)
RANKS = st.lists(st.integers(1, 60), min_size=1, max_size=30)
CUTOFFS = (1, 2, 5, 10, 20, 50)
NAMES = ("hit_rate", "ndcg", "mrr")
# Few distinct values, so that there are many ties.
SCORES = st.integers(2, 12).flatmap(
    lambda width: st.lists(st.lists(st.integers(-3, 3), min_size=width, max_size=width), min_size=1, max_size=5)
)


def padded(scores: list[list[int]]) -> torch.Tensor:
    """Scores of items 1, 2, ... with the padding column before them."""
    score_BV = torch.tensor(scores, dtype=torch.float32)
    return torch.cat([torch.full((len(scores), 1), float("-inf")), score_BV], dim=1)


@QUICK
@given(RANKS)
def test_metrics_lie_between_zero_and_one_in_their_order(ranks: list[int]) -> None:
    metrics = ranking_metrics(torch.tensor(ranks), CUTOFFS)
    for k in CUTOFFS:
        hit, ndcg, mrr = (metrics[f"{name}@{k}"] for name in NAMES)
        assert 0 <= mrr <= ndcg + 1e-12
        assert ndcg <= hit + 1e-12
        assert hit <= 1


@QUICK
@given(RANKS)
def test_metrics_never_fall_with_a_longer_list(ranks: list[int]) -> None:
    metrics = ranking_metrics(torch.tensor(ranks), CUTOFFS)
    for name in NAMES:
        values = [metrics[f"{name}@{k}"] for k in CUTOFFS]
        assert values == sorted(values)


@QUICK
@given(RANKS, st.data())
def test_a_better_rank_never_hurts(ranks: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(ranks) - 1))
    better = list(ranks)
    better[at] = data.draw(st.integers(1, ranks[at]))
    before = ranking_metrics(torch.tensor(ranks), CUTOFFS)
    after = ranking_metrics(torch.tensor(better), CUTOFFS)
    assert all(after[name] >= before[name] - 1e-12 for name in before)


@QUICK
@given(RANKS, st.randoms())
def test_the_order_of_users_does_not_matter(ranks: list[int], random: Random) -> None:
    mixed = list(ranks)
    random.shuffle(mixed)
    assert ranking_metrics(torch.tensor(mixed)) == pytest.approx(ranking_metrics(torch.tensor(ranks)))


@QUICK
@given(RANKS, RANKS)
def test_metrics_of_all_users_are_the_weighted_means_of_groups(one: list[int], other: list[int]) -> None:
    first, second = ranking_metrics(torch.tensor(one)), ranking_metrics(torch.tensor(other))
    both = ranking_metrics(torch.tensor(one + other))
    share = len(one) / (len(one) + len(other))
    assert both == pytest.approx({name: share * first[name] + (1 - share) * second[name] for name in first})


@QUICK
@given(SCORES, st.data())
def test_rank_is_the_place_in_a_sorted_list_behind_all_ties(scores: list[list[int]], data: st.DataObject) -> None:
    target = [data.draw(st.integers(1, len(row))) for row in scores]
    ranks = rank_of(padded(scores), torch.tensor(target))
    for row, wanted, rank in zip(scores, target, ranks.tolist(), strict=True):
        ascending = np.sort(np.array(row))
        assert rank == len(row) - int(np.searchsorted(ascending, row[wanted - 1], side="left"))


@QUICK
@given(SCORES, st.integers(1, 15))
def test_top_items_are_distinct_and_best_first(scores: list[list[int]], k: int) -> None:
    items, values = top_items(padded(scores), k)
    for row, item_K, value_K in zip(scores, items.tolist(), values.tolist(), strict=True):
        assert len(set(item_K)) == len(item_K) == min(k, len(row))
        assert value_K == sorted(row, reverse=True)[:k]
        assert value_K == [row[item - 1] for item in item_K]


@QUICK
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any))
def test_effective_intents_lie_between_one_and_those_used(users: list[int]) -> None:
    health = intent_health(torch.tensor(users), torch.eye(len(users)))
    assert health["used"] == sum(count > 0 for count in users)
    assert 1 - 1e-9 <= health["effective"] <= health["used"] + 1e-9
    assert health["largest_share"] == pytest.approx(max(users) / sum(users))
    assert math.log(health["effective"]) >= -math.log(health["largest_share"]) - 1e-9
