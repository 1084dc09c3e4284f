"""What metrics say, in sentences."""

from typing import Any

import numpy as np
import pytest

from elcrec.evaluation.significance import gains
from elcrec.evaluation.verdict import findings, remedy, sentence, verdict_of

MANY = 400


def verdict(ours: float, theirs: float, baseline: str = "item-knn") -> Any:
    """Of users whose items a model finds first with one probability, and a baseline with another."""
    random = np.random.default_rng(0)
    ranks = [np.where(random.random(MANY) < share, 1.0, np.nan) for share in (ours, theirs)]
    return verdict_of(baseline, *ranks, np.arange(MANY))


def test_a_verdict_has_the_figures_of_both() -> None:
    row_X = np.array([0, 0, 1, 2])
    ours_X, theirs_X = np.array([1.0, 3.0, np.nan, 2.0]), np.array([2.0, np.nan, 40.0, 2.0])
    found = verdict_of("markov", ours_X, theirs_X, row_X)
    assert (found["baseline"], found["metric"]) == ("markov", "ndcg@20")
    assert found["model"] == pytest.approx(gains(ours_X, 20, row_X).mean())
    assert found["best"] == pytest.approx(gains(theirs_X, 20, row_X).mean())
    assert found["ratio"] == pytest.approx(found["model"] / found["best"])
    assert found["mean"] == pytest.approx(found["model"] - found["best"])
    assert not found["significant"]


def test_a_better_model_is_called_so_with_its_significance() -> None:
    found = verdict(0.6, 0.3)
    assert found["significant"]
    assert sentence(found, "").startswith(f"{found['ratio']:.2f} times item-knn, the best baseline (ndcg@20 0.")
    assert sentence(found, "").endswith("significant (p < 0.001)")
    unsure = verdict_of("item-knn", np.array([1.0, 2.0, np.nan]), np.array([1.0, 3.0, np.nan]), np.arange(3))
    assert "not significant (p = " in sentence(unsure, "")
    assert sentence(verdict(0.5, 0.0), "").startswith("better than item-knn")


@pytest.mark.parametrize(
    ("baseline", "advice"),
    [
        ("buy-again", "see which task is yours (docs/tasks.md)"),
        ("item-knn", "elcrec tune"),
        ("popularity", "elcrec tune"),
    ],
)
def test_a_model_that_is_not_better_gets_a_remedy(baseline: str, advice: str) -> None:
    for ours, theirs in ((0.3, 0.6), (0.0, 0.0)):
        said = sentence(verdict(ours, theirs, baseline), remedy({}))
        assert said.startswith(f"not better than {baseline}, the best baseline (ndcg@20 ")
        assert advice in said
        assert "\n" not in said


def test_more_epochs_are_advised_where_the_last_one_was_the_best() -> None:
    assert "more epochs" in remedy({"best_epoch": 12, "epochs": 12})
    for overfits in ({"best_epoch": 3, "epochs": 12}, {}):
        assert "more epochs" not in remedy(overfits)  # type: ignore[arg-type]
        assert "elcrec tune" in remedy(overfits)  # type: ignore[arg-type]


def results(**more: Any) -> Any:
    metrics = {"hit_rate@10": 0.2, "ndcg@20": 0.1, "ceiling": 1.0, "n_items": 1000, "n_users": 50}
    low, high = ({"hit_rate@10": value, "ndcg@20": value / 2} for value in (0.05, 0.15))
    baselines = {"test": {"popularity": low, "item-knn": high}, "verdicts": {"test": verdict(0.6, 0.3)}}
    return {"valid": metrics, "test": {**metrics, **more}, "baselines": baselines}


def test_a_value_stands_next_to_chance_and_baselines() -> None:
    first, last = findings(results())
    assert first.startswith(
        "test: 20.0% of the users find their next item among ten (1.0% by chance, 5.0% by popularity, 15.0% by item-knn"
    )
    assert "significant" in last
    assert findings(results(), "valid") == [
        "valid: 20.0% of the users find their next item among ten (1.0% by chance; a good model is clearly above)"
    ]
    assert findings({}) == []


def test_of_baskets_chance_is_not_stated() -> None:
    first, *_ = findings(results(**{"recall@10": 0.1}))
    assert "find an item of their next basket among ten (5.0% by popularity" in first


def test_what_cannot_be_found_is_stated() -> None:
    _, ceiling, _ = findings(results(ceiling=0.88))
    assert ceiling.startswith("test: 12.0% of the held-out items cannot be found (ceiling 0.880)")


def test_buying_again_is_named_where_it_beats_a_model_that_excludes_seen_items() -> None:
    found = results()
    found["baselines"]["other_way"] = {"exclude_seen": False, "test": {"buy-again": {"ndcg@20": 0.3}}}
    said = "test: with seen items ranked, buy-again reaches ndcg@20 0.3000: see which task is yours"
    assert findings(found)[-1].startswith(said)
    found["baselines"]["other_way"]["test"]["buy-again"]["ndcg@20"] = 0.05
    assert len(findings(found)) == 2
