"""``elcrec tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.interrupts import again, keeps
from elcrec.cli.output import print_json, print_rows, say
from elcrec.cli.parameters import (
    BatchSize,
    Columns,
    Data,
    Device,
    Epochs,
    Events,
    Json,
    NIntents,
    Sets,
    overrides_of,
    source_of,
)

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec tune events.csv --out tuned --trials 30\n\n"
    "  elcrec tune events.csv --out tuned --space space.toml --epochs 20\n\n"
    "  elcrec train events.csv --recipe tuned/best.toml --out runs/shop\n\n"
    "A search space is a TOML file with a table for each setting: low and high (and log = true), or choices."
)
def tune(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the search; a search in it is continued.")],
    recipe: Annotated[
        str, typer.Option(help="Recipe to start from; the first trial is the recipe itself.")
    ] = "default",
    trials: Annotated[int, typer.Option(min=1, help="Total number of trials, including those of earlier calls.")] = 20,
    space: Annotated[
        Path | None,
        typer.Option(
            help="Search space: a TOML file. Default: learning rate, dropout, layers, epochs, horizon and smoothing."
        ),
    ] = None,
    sets: Sets = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    n_intents: NIntents = None,
    columns: Columns = None,
    events: Events = None,
    seed: Annotated[int, typer.Option(help="Random seed of the search and of every training.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Tune hyperparameters by validation ndcg@20 (Optuna), and write the best recipe. Needs the extra 'tune'."""
    from elcrec.experiments.tuning import tune as search
    from elcrec.experiments.tuning_space import read_space

    short = {"epochs": epochs, "batch_size": batch_size, "n_intents": n_intents}
    overrides = overrides_of(sets, columns=columns, events=events, **short)
    searched = None if space is None else read_space(space)
    keeps(lambda: _kept(out))
    found = search(source_of(data), out, recipe, trials, searched, overrides, seed, device, say)
    if as_json:
        document = {"recipe": str(found.recipe), "valid_ndcg@20": found.value, "settings": found.settings}
        print_json({**document, "trials": found.trials.to_dicts()})
    else:
        print_rows(found.trials, as_json)
        say(f"best recipe written to {found.recipe}; try  elcrec train DATA --recipe {found.recipe} --out RUN")


def _kept(out: Path) -> str | None:
    """What an interrupted search has left, and how it goes on; None: nothing."""
    from elcrec.experiments.tuning import BEST_FILE, STUDY_FILE

    if not (out / STUDY_FILE).exists():
        return None
    best = ", and the best recipe so far" if (out / BEST_FILE).exists() else ""
    return f"finished trials are kept in {out}{best}: go on with  {again()}"
