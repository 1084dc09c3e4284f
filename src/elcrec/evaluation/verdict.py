"""What metrics say: next to chance and the baselines, in sentences, with a significance test."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from elcrec.evaluation.baselines import OF_SEEN_ITEMS
from elcrec.evaluation.metrics import SELECTION_METRIC, Figures, Metrics, Results, Verdict, measured_parts
from elcrec.evaluation.significance import gains, paired_difference
from elcrec.process.wording import worded

SIGNIFICANT = 0.05
TASKS = "see which task is yours (docs/tasks.md)"
TEN: Final = "hit_rate@10"
POPULARITY = "popularity"


def best_baseline(by_name: dict[str, Figures]) -> str | None:
    """The one with the best :data:`SELECTION_METRIC`; None of none."""
    return max(by_name, key=lambda name: by_name[name][SELECTION_METRIC], default=None)


def verdict_of(
    baseline: str, ours_X: NDArray[np.float64], theirs_X: NDArray[np.float64], row_X: NDArray[np.int64]
) -> Verdict:
    """A model and a baseline, compared by the NDCG of each user.

    Args:
        baseline: Its name.
        ours_X: [X], ranks of the held-out items by the model (NaN: not ranked).
        theirs_X: [X], the same by the baseline.
        row_X: int64 [X], the user of each, from 0 without gaps.
    """
    k = int(SELECTION_METRIC.rpartition("@")[2])
    ours_Q, theirs_Q = gains(ours_X, k, row_X), gains(theirs_X, k, row_X)
    found = paired_difference(ours_Q, theirs_Q)
    ours, theirs = float(ours_Q.mean()), float(theirs_Q.mean())
    return {
        "baseline": baseline,
        "metric": SELECTION_METRIC,
        "model": ours,
        "best": theirs,
        "ratio": ours / theirs if theirs > 0 else None,
        **found._asdict(),  # type: ignore[typeddict-item]
        "significant": found.p < SIGNIFICANT,
    }


def findings(results: Results, part: str | None = None) -> list[str]:
    """What the metrics of a part of a log say, a sentence each.

    Args:
        results: Metrics with their baselines.
        part: ``valid`` or ``test``; default: the last of them that was evaluated.

    Returns:
        How many users find their next item, by the model, by chance and by baselines; the held-out items that cannot
        be found, if any; the verdict, where baselines were evaluated.
    """
    parts = measured_parts(results)
    part = next(reversed(parts), None) if part is None else part
    if part is None:
        return []
    metrics, baselines = parts[part], results.get("baselines", {})
    by_name: dict[str, Figures] = baselines.get(part, {})  # type: ignore[assignment]
    said = [_in_words(metrics, by_name)] if TEN in metrics and "n_items" in metrics else []
    if metrics.get("ceiling", 1) < 1:
        said.append(
            f"{1 - metrics['ceiling']:.1%} of the held-out items cannot be found (ceiling {metrics['ceiling']:.3f}): "
            f"their users had them before, and seen items are not ranked"
        )
    if (verdict := baselines.get("verdicts", {}).get(part)) is not None:
        said.append(sentence(verdict, remedy(results)))
    other: dict[str, Figures] = baselines.get("other_way", {}).get(part, {})  # type: ignore[assignment]
    return [f"{part}: {one}" for one in (*said, *_again(other, metrics[SELECTION_METRIC]))]


def _again(other: dict[str, Figures], ours: float) -> list[str]:
    """A sentence where buying again, with seen items ranked, is better than the model."""
    again = best_baseline({name: values for name, values in other.items() if name in OF_SEEN_ITEMS})
    if again is None or other[again][SELECTION_METRIC] <= ours:
        return []
    figure = f"{SELECTION_METRIC} {other[again][SELECTION_METRIC]:.4f}"
    return [f"with seen items ranked, {again} reaches {figure}: {TASKS}"]


def remedy(results: Results) -> str:
    """What may make a model better than a baseline; more epochs only where the last one was the best."""
    best, done = results.get("best_epoch"), results.get("epochs")
    more = f"train for more epochs ({worded('--epochs', 'epochs=')}), or " if best is not None and best == done else ""
    return f"{more}search for settings that fit the log (elcrec tune)"


def sentence(verdict: Verdict, remedy: str) -> str:
    """A verdict in words.

    Args:
        verdict: The model and the best baseline, compared.
        remedy: What to try where the model is not better.
    """
    name, sure = verdict["baseline"], _probability(verdict["p"])
    figures = f"{verdict['metric']} {verdict['model']:.4f} against {verdict['best']:.4f}"
    if verdict["mean"] <= 0:
        advice = TASKS if name in OF_SEEN_ITEMS else remedy
        return f"not better than {name}, the best baseline ({figures}, {sure}): {advice}"
    times = "better than" if verdict["ratio"] is None else f"{verdict['ratio']:.2f} times"
    significant = "significant" if verdict["significant"] else "not significant"
    return f"{times} {name}, the best baseline ({figures}), {significant} ({sure})"


def _in_words(metrics: Metrics, by_name: dict[str, Figures]) -> str:
    of_baskets = "recall@10" in metrics
    what = "an item of their next basket" if of_baskets else "their next item"
    chance = metrics.get("chance@10") if of_baskets else min(1, 10 / metrics["n_items"])
    others = [] if chance is None else [f"{chance:.1%} by chance"]  # runs of earlier versions have none of baskets
    shown = dict.fromkeys(name for name in (POPULARITY, best_baseline(by_name)) if name in by_name)
    others += [f"{by_name[name][TEN]:.1%} by {name}" for name in shown]
    among = f" ({', '.join(others)}; a good model is clearly above)" if others else ""
    return f"{metrics[TEN]:.1%} of the users find {what} among ten{among}"


def _probability(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
