"""``elcrec evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say, say_metrics
from elcrec.cli.parameters import (
    Columns,
    Device,
    Events,
    Format,
    Json,
    Run,
    Sets,
    Unknown,
    excludes_seen,
    overrides_of,
    refuse_unused,
    source_of,
    table_file,
)

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec evaluate runs/beauty\n\n"
    "  elcrec evaluate runs/beauty --data Beauty.txt --split test --json"
)
# reason: options of a verb
def evaluate(
    run: Run,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            help="Interaction log, in any format that 'train' reads; repeatable for several files. Default: the log "
            "that the run holds.",
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Held-out part: valid or test.")] = "test",
    ranks: Annotated[
        Path | None,
        typer.Option(help="Also write the rank of each user's held-out item to this file: .parquet, .csv or .jsonl."),
    ] = None,
    baselines: Annotated[
        bool | None,
        typer.Option(
            "--baselines/--no-baselines",
            help="Evaluate the baselines, and compare the model with the best. Default: yes, but for --json.",
            show_default=False,
        ),
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Rank items of the history too, whatever the run was trained to do.")
    ] = False,
    exclude_seen: Annotated[
        bool,
        typer.Option("--exclude-seen", help="Do not rank items of the history, whatever the run was trained to do."),
    ] = False,
    unknown: Unknown = "raise",
    device: Device = "auto",
    sets: Sets = None,
    columns: Columns = None,
    events: Events = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Evaluate a model: rank the full catalogue for each user's held-out item."""
    from elcrec.data.by_settings import read_otherwise
    from elcrec.evaluation.repeats import repeat_warning
    from elcrec.recommender import ELCRec

    table_file(ranks, "--ranks")
    seen = excludes_seen(include_seen, exclude_seen)
    if not data:
        unused = {"set": sets, "columns": columns, "events": events, "format": format, "unknown": unknown != "raise"}
        refuse_unused("it says how --data is read, and --data is missing", **unused)
    given = overrides_of(sets, columns=columns, events=events)
    model, source = ELCRec.load(run, device), source_of(data) if data else None
    log = read_otherwise(source, format, model.settings, given) if given else source
    compared = model.settings.baselines and not as_json if baselines is None else baselines
    metrics = model.evaluate(log, split, format, unknown, ranks, baselines=compared, exclude_seen=seen)
    if note := repeat_warning(metrics["repeats"], model.settings.exclude_seen if seen is None else seen):
        say(f"warning: {note}")
    if ranks is not None:
        say(f"ranks written to {ranks}")
    if as_json:
        print_json(metrics)
    else:
        say_metrics({split: metrics, "baselines": metrics.get("baselines", {})})
