"""``elcrec rename``."""

from __future__ import annotations

from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import INTENT, Json, Run, intents_of

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec rename runs/shop --intent 12 --name 'Nail polish'")
def rename(
    run: Run,
    intent: Annotated[str, typer.Option(metavar=INTENT, help="Number of the intent, or the name given to it before.")],
    name: Annotated[str, typer.Option(help="New name; an empty one restores the automatic name.")],
    as_json: Json = False,
) -> None:
    """Rename an intent; 'elcrec train --names-from RUN' carries the name over to a new model."""
    from elcrec.recommender import ELCRec

    [number] = intents_of(run, "--intent", [intent])
    model = ELCRec.load(run, "cpu")
    model.write_names(run, {number: name})
    if as_json:
        print_json({"intent": number, "name": model.intent_names[number]})
    else:
        say(f"the name of intent {number} is now {model.intent_names[number]!r}")
