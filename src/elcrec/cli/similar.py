"""``elcrec similar``."""

from __future__ import annotations

from typing import Annotated

import typer

from elcrec.cli.output import print_rows
from elcrec.cli.parameters import Device, Json, Run, Unknown

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec similar runs/shop --item milk -k 5")
def similar(
    run: Run,
    item: Annotated[list[str], typer.Option(help="Id of an item; repeatable.")],
    k: Annotated[int, typer.Option("-k", "--top", min=1, help="Number of similar items per item.")] = 10,
    unknown: Unknown = "raise",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Find similar items: those whose embeddings have the highest cosine similarity."""
    from elcrec.recommender import ELCRec

    print_rows(ELCRec.load(run, device).similar_items(item, k, unknown), as_json)
