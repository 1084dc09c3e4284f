"""A set of baselines on held-out items and baskets."""

import pytest
import torch
from test_baselines import shop, training_of

from elcrec.data.histories import HistoryBatch
from elcrec.evaluation.baselines import BASELINES, OF_SEEN_ITEMS, comparison
from elcrec.evaluation.baselines.comparison import Baselines
from elcrec.evaluation.metrics import metrics_of
from elcrec.evaluation.ranks import ranks_by_scores


def held_out() -> tuple[Baselines, HistoryBatch]:
    training = training_of(shop())
    return Baselines(training), training.split.held_out("test")[1]


@pytest.mark.parametrize("name", sorted(set(BASELINES) - set(OF_SEEN_ITEMS)))
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_metrics_are_those_of_all_scores_at_once(
    name: str, exclude_seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_ROWS", 3)
    baselines, histories = held_out()
    rank_X = ranks_by_scores(BASELINES[name](baselines.training)(histories), histories, exclude_seen)
    assert torch.equal(baselines.ranks(name, histories, exclude_seen), rank_X)
    found = baselines.compare(histories, (True, False)).metrics[exclude_seen][name]
    expected = metrics_of(histories, rank_X)
    assert found == {metric: expected[metric] for metric in found}  # type: ignore[literal-required]
    assert {"ndcg@20", "recall@10"} <= set(found)


def test_buying_again_is_evaluated_where_seen_items_are_ranked() -> None:
    baselines, histories = held_out()
    found = baselines.compare(histories, (True, False)).metrics
    assert set(found[False]) == set(BASELINES)
    assert set(found[True]) == set(BASELINES) - set(OF_SEEN_ITEMS)


def test_what_is_too_large_is_left_out_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    baselines, histories = held_out()
    monkeypatch.setattr(comparison, "MOST_PAIRS", 11 * 11)
    found = baselines.compare(histories, (False,))
    assert found.left_out == {}
    monkeypatch.setattr(comparison, "MOST_PAIRS", 11 * 11 - 1)
    found = baselines.compare(histories, (False,))
    assert found.left_out == dict.fromkeys(("tifu-knn", "up-cf"), "too large: 11 histories times 11 users")
    monkeypatch.setattr(comparison, "MOST_PAIRS", 11 * 11)
    n_pairs = sum(len(items) ** 2 for bought in shop() for _, items in bought[:-2])
    assert baselines.training.n_pairs == n_pairs
    monkeypatch.setattr(comparison, "MOST_ITEM_PAIRS", n_pairs)
    assert baselines.compare(histories, (False,)).left_out == {}
    monkeypatch.setattr(comparison, "MOST_ITEM_PAIRS", n_pairs - 1)
    reason = f"too large: {n_pairs:,} pairs of items in one basket"
    assert baselines.compare(histories, (False,)).left_out == dict.fromkeys(("markov", "item-knn"), reason)
    n_events = sum(len(items) for bought in shop() for _, items in bought[:-2])
    monkeypatch.setattr(comparison, "MOST_ITEM_PAIRS", n_pairs)
    monkeypatch.setattr(comparison, "MOST_EVENTS", n_events)
    assert baselines.compare(histories, (False,)).left_out == {}
    monkeypatch.setattr(comparison, "MOST_EVENTS", n_events - 1)
    reason = f"too large: {n_events:,} events"
    left_out = dict.fromkeys(("popularity-recent", "markov", "item-knn"), reason)
    assert baselines.compare(histories, (False,)).left_out == left_out
    monkeypatch.setattr(comparison, "MOST_SCORES", 0)
    assert set(baselines.compare(histories, (False,)).left_out) == set(BASELINES)


def test_a_baseline_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def popularity(training: object) -> object:
        counted.append(training)
        return BASELINES["markov"](training)  # type: ignore[arg-type]

    monkeypatch.setitem(comparison.BASELINES, "popularity", popularity)  # type: ignore[arg-type]
    baselines, histories = held_out()
    for _ in range(2):
        baselines.compare(histories, (True,))
    assert len(counted) == 1
