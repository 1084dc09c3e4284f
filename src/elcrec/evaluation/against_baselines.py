"""A model next to the baselines, on the same held-out items or baskets."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.evaluation.baselines.comparison import Baselines, shown
from elcrec.evaluation.baselines.training_part import TrainingPart
from elcrec.evaluation.metrics import SELECTION_METRIC, BaselineMetrics, OtherWay, Results, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.evaluation.repeats import WORTH_SAYING, repeat_share
from elcrec.evaluation.verdict import best_baseline, remedy, verdict_of
from elcrec.fitted import FittedModel
from elcrec.process.progress import step

MODEL = "model"
"""Name of the model among baselines."""


@step("baselines")  # one bar for all of them: a log file gets a line a minute
def against_baselines(
    fitted: FittedModel, log: Interactions, split: Split, parts: Mapping[str, pl.Series], most: int | None = None
) -> BaselineMetrics:
    """Metrics of the baselines, by the protocol of the model.

    Where at least 1% of the held-out items repeat, the model and the baselines are evaluated the other way too: with
    seen items ranked where the model excludes them, and the other way round.

    Args:
        fitted: The model; its settings say whether seen items are ranked.
        log: Whose training part the baselines count.
        split: Of this log.
        parts: Of ``valid``, ``test`` or both the model's ranks of what is held out, [X] each; null: not ranked.
        most: Of more users, so many drawn by the seed.
    """
    settings, baselines = fitted.settings, Baselines(TrainingPart.of(log, split, len(fitted.items)))
    found: BaselineMetrics = {}
    other: OtherWay = {"exclude_seen": not settings.exclude_seen}
    for part, ranks in parts.items():
        _, histories = split.held_out(part, most, settings.seed)
        repeats = repeat_share(histories) >= WORTH_SAYING
        own, another = settings.exclude_seen, not settings.exclude_seen
        compared = baselines.compare(histories, (own, another) if repeats else (own,))
        found[part] = compared.metrics[own]  # type: ignore[literal-required]
        if (best := best_baseline(compared.metrics[own])) is not None:
            theirs_X = compared.ranks[own][best].double().numpy()
            ours_X, row_X = ranks.cast(pl.Float64).fill_null(float("nan")).to_numpy(), histories.targets[0]
            found.setdefault("verdicts", {})[part] = verdict_of(best, ours_X, theirs_X, row_X.cpu().numpy())
        if repeats:
            rank_X = ranks_of_ways(fitted.network, histories, (another,))[another]
            model = {MODEL: shown(metrics_of(histories, rank_X))}
            other[part] = {**model, **compared.metrics[another]}  # type: ignore[literal-required]
        if compared.left_out:
            found["left_out"] = {**found.get("left_out", {}), **compared.left_out}
    if len(other) > 1:
        found["other_way"] = other
    return found


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
        f"the baseline {best} is better than the model on validation ({SELECTION_METRIC}: {parts}): {remedy(results)}"
    )
