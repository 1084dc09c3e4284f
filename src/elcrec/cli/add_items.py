"""``elcrec add-items``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Json, Out, Overwrite, Run

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec add-items runs/shop --items new.csv --out runs/shop-today\n\n"
    "  elcrec add-items runs/shop --items new.csv --out runs/shop-today --popularity 0.9"
)
def add_items(
    run: Run,
    items: Annotated[Path, typer.Option(help="Metadata of the new items, as for 'elcrec train --items'.")],
    out: Out,
    popularity: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="QUANTILE",
            help="How much new items are shown: 0.5: as popular as their features say; higher: more popular, by what "
            "lies between the median of the known items and this quantile. Default: 0.8.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Add items without events to a model that learned from item metadata, and write a new run."""
    from elcrec.inference.policy import POPULARITY
    from elcrec.recommender import ELCRec
    from elcrec.runs.run_folder import RunFolder
    from elcrec.training.fit import refuse_to_replace

    refuse_to_replace(RunFolder(out), overwrite)
    model = ELCRec.load(run, "cpu")
    before = len(model.items)
    model.add_items(items, POPULARITY if popularity is None else popularity)
    model.save(out, overwrite=overwrite)
    added = model.items.ids[before:]
    if as_json:
        print_json({"out": str(out), "added": len(added), "n_items": len(model.items), "items": added.to_list()})
    else:
        say(f"{out}: {len(added):,} new items, {len(model.items):,} in all")
