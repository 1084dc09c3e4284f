"""The README of a run folder, a model card: the model, its training data, its results."""

from __future__ import annotations

from typing import Any

from elcrec.config import Settings
from elcrec.data.kinds import said_kinds
from elcrec.evaluation.metrics import (
    SELECTION_METRIC,
    BaselineMetrics,
    Metrics,
    OtherWay,
    measured_parts,
    shown_metrics,
)
from elcrec.evaluation.verdict import findings
from elcrec.process.wording import counted
from elcrec.runs.records import RunMetrics


def model_card(recipe: str, settings: Settings, data: dict[str, Any], metrics: RunMetrics) -> str:
    """Markdown.

    Args:
        recipe: Name of the recipe.
        settings: Resolved settings.
        data: See :meth:`elcrec.data.interactions.Interactions.summary`; and what is said of item ``features``.
        metrics: As in ``metrics.json``.
    """
    lines = [
        "# An elcrec model",
        "",
        f"Next-item recommendation with {counted(settings.n_intents, 'learned intent')} "
        "(ELCRec, Liu et al., NeurIPS 2024). Load it with `elcrec.ELCRec.load(folder)`.",
        "",
        "## Data",
        "",
        f"{counted(data['rows'], 'interaction')} of {counted(data['users'], 'user')} with "
        f"{counted(data['items'], 'item')}; "
        f"histories of {data['length_min']} to {data['length_max']} items, {data['length_mean']:.1f} on average.",
    ]
    if data["first"] is not None:
        lines.append(f"From {data['first']} to {data['last']}.")
    said = [*said_kinds(settings, data.get("kinds")), *_inputs(settings), *data.get("features", [])]
    if said:
        lines += ["", *(f"- {one[0].upper()}{one[1:]}." for one in said)]
    lines += [
        "",
        "## Results",
        "",
        *_results(settings, metrics),
        "",
        "## Settings",
        "",
        f"Recipe `{recipe}`:",
        "",
    ]
    lines += [f"- `{name}` = `{value}`" for name, value in settings.model_dump().items() if value is not None]
    lines += [
        "",
        "## Limits",
        "",
        "It knows only the items in `vocabulary.parquet`; a user needs at least one of them. The folder holds the "
        "training log (`interactions.parquet`): treat it as you treat that data.",
    ]
    return "\n".join(lines) + "\n"


def _inputs(settings: Settings) -> list[str]:
    """What the model reads of events in addition to their items."""
    if settings.event_inputs == "none":
        return []
    kinds = f"their kinds ({', '.join(settings.input_kinds)})" if settings.reads_kinds else ""
    gaps = "the times between them" if settings.reads_gaps else ""
    read = " and ".join(part for part in (kinds, gaps) if part)
    return [f"of the events of a history the model reads, in addition to the items, {read} (`event_inputs`)"]


def _results(settings: Settings, metrics: RunMetrics) -> list[str]:
    seen = "items already in the history are not ranked" if settings.exclude_seen else "all items are ranked"
    protocol = f"Split `{settings.split}`, full catalogue, {seen}, ties count against the model."
    parts = measured_parts(metrics)
    said = [f"- {one}." for part in parts for one in findings(metrics, part)]
    lines = [protocol, "", *_table(parts), "", *said, *([""] if said else [])]
    lines += _baselines(metrics.get("baselines", {}))
    if metrics.get("n_users", 0) > settings.judged_users:
        sampled = f"{settings.judged_users:,} of {metrics['n_users']:,} users"
        lines += [f"Evaluated on {sampled}, sampled by the seed (`judged_users`); `elcrec evaluate` evaluates all.", ""]
    return lines + _repeats(parts, settings.exclude_seen) + _training(settings, metrics)


def _table(parts: dict[str, Metrics]) -> list[str]:
    names = shown_metrics(parts.values())
    table = [f"| | {' | '.join(names)} | users |", "|-" * (len(names) + 2) + "|"]
    for part, found in parts.items():
        values = " | ".join(f"{found[name]:.4f}" for name in names)  # type: ignore[literal-required]
        table.append(f"| {part} | {values} | {found['n_users']:,} |")
    return table


def _repeats(parts: dict[str, Metrics], exclude_seen: bool) -> list[str]:
    repeated = {part: found["repeats"] for part, found in parts.items() if found["repeats"]}
    if not repeated:
        return []
    shares = ", ".join(f"{share:.1%} ({part})" for part, share in repeated.items())
    outcome = "they are never found" if exclude_seen else "they are ranked like others"
    return [f"Held-out items that their user had before: {shares}; {outcome}.", ""]


def _training(settings: Settings, metrics: RunMetrics) -> list[str]:
    """What is known of the training and of the intents; imported weights have no best epoch."""
    lines = []
    if "best_epoch" in metrics:
        seconds = metrics["train_seconds"]
        lines.append(
            f"Best of {counted(metrics['epochs'], 'epoch')} by validation ndcg@20: epoch {metrics['best_epoch']}; "
            f"{seconds:.0f} s of training; seed {settings.seed}."
        )
    if "intents" in metrics:
        intents = metrics["intents"]
        lines.append(
            f"Intents: {intents['used']} of {settings.n_intents} in use, effectively {intents['effective']:.1f}; "
            f"the largest holds {intents['largest_share']:.1%} of the users."
        )
    return lines


def _baselines(found: BaselineMetrics) -> list[str]:
    """Tables of the baselines, the best first, by the protocol of the model and the other way."""
    other = found.get("other_way", {})
    seen = "excluded" if other.get("exclude_seen") else "ranked"
    lines = _table_of("Baselines, evaluated alike", found) + _table_of(f"With seen items {seen}", other)
    left_out = [f"`{name}` ({reason})" for name, reason in found.get("left_out", {}).items()]
    return [*lines, f"Baselines left out: {', '.join(left_out)}.", ""] if left_out else lines


def _table_of(title: str, found: BaselineMetrics | OtherWay) -> list[str]:
    parts = {"valid": found.get("valid", {}), "test": found.get("test", {})}
    metrics = shown_metrics(values for by_name in parts.values() for values in by_name.values())
    rows = [
        f"| {part} | {name} | {' | '.join(f'{values[metric]:.4f}' for metric in metrics)} |"
        for part, by_name in parts.items()
        for name, values in sorted(by_name.items(), key=lambda pair: -pair[1][SELECTION_METRIC])
    ]
    header = [f"| | | {' | '.join(metrics)} |", "|-" * (len(metrics) + 2) + "|"]
    return [f"{title}:", "", *header, *rows, ""] if rows else []
