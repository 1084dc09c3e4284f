"""Paired tests against scipy, enumeration and known cases."""

import itertools
import tracemalloc
from inspect import signature
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap, wilcoxon

from elcrec.evaluation.metrics import basket_metrics
from elcrec.evaluation.significance import gains, holm, paired_difference


def test_gains_are_ndcg_of_one_item() -> None:
    assert gains(np.array([1.0, 3.0, 20.0, 21.0, np.nan]), 20).tolist() == pytest.approx(
        [1, 0.5, 1 / np.log2(21), 0, 0]
    )


def test_gains_of_baskets_are_those_of_the_metric() -> None:
    rank_X, row_X = np.array([2.0, 7, 30, 1, 25, np.nan]), np.array([0, 0, 0, 1, 2, 2])
    found = gains(rank_X, 20, row_X)
    ranks = torch.from_numpy(np.nan_to_num(rank_X, nan=1e9)).long()
    assert found.mean() == pytest.approx(basket_metrics(torch.from_numpy(row_X), ranks)["ndcg@20"])
    assert found[1:].tolist() == [1, 0]


def test_a_real_difference_is_found_and_its_interval_is_scipys() -> None:
    random = np.random.default_rng(1)
    theirs = gains(random.integers(1, 60, 3000).astype(float), 20)
    ours = np.where(random.random(3000) < 0.1, np.minimum(theirs + 0.3, 1), theirs)
    found = paired_difference(ours, theirs)
    assert found.mean == pytest.approx((ours - theirs).mean())
    assert found.p == pytest.approx(wilcoxon(ours - theirs, zero_method="pratt").pvalue)
    assert found.p < 1e-6
    seed: Any = {"rng": 1} if "rng" in signature(bootstrap).parameters else {"random_state": 1}  # SciPy below 1.15
    interval = bootstrap((ours - theirs,), np.mean, n_resamples=2000, method="percentile", **seed).confidence_interval
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=3e-4)
    assert paired_difference(theirs, ours).mean == pytest.approx(-found.mean)


def test_noise_is_no_difference() -> None:
    random = np.random.default_rng(2)
    rejected = 0
    for seed in range(40):
        ours, theirs = random.random(200), random.random(200)
        found = paired_difference(ours, theirs, seed)
        assert found.low < found.high
        rejected += found.p < 0.05
    assert rejected <= 6


def test_equal_values_are_equal() -> None:
    assert paired_difference(np.ones(5), np.ones(5)) == (0, 0, 0, 1)


def test_other_users_are_refused() -> None:
    with pytest.raises(ValueError, match="5 users against 4"):
        paired_difference(np.ones(5), np.ones(4))


def test_holm_is_the_step_down_rule() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_the_interval_is_that_of_one_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    difference = random.normal(size=500).round(12)
    value, count = np.unique(difference, return_counts=True)
    drawn = np.random.default_rng(7).multinomial(500, count / 500, 2000)
    expected = np.quantile(drawn @ value / 500, [0.025, 0.975])
    monkeypatch.setattr("elcrec.evaluation.significance.DRAWN_AT_ONCE", 7 * 500)
    found = paired_difference(difference, np.zeros(500), seed=7)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


def test_memory_does_not_grow_with_the_users() -> None:
    random = np.random.default_rng(4)
    ours, theirs = random.random(20_000), random.random(20_000)
    tracemalloc.start()
    try:
        paired_difference(ours, theirs)
        assert tracemalloc.get_traced_memory()[1] < 64e6  # all draws at once take 320 MB, and their product as much
    finally:
        tracemalloc.stop()


def test_the_order_of_seeds_makes_no_difference() -> None:
    # Three values summed in another order differ in the last bit: such users are not better, and not worse.
    values = gains(np.array([1.0, 2.0, 8.0]), 20)
    means = {sum(order) / 3 for order in itertools.permutations(values)}
    assert len(means) > 1
    for one, other in itertools.product(means, means):
        assert paired_difference(np.full(50, one), np.full(50, other)) == (0, 0, 0, 1)
