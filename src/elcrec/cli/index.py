"""``elcrec index``."""

from __future__ import annotations

import typer

from elcrec.cli.output import print_json, print_measures, say
from elcrec.cli.parameters import Device, Json, Run

commands = typer.Typer()


@commands.command(
    epilog="Example:\n\n  elcrec index runs/shop && "
    "elcrec recommend runs/shop --all --out recommendations.parquet --approximate"
)
def index(run: Run, device: Device = "auto", as_json: Json = False) -> None:
    """Build an approximate nearest-neighbour index of the items, and measure its recall and speed."""
    from elcrec.recommender import ELCRec

    model = ELCRec.load(run, device)
    model.item_search = model.make_item_search()
    path = model.write_item_search(run, model.item_search)
    measures = {"items": len(model.items), **model.search_quality()}
    if as_json:
        print_json({"index": str(path), **measures})
        return
    say(f"index written to {path}")
    print_measures(measures, as_json)
