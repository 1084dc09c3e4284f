"""``elcrec rename``."""

from __future__ import annotations

from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Json, Run

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec rename runs/shop --intent 12 --name 'Nail polish'")
def rename(
    run: Run,
    intent: Annotated[int, typer.Option(metavar="N", help="Number of the intent.")],
    name: Annotated[str, typer.Option(help="New name; an empty one restores the automatic name.")],
    as_json: Json = False,
) -> None:
    """Rename an intent; 'elcrec train --names-from RUN' carries the name over to a new model."""
    from elcrec.recommender import ELCRec

    model = ELCRec.load(run, "cpu")
    model.write_names(run, {intent: name})
    if as_json:
        print_json({"intent": intent, "name": model.intent_names[intent]})
    else:
        say(f"the name of intent {intent} is now {model.intent_names[intent]!r}")
