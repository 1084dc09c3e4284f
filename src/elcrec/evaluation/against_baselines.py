"""A model next to the baselines, on the same held-out items or baskets."""

from __future__ import annotations

from collections.abc import Iterable

from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.evaluation.baselines.comparison import Baselines, shown
from elcrec.evaluation.baselines.training_part import TrainingPart
from elcrec.evaluation.metrics import SELECTION_METRIC, BaselineMetrics, Figures, OtherWay, Results, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.evaluation.repeats import WORTH_SAYING, repeat_share
from elcrec.fitted import FittedModel

MODEL = "model"
"""Name of the model among baselines."""


def against_baselines(
    fitted: FittedModel, log: Interactions, split: Split, parts: Iterable[str], most: int | None = None
) -> BaselineMetrics:
    """Metrics of the baselines, by the protocol of the model.

    Where at least 1% of the held-out items repeat, the model and the baselines are evaluated the other way too: with
    seen items ranked where the model excludes them, and the other way round.

    Args:
        fitted: The model; its settings say whether seen items are ranked.
        log: Whose training part the baselines count.
        split: Of this log.
        parts: ``valid``, ``test`` or both.
        most: Of more users, so many drawn by the seed.
    """
    settings, baselines = fitted.settings, Baselines(TrainingPart.of(log, split, len(fitted.items)))
    found: BaselineMetrics = {}
    other: OtherWay = {"exclude_seen": not settings.exclude_seen}
    for part in parts:
        _, histories = split.held_out(part, most, settings.seed)
        repeats = repeat_share(histories) >= WORTH_SAYING
        own, another = settings.exclude_seen, not settings.exclude_seen
        compared = baselines.compare(histories, (own, another) if repeats else (own,))
        found[part] = compared.metrics[own]  # type: ignore[literal-required]
        if repeats:
            rank_X = ranks_of_ways(fitted.network, histories, (another,))[another]
            model = {MODEL: shown(metrics_of(histories, rank_X))}
            other[part] = {**model, **compared.metrics[another]}  # type: ignore[literal-required]
        if compared.left_out:
            found["left_out"] = {**found.get("left_out", {}), **compared.left_out}
    if len(other) > 1:
        found["other_way"] = other
    return found


def best_baseline(by_name: dict[str, Figures]) -> str | None:
    """The one with the best :data:`SELECTION_METRIC`; None of none."""
    return max(by_name, key=lambda name: by_name[name][SELECTION_METRIC], default=None)


def baseline_warning(results: Results) -> str | None:
    """What to say where the best baseline on validation is better than the model; None where it is not."""
    baselines = results.get("baselines", {})
    best = best_baseline(baselines.get("valid", {}))
    if best is None or results["valid"][SELECTION_METRIC] >= baselines["valid"][best][SELECTION_METRIC]:
        return None

    def figures(part: str) -> str:
        ours, theirs = (each[SELECTION_METRIC] for each in (results[part], baselines[part][best]))  # type: ignore[literal-required]
        return f"{part} {theirs:.4f} against {ours:.4f}"

    parts = ", ".join(figures(part) for part in ("valid", "test") if part in results and part in baselines)
    return (
        f"the baseline {best} is better than the model ({SELECTION_METRIC}: {parts}): train for more epochs (--set "
        "epochs=), or search for settings that fit the log (elcrec tune)"
    )
