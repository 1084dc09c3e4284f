"""``elcrec similar``."""

from __future__ import annotations

from typing import Annotated

import typer

from elcrec.cli.output import print_rows
from elcrec.cli.parameters import Device, IdsOnly, Json, Run, Unknown

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec similar runs/shop --item milk -k 5\n\n"
    "  elcrec similar runs/films --item 'Godfather, The'"
)
def similar(
    run: Run,
    item: Annotated[list[str], typer.Option(help="Id or whole title of an item; repeatable.")],
    k: Annotated[int, typer.Option("-k", "--k", "--top", min=1, help="Number of similar items per item.")] = 10,
    unknown: Unknown = "raise",
    ids_only: IdsOnly = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Find similar items: those whose embeddings have the highest cosine similarity."""
    from elcrec.recommender import ELCRec

    print_rows(ELCRec.load(run, device).similar_items(item, k, unknown, titles=not ids_only), as_json)
