"""``elcrec find``."""

from __future__ import annotations

from typing import Annotated

import typer

from elcrec.cli.output import print_rows, say
from elcrec.cli.parameters import Json, Run

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec find runs/films casab")
def find(
    run: Run,
    text: Annotated[str, typer.Argument(help="Part of an item's id or title; case does not matter.")],
    k: Annotated[int, typer.Option("-k", "--k", "--top", min=1, help="Number of items to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Find items by a part of their id or title; the ids are what the other commands take."""
    from elcrec.recommender import ELCRec

    found = ELCRec.load(run, "cpu").find_items(text, k)
    if found.is_empty():
        say(f"no id or title contains {text!r}")
    if as_json or not found.is_empty():
        print_rows(found, as_json)
