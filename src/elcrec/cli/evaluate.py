"""``elcrec evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say, say_metrics
from elcrec.cli.parameters import (
    Columns,
    DataOption,
    Device,
    Events,
    Format,
    Json,
    Run,
    Sets,
    Unknown,
    overrides_of,
    parquet_file,
    source_of,
)

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec evaluate runs/beauty --data Beauty.txt --split test --json")
def evaluate(
    run: Run,
    data: DataOption,
    split: Annotated[str, typer.Option(help="Held-out part: valid or test.")] = "test",
    ranks: Annotated[
        Path | None, typer.Option(help="Also write the rank of each user's held-out item to this Parquet file.")
    ] = None,
    baselines: Annotated[
        bool | None,
        typer.Option(
            "--baselines/--no-baselines",
            help="Evaluate the baselines, and compare the model with the best. Default: yes, but for --json.",
            show_default=False,
        ),
    ] = None,
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

    ranks = parquet_file(ranks, "--ranks")
    model, source = ELCRec.load(run, device), source_of(data)
    given = overrides_of(sets, columns, events=events)
    log = read_otherwise(source, format, model.settings, given) if given else source
    compared = model.settings.baselines and not as_json if baselines is None else baselines
    metrics = model.evaluate(log, split, format, unknown, ranks, baselines=compared)
    if note := repeat_warning(metrics["repeats"], model.settings.exclude_seen):
        say(f"warning: {note}")
    if ranks is not None:
        say(f"ranks written to {ranks}")
    if as_json:
        print_json(metrics)
    else:
        say_metrics({split: metrics, "baselines": metrics.get("baselines", {})})
