"""Sentences on measures of intents, at the limits of what they call good."""

import polars as pl
import pytest

from elcrec.intents.findings import quality_findings, stability_findings, suggestion_findings


def quality(ours: float, theirs: float, lift: float = 1.5, silhouette: float | None = 0.3) -> list[str]:
    learned = {"attribute_ami": ours, "attribute_lift": lift, "silhouette": silhouette}
    return quality_findings({"learned": learned, "kmeans": {"attribute_ami": theirs}, "chance": {"attribute_ami": 0.0}})


@pytest.mark.parametrize(
    ("ours", "theirs", "said"), [(0.3, 0.2, "more than"), (0.2, 0.3, "less than"), (0.2, 0.205, "as much as")]
)
def test_intents_are_compared_with_k_means(ours: float, theirs: float, said: str) -> None:
    assert f"{said} k-means" in quality(ours, theirs)[1]
    assert f"{said} two k-means" in stability_findings({"users": 9, "learned": ours, "kmeans": theirs})[1]


def test_a_lift_and_clusters_are_graded() -> None:
    assert "no help" in quality(0.1, 0.1, lift=1.01)[0]
    assert "no help" not in quality(0.1, 0.1, lift=1.2)[0]
    grades = [quality(0.1, 0.1, silhouette=value)[2] for value in (-0.1, 0.25, 0.6, 1.0)]
    assert [said.split(" have ")[1].split(" ")[0] for said in grades] == ["no", "weak", "reasonable", "strong"]
    assert len(quality(0.1, 0.1, silhouette=None)) == 2


def test_without_attributes_the_option_is_named() -> None:
    measures = {"learned": {"silhouette": None}, "kmeans": {}, "chance": {}}
    assert "catalogue= says" in quality_findings(measures)[0]


@pytest.mark.parametrize(("index", "grade"), [(0.1, "poor"), (0.65, "moderate"), (0.85, "good"), (1.0, "excellent")])
def test_stability_is_graded(index: float, grade: str) -> None:
    assert f" is {grade} (" in stability_findings({"users": 9, "learned": index, "kmeans": 0.0})[0]


def test_what_is_nearly_nothing_has_no_sign() -> None:
    assert "-0.00" not in " ".join(stability_findings({"users": 9, "learned": -0.001, "kmeans": -0.004}))


def test_the_suggestion_says_what_to_do() -> None:
    tried = pl.DataFrame({"n_intents": [8, 11], "gain": [0.1, 0.2], "suggested": [False, True]})
    assert "n_intents=11." in suggestion_findings(tried, 8)[0]
    assert "the run's 8: 1.11 times" in suggestion_findings(tried, 8)[0]
    assert "the run has as many" in suggestion_findings(tried, 11)[0]
    none = tried.with_columns(gain=pl.lit(-0.1))
    assert "popularity" in suggestion_findings(none, 8)[0]
