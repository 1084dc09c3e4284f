"""``elcrec audience``."""

from __future__ import annotations

from math import floor
from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import INTENT, Device, Json, Run, intents_of, table_file
from elcrec.process.wording import counted

commands = typer.Typer()


@commands.command(
    epilog="Example:\n\n  elcrec audience runs/shop --intent 12 --min-weight 0.3 --out nail-polish.parquet"
)
def audience(
    run: Run,
    intent: Annotated[list[str], typer.Option(metavar=INTENT, help="Number or given name of an intent; repeatable.")],
    out: Annotated[Path, typer.Option(help="File to write: .parquet, .csv or .jsonl.")],
    min_weight: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum weight of the intent for a user, 0 to 1.")
    ] = 0.0,
    top: Annotated[
        int, typer.Option(min=1, help="Include users who have the intent among their N nearest intents.")
    ] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Export the users of an intent (an audience) to a file."""
    from elcrec.recommender import ELCRec

    table_file(out, "--out")
    numbers, model = intents_of(run, "--intent", intent), ELCRec.load(run, device)
    found = model.audience(numbers, out, min_weight, top)
    say(f"{counted(len(found), 'user')} written to {out}")
    if found.is_empty() and min_weight > 0:
        weights = model.audience(numbers, top=top)["weight"].to_list()
        # Rounded down: as the next --min-weight it leaves a user.
        said = f"the highest weight is {floor(1e4 * max(weights)) / 1e4:.4f}" if weights else "none has the intent"
        say(f"--min-weight {min_weight:g} leaves no user: {said}")
    if as_json:
        print_json({"out": str(out), "users": len(found)})
