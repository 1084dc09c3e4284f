"""``elcrec demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import again, console, keeps, print_json, say
from elcrec.cli.parameters import Device, Json

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec demo --difficulty 0.5")
def demo(
    out: Annotated[Path, typer.Option("--out", help="Run folder to write; an earlier demo in it is replaced.")] = Path(
        "elcrec-demo"
    ),
    users: Annotated[int, typer.Option(min=1, help="Number of customers of the synthetic shop.")] = 5000,
    difficulty: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="How customers choose: 0 by their planted intent alone, 1 by item popularity alone."
        ),
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the shop and of the training.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train on a synthetic shop with planted intents, and compare with popularity and with the best possible."""
    from elcrec.experiments.demo import run_demo, show_demo
    from elcrec.training.report import TerminalReporter

    say(f"training on a synthetic shop: {users:,} customers with planted intents")
    keeps(lambda: f"the unfinished demo in {out} is replaced by  {again()}" if out.exists() else None)
    result = run_demo(out, users, difficulty, seed, device, progress=TerminalReporter(every=10))
    if as_json:
        print_json(result.document())
    else:
        show_demo(result, console(), out)
