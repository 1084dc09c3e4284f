"""``elcrec import-checkpoint``."""

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
    Items,
    Json,
    Out,
    Overwrite,
    Sets,
    overrides_of,
    source_of,
)

commands = typer.Typer()


@commands.command(
    "import-checkpoint",
    epilog="Example:\n\n  elcrec import-checkpoint beauty.safetensors --data Beauty.txt --out runs/published "
    "--set fusion=shift",
)
def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="Published ELCRec weights: a .safetensors or .pt file.")],
    data: DataOption,
    out: Out,
    sets: Sets = None,
    overwrite: Overwrite = False,
    items: Items = None,
    device: Device = "auto",
    columns: Columns = None,
    events: Events = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Import published ELCRec weights, and write them as a run folder."""
    from elcrec.recommender import ELCRec
    from elcrec.runs.run_folder import RunFolder
    from elcrec.training.fit import refuse_to_replace

    refuse_to_replace(RunFolder(out), overwrite)
    overrides = overrides_of(sets, columns=columns, events=events)
    model = ELCRec.from_published(file, source_of(data), device, format, items, **overrides)
    model.save(out, overwrite)
    if as_json:
        print_json({"run": str(out), **model.metrics})
    else:
        say_metrics(model.metrics)
        say(f"run written to {out}")
