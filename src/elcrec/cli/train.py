"""``elcrec train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elcrec.cli.interrupts import again, keeps
from elcrec.cli.output import first_process, print_json, say, say_metrics
from elcrec.cli.parameters import (
    BatchSize,
    Columns,
    Data,
    Device,
    Epochs,
    Events,
    Format,
    Items,
    Json,
    NIntents,
    Out,
    Overwrite,
    Ray,
    Sets,
    Users,
    overrides_of,
    source_of,
)
from elcrec.errors import SettingsError
from elcrec.process.wording import counted

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec train events.csv --out runs/shop\n\n"
    "  elcrec train Beauty.txt --out runs/beauty --recipe paper --epochs 100 --seed 7\n\n"
    "  elcrec train events.csv --items items.csv --users users.csv --out runs/shop\n\n"
    "  elcrec train events.csv --out runs/shop --resume\n\n"
    "  elcrec train today.csv --from runs/yesterday --out runs/today\n\n"
    "  torchrun --nproc-per-node 2 -m elcrec.cli train events.csv --out runs/shop"
)
def train(
    data: Data,
    out: Out,
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe, a set of settings: default, paper, another shipped name, or a .toml file."),
    ] = None,
    sets: Sets = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    n_intents: NIntents = None,
    seed: Annotated[int | None, typer.Option(help="Random seed. Default: that of the recipe.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an interrupted training after its last finished epoch.")
    ] = False,
    overwrite: Overwrite = False,
    items: Items = None,
    users: Users = None,
    names_from: Annotated[
        Path | None, typer.Option(help="Earlier run: its intent names are carried over to the matching new intents.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Incremental training: continue from this run; DATA holds the new events."),
    ] = None,
    ray: Ray = None,
    device: Device = "auto",
    columns: Columns = None,
    events: Events = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Train a model on an interaction log and write a run folder."""
    short = {"epochs": epochs, "batch_size": batch_size, "n_intents": n_intents}
    overrides = overrides_of(sets, columns=columns, seed=seed, events=events, **short)
    read = {"format": format, "items": items, "users": users}
    if start is not None:
        given = {"--recipe": recipe, "--resume": resume or None, "--names-from": names_from, "--ray": ray}
        _refuse_with_from([option for option, value in given.items() if value is not None], overrides)
        model = _trained_incrementally(start, out, overwrite, device, source_of(data), {**read, **overrides})
    else:
        fit = {"data": source_of(data), **read, "names_from": names_from, "resume": resume, "overwrite": overwrite}
        model = _trained(out, recipe, overrides, device, fit, ray)
    if first_process():
        _show(model, out, start is not None, as_json)


def _refuse_with_from(options: list[str], overrides: dict[str, Any]) -> None:
    """Raise SettingsError for what incremental training cannot change."""
    from elcrec.data.by_settings import OF_LAYOUT

    free = ("epochs", *OF_LAYOUT)
    refused = [*options, *(f"{name}={value}" for name, value in overrides.items() if name not in free)]
    if refused:
        raise SettingsError(
            f"--from keeps all settings of the run but epochs, and how the new events are read "
            f"({', '.join(OF_LAYOUT)}): leave out {', '.join(refused)}"
        )


def _trained_incrementally(
    start: Path, out: Path, overwrite: bool, device: str, data: Path | list[Path], fit: dict[str, Any]
) -> ELCRec:
    """A saved run that was trained incrementally.

    Args:
        start: The run to continue from.
        out: Where to save.
        overwrite: Replace a run there.
        device: Where to train.
        data: The new events.
        fit: Other arguments of :meth:`ELCRec.partial_fit`, and settings of how the events are read.
    """
    from elcrec.config import resolve
    from elcrec.data.by_settings import OF_LAYOUT, read_new_otherwise
    from elcrec.recommender import ELCRec
    from elcrec.runs.run_folder import RunFolder
    from elcrec.training.fit import refuse_to_replace

    if "epochs" in fit:
        fit["epochs"] = resolve("default", {"epochs": fit["epochs"]}).epochs
    refuse_to_replace(RunFolder(out), overwrite)
    model = ELCRec.load(start, device)
    given = {name: fit.pop(name) for name in OF_LAYOUT if name in fit}
    newer: Any = data
    if given:
        newer = read_new_otherwise(data, fit["format"], model.fitted.dataset.whole_log, model.settings, given)
    model.partial_fit(newer, **fit)
    model.save(out, overwrite)
    return model


def _trained(
    out: Path, recipe: str | None, overrides: dict[str, Any], device: str, fit: dict[str, Any], ray: int | None
) -> ELCRec:
    """A run trained from scratch, or resumed; ``fit`` are the other arguments of :meth:`ELCRec.fit` than ``out``."""
    from elcrec.recommender import ELCRec

    finished = False
    if fit["resume"]:
        from elcrec.config import overridden
        from elcrec.runs.run_folder import RunFolder
        from elcrec.training.fit import nothing_to_train, settings_to_resume

        folder = RunFolder(out)
        finished = nothing_to_train(folder, fit["overwrite"])
        overrides = overridden(settings_to_resume(folder, recipe), overrides)
    made_with = {"recipe": recipe or "default", "device": device, **overrides}
    keeps(lambda: _kept(out))
    if ray is not None and not finished:
        _train_on_ray(ray, out, made_with, fit)
        return ELCRec.load(out, device)
    model = ELCRec(**made_with).fit(out=out, **fit)
    if finished:  # and was started with this log and these settings
        say(f"{out} is finished already: nothing to resume")
    return model


def _kept(out: Path) -> str | None:
    """What an interrupted training has left, and how it goes on; None: nothing."""
    from elcrec.runs.run_folder import RunFolder

    begun, command = RunFolder(out).unfinished, again("--resume", without=["--overwrite"])
    if begun is None:
        return None
    if not begun.checkpoint.exists():
        return f"no epoch was finished, {out} keeps settings and log: start again with  {command}"
    return f"finished epochs are kept in {out}: go on with  {command}"


def _train_on_ray(workers: int, out: Path, made_with: dict[str, Any], fit: dict[str, Any]) -> None:
    """Train on Ray; its workers run in folders of their own, so that all paths are absolute."""
    from elcrec.integrations.ray import train_on_ray

    several = fit["data"] if isinstance(fit["data"], list) else [fit["data"]]
    fit["data"] = source_of([path.resolve() if path.exists() else path for path in several])
    fit |= {name: fit[name] and fit[name].resolve() for name in ("items", "users", "names_from")}
    if made_with["recipe"].endswith(".toml"):
        made_with["recipe"] = str(Path(made_with["recipe"]).resolve())
    train_on_ray(workers, out, made_with, fit, gpu=made_with["device"].startswith("cuda"))


def _show(model: ELCRec, out: Path, incremental: bool, as_json: bool) -> None:
    """Print the metrics, what was new in the log, and what to do next."""
    if as_json:
        print_json({"run": str(out), **model.metrics})
        return
    if incremental and (new := model.metrics.get("learnt_on")):
        given = {"new event": new["new_events"], "new user": new["new_users"], "new item": new["new_items"]}
        size = ", ".join(counted(number, thing) for thing, number in given.items())
        known = counted(new["known_events"], "event", "was", "were")
        say(f"{size} ({known} in the log already); step size of the increment: {new['step']:.0%}")
    say_metrics(model.metrics)
    say(f"run written to {out}; try  elcrec recommend {out} --user {model.users.ids[0]}  or  elcrec intents {out}")
