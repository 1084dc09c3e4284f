"""A model next to the baselines."""

from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL
from elcrec import ELCRec
from elcrec.errors import AccuracyWarning
from elcrec.evaluation.against_baselines import MODEL, baseline_warning, best_baseline
from elcrec.evaluation.baselines import BASELINES, OF_SEEN_ITEMS


def repeating(n_users: int = 40) -> pl.DataFrame:
    """Users who take two items of their own by turns, and now and then a new one."""
    rows = [
        (user, user % 7 + (at % 2) if at % 5 else 10 + (user + at) % 9, at)
        for user in range(n_users)
        for at in range(14)
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def fitted(log: pl.DataFrame, **settings: Any) -> ELCRec:
    return ELCRec("default", seed=3, **{**SMALL, **settings}).fit(log, progress=False)


def figures(**by_name: float) -> Any:
    return {name.replace("_", "-"): {"ndcg@20": value} for name, value in by_name.items()}


def test_both_protocols_where_the_log_repeats() -> None:
    model = fitted(repeating(), exclude_seen=False)
    found = model.metrics["baselines"]
    other = found["other_way"]
    for part in ("valid", "test"):
        assert set(found[part]) == set(BASELINES)
        assert set(other[part]) == {MODEL, *BASELINES} - set(OF_SEEN_ITEMS)
    assert other["exclude_seen"] is True
    excluded = ELCRec.from_fitted(model.fitted)
    excluded.fitted.settings.__dict__["exclude_seen"] = True
    again = excluded.evaluate(baselines=True)
    assert again["baselines"]["test"] == {name: each for name, each in other["test"].items() if name != MODEL}
    assert again["ndcg@20"] == pytest.approx(other["test"][MODEL]["ndcg@20"])
    assert again["baselines"]["other_way"]["test"]["buy-again"] == found["test"]["buy-again"]


def test_one_protocol_where_nothing_repeats() -> None:
    log = repeating().unique(["user_id", "item_id"], maintain_order=True)
    found = fitted(log).metrics["baselines"]
    assert "other_way" not in found
    assert set(found["test"]) == set(BASELINES) - set(OF_SEEN_ITEMS)


def test_a_setting_leaves_them_out() -> None:
    assert "baselines" not in fitted(repeating(), baselines=False).metrics


def test_evaluate_counts_in_the_log_it_is_given() -> None:
    model = fitted(repeating())
    same = model.evaluate(repeating(), baselines=True)["baselines"]
    stored = model.metrics["baselines"]
    assert same["test"] == stored["test"]
    assert "valid" not in same
    others = model.evaluate(repeating(20), baselines=True)["baselines"]
    assert others["test"] != stored["test"]
    assert "baselines" not in model.evaluate()


def test_a_baseline_that_is_better_than_the_model_is_named() -> None:
    with pytest.warns(AccuracyWarning, match=r"the baseline \S+ is better .*test .*elcrec tune"):
        fitted(repeating(), exclude_seen=False, repeats="none", epochs=1, learning_rate=1e-6)


def test_the_best_on_validation_is_named_with_its_test_figure() -> None:
    results: Any = {
        "valid": {"ndcg@20": 0.19},
        "test": {"ndcg@20": 0.1},
        "baselines": {"valid": figures(popularity=0.1, up_cf=0.2), "test": figures(popularity=0.4, up_cf=0.3)},
    }
    assert best_baseline(results["baselines"]["valid"]) == "up-cf"
    note = baseline_warning(results)
    assert note is not None
    told = "(ndcg@20: valid 0.2000 against 0.1900, test 0.3000 against 0.1000)"
    assert f"up-cf is better than the model on validation {told}" in note
    assert "\n" not in note
    results["valid"]["ndcg@20"] = 0.2
    assert baseline_warning(results) is None


@pytest.mark.parametrize("results", [{}, {"test": {"ndcg@20": 0.1}}, {"valid": {"ndcg@20": 0.1}, "baselines": {}}])
def test_without_baselines_on_validation_there_is_nothing_to_say(results: Any) -> None:
    assert baseline_warning(results) is None
