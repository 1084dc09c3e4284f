"""Metrics against loops over users, and bounds known beforehand."""

import math

import pytest
import torch

from elcrec.data.histories import HistoryBatch
from elcrec.evaluation.metrics import CUTOFFS, by_chance, ranking_metrics


def naive_metrics(ranks: list[int], cutoffs: tuple[int, ...]) -> dict[str, float]:
    expected = {}
    for k in cutoffs:
        hit = ndcg = mrr = 0.0
        for rank in ranks:
            if rank <= k:
                hit += 1
                ndcg += 1 / math.log2(1 + rank)
                mrr += 1 / rank
        expected |= {f"hit_rate@{k}": hit, f"ndcg@{k}": ndcg, f"mrr@{k}": mrr}
    return {name: total / len(ranks) for name, total in expected.items()}


@pytest.mark.parametrize("cutoffs", [CUTOFFS, (1,), (3, 7, 200)], ids=str)
def test_metrics_are_the_loop(cutoffs: tuple[int, ...]) -> None:
    ranks = torch.randint(1, 100, (500,), generator=torch.Generator().manual_seed(0))
    assert ranking_metrics(ranks, cutoffs) == pytest.approx(naive_metrics(ranks.tolist(), cutoffs))


def test_every_cutoff_has_three_metrics_by_their_printed_names() -> None:
    assert set(ranking_metrics(torch.tensor([1]))) == {
        f"{name}@{k}" for name in ("hit_rate", "ndcg", "mrr") for k in (1, 5, 10, 20, 50)
    }


def test_upper_bound_everybody_served_at_rank_one() -> None:
    assert set(ranking_metrics(torch.ones(7, dtype=torch.int64)).values()) == {1.0}


def test_lower_bound_random_ranks_in_a_catalogue() -> None:
    n_items = 1000
    ranks = torch.randint(1, n_items + 1, (200_000,), generator=torch.Generator().manual_seed(1))
    metrics = ranking_metrics(ranks, (10, 50))
    for k in (10, 50):
        gains = [1 / math.log2(1 + rank) for rank in range(1, k + 1)]
        assert metrics[f"hit_rate@{k}"] == pytest.approx(k / n_items, rel=0.1)
        assert metrics[f"ndcg@{k}"] == pytest.approx(sum(gains) / n_items, rel=0.1)
        assert metrics[f"mrr@{k}"] == pytest.approx(sum(1 / r for r in range(1, k + 1)) / n_items, rel=0.1)


def test_nobody_served_is_zero() -> None:
    assert set(ranking_metrics(torch.full((3,), 51)).values()) == {0.0}


@pytest.mark.parametrize("rank", [1, 2, 5, 10])
def test_one_relevant_item_earns_the_published_gain(rank: int) -> None:
    """The published systems add 1/log2(position + 2), position from 0; their ideal DCG is 1."""
    metrics = ranking_metrics(torch.tensor([rank]), (10,))
    assert metrics["ndcg@10"] == pytest.approx(1 / math.log2((rank - 1) + 2), rel=1e-12)
    assert metrics["mrr@10"] == pytest.approx(1 / rank, rel=1e-12)
    assert metrics["hit_rate@10"] == 1


@pytest.mark.parametrize("k", [1, 5, 20])
def test_the_cutoff_itself_still_counts(k: int) -> None:
    assert ranking_metrics(torch.tensor([k]), (k,))[f"hit_rate@{k}"] == 1
    assert ranking_metrics(torch.tensor([k + 1]), (k,))[f"hit_rate@{k}"] == 0


def test_metrics_at_one_are_all_the_same() -> None:
    metrics = ranking_metrics(torch.tensor([1, 2, 1, 9]), (1,))
    assert metrics == {"hit_rate@1": 0.5, "ndcg@1": 0.5, "mrr@1": 0.5}


@pytest.mark.parametrize("n_items", [5, 10, 12, 40, 1000])
def test_the_chance_of_a_basket_is_the_hypergeometric_one(n_items: int) -> None:
    sizes = [1, 2, 5]
    end = torch.tensor(sizes).cumsum(0) + torch.arange(1, 4)
    item_N = torch.cat([torch.arange(1, 2 + size) for size in sizes]).clamp(max=n_items)
    start = end - torch.tensor(sizes) - 1
    batch = HistoryBatch(item_N, start, start + 1, until_Q=end)
    counts = torch.bincount(batch.targets[0]).tolist()
    drawn = min(10, n_items)
    expected = [1 - math.comb(n_items - count, drawn) / math.comb(n_items, drawn) for count in counts]
    assert by_chance(batch, n_items) == {"chance@10": pytest.approx(sum(expected) / 3)}
    assert by_chance(HistoryBatch(item_N, start, start + 1), n_items) == {}
