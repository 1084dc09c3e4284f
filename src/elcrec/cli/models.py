"""Verbs that make a model and ask it for items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elcrec.cli.everybody import write_all_lists
from elcrec.cli.histories import histories_of
from elcrec.cli.output import console, first_process, print_json, print_measures, print_rows, say, say_metrics
from elcrec.cli.parameters import (
    Columns,
    Data,
    DataOption,
    Device,
    Format,
    Histories,
    HistoryFile,
    Intents,
    Items,
    Json,
    Out,
    Ray,
    Run,
    Sets,
    TopK,
    Unknown,
    overrides_of,
    parquet_file,
    source_of,
)
from elcrec.errors import RunError, SettingsError

if TYPE_CHECKING:
    import polars as pl

    from elcrec.recommender import ELCRec

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec train events.csv --out runs/shop\n\n"
    "  elcrec train Beauty.txt --out runs/beauty --recipe paper --set epochs=100 --seed 7\n\n"
    "  elcrec train events.csv --out runs/shop --resume\n\n"
    "  elcrec train today.csv --from runs/yesterday --out runs/today\n\n"
    "  torchrun --nproc-per-node 2 -m elcrec.cli train events.csv --out runs/shop"
)
def train(
    data: Data,
    out: Out,
    recipe: Annotated[str | None, typer.Option(help="default, paper, another shipped name, or a .toml file.")] = None,
    sets: Sets = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is there.")] = False,
    items: Items = None,
    names_from: Annotated[
        Path | None, typer.Option(help="An earlier run: names given to its intents go over to ours.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="Learn on from this run; DATA holds the new events alone.")
    ] = None,
    ray: Ray = None,
    device: Device = "auto",
    columns: Columns = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Learn from a log and write a run folder."""
    from elcrec.recommender import ELCRec
    from elcrec.runs.run_folder import RunFolder

    overrides = overrides_of(sets, columns)
    if seed is not None:
        overrides["seed"] = seed
    folder = RunFolder(out)
    if start is not None:
        given = {"--recipe": recipe, "--resume": resume or None, "--names-from": names_from, "--ray": ray}
        refused = [option for option, value in given.items() if value is not None]
        model = _learnt_on(start, source_of(data), out, overrides, refused, overwrite, device, format, items)
        model.save(out, overwrite)
    elif resume and folder.finished and folder.unfinished is None and not overwrite:
        model = ELCRec.load(out, device)
        say(f"{out} is finished already: nothing to resume")
    else:
        if resume and folder.started and recipe is None:
            # Without a recipe of its own, a resumed training keeps all its settings.
            stored = (folder.unfinished or folder).config()
            recipe = "default"
            overrides = {**stored["settings"].model_dump(), **overrides}
        fit: dict[str, Any] = {
            "data": source_of([path.resolve() if path.exists() else path for path in data]),
            "resume": resume,
            "overwrite": overwrite,
            "format": format,
            "items": items,
            "names_from": names_from,
        }
        made_with: dict[str, Any] = {"recipe": recipe or "default", "device": device, **overrides}
        if ray is None:
            model = ELCRec(**made_with).fit(out=out, **fit)
        else:
            from elcrec.integrations.ray import train_on_ray

            # Workers run in folders of their own.
            fit |= {name: path and path.resolve() for name, path in (("items", items), ("names_from", names_from))}
            if made_with["recipe"].endswith(".toml"):
                made_with["recipe"] = str(Path(made_with["recipe"]).resolve())
            train_on_ray(ray, out, made_with, fit, gpu=device.startswith("cuda"))
            model = ELCRec.load(out, device)
    if not first_process():
        return
    if as_json:
        print_json({"run": str(out), **model.metrics})
    else:
        if start is not None and (new := model.metrics.get("learnt_on")):
            say(
                f"{new['new_events']:,} new events ({new['new_users']:,} new users, {new['new_items']:,} new items; "
                f"{new['known_events']:,} were known): weights moved {new['step']:.0%} of the way"
            )
        say_metrics(model.metrics)
        say(f"written to {out}: try  elcrec recommend {out} --user {model.users.ids[0]}  or  elcrec intents {out}")


def _learnt_on(
    start: Path,
    data: Path | list[Path],
    out: Path,
    overrides: dict[str, Any],
    refused: list[str],
    overwrite: bool,
    device: str,
    format: str | None,
    items: Path | None,
) -> ELCRec:
    """A run that has learnt on; ``refused`` are options given that make no sense there."""
    from elcrec.config import resolve
    from elcrec.recommender import ELCRec
    from elcrec.runs.run_folder import RunFolder

    refused = [*refused, *(f"{name}={value}" for name, value in overrides.items() if name != "epochs")]
    if refused:
        raise SettingsError(f"--from keeps the settings of the run, but epochs: leave out {', '.join(refused)}")
    if RunFolder(out).started and not overwrite:
        raise RunError(f"{out} holds a run: choose another --out, or replace it with --overwrite")
    RunFolder(out).refuse_others()
    epochs: dict[str, Any] = {"epochs": resolve("default", overrides).epochs} if overrides else {}
    return ELCRec.load(start, device).partial_fit(data, format=format, items=items, **epochs)


@commands.command(epilog="Example:\n\n  elcrec evaluate runs/beauty --data Beauty.txt --split test --json")
def evaluate(
    run: Run,
    data: DataOption,
    split: Annotated[str, typer.Option(help="valid or test.")] = "test",
    ranks: Annotated[Path | None, typer.Option(help="Also write each user's rank to this Parquet file.")] = None,
    unknown: Unknown = "raise",
    device: Device = "auto",
    sets: Sets = None,
    columns: Columns = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Rank the full catalogue for every user's held-out item."""
    from elcrec.data.by_settings import read_otherwise
    from elcrec.evaluation.repeats import repeat_warning
    from elcrec.recommender import ELCRec

    ranks = parquet_file(ranks, "--ranks")
    model, source = ELCRec.load(run, device), source_of(data)
    given = overrides_of(sets, columns)
    log = read_otherwise(source, format, model.settings, given) if given else source
    metrics = model.evaluate(log, split, format, unknown, ranks)
    if note := repeat_warning(metrics["repeats"], model.settings.exclude_seen):
        say(f"warning: {note}")
    if ranks is not None:
        say(f"ranks written to {ranks}")
    if as_json:
        print_json(metrics)
    else:
        say_metrics({split: metrics})


@commands.command(
    epilog="Examples:\n\n  elcrec recommend runs/shop --user 42 --user 43 -k 5\n\n"
    "  elcrec recommend runs/shop --history milk,bread --json\n\n"
    "  elcrec recommend runs/shop --history-file basket.json\n\n"
    "  elcrec recommend runs/shop --all --out lists.parquet\n\n"
    "  elcrec recommend runs/shop --user 42 --explain\n\n"
    "  elcrec recommend runs/shop --user 42 --intent 7 --strength 0.5 --exclude-intent 3"
)
def recommend(
    run: Run,
    user: Annotated[list[str] | None, typer.Option(help="A known user; repeatable.")] = None,
    history: Histories = None,
    history_file: HistoryFile = None,
    everybody: Annotated[bool, typer.Option("--all", help="All known users; needs --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the lists to this Parquet file.")] = None,
    k: TopK = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also recommend what is in the history.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why: intent, its share, items behind it, rank without it.")
    ] = False,
    intent: Intents = None,
    exclude_intent: Annotated[
        list[int] | None, typer.Option(metavar="N", help="Score without what the user has of it; repeatable.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(min=0, max=1, help="How far --intent goes: 0 not at all, 1 all the way.")
    ] = None,
    diversify: Annotated[
        float, typer.Option(min=0, max=1, help="How far a list follows the mix of its user's intents.")
    ] = 0.0,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="For large catalogues: look the items up in an index, see 'index'.")
    ] = False,
    unknown: Unknown = "raise",
    ray: Ray = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Best next items, in your own ids."""
    import polars as pl

    from elcrec.recommender import ELCRec
    from elcrec.storage import write_frame

    new = bool(history) or history_file is not None
    if sum([bool(user), new, everybody]) != 1:
        raise SettingsError("say for whom: --user ID, --history ID,ID,... (or --history-file), or --all (one of them)")
    out = parquet_file(out, "--out")
    if everybody and out is None:
        raise SettingsError("--all needs --out FILE.parquet: the lists of all users are written there")
    if ray is not None and not everybody:
        raise SettingsError("--ray shares out the lists of all users: use it with --all")
    wishes: dict[str, Any] = {
        "exclude_seen": False if include_seen else None,
        "explain": explain,
        "intents": intent or [],
        "exclude_intents": exclude_intent or [],
        "diversify": diversify,
        "approximate": approximate,
        **({} if strength is None else {"strength": strength}),
    }
    if ray is not None and out is not None:
        from elcrec.integrations.ray import recommend_on_ray

        _say_written(recommend_on_ray(ray, run, out, k, **wishes), out, as_json)
        return
    model = ELCRec.load(run, device)
    if everybody and out is not None:
        _say_written(write_all_lists(model, out, k, wishes), out, as_json)
        return
    if new:
        asked = histories_of(history or [], history_file)
        lists = model.recommend_from_history(asked, k, unknown=unknown, **wishes)
        lists = lists.select(pl.lit(None).alias("user_id"), pl.all())
    else:
        lists = model.recommend(user, k, unknown=unknown, **wishes)
    if out is not None:
        write_frame(out, lists)
        _say_written(len(lists), out, as_json)
        return
    _show_lists(model, lists, explain, as_json)


def _say_written(rows: int, out: Path, as_json: bool) -> None:
    say(f"{rows:,} rows written to {out}")
    if as_json:
        print_json({"out": str(out), "rows": rows})


def _show_lists(model: ELCRec, lists: pl.DataFrame, explain: bool, as_json: bool) -> None:
    """Lists for people or programs; reasons with the names of their intents."""
    import polars as pl

    if explain and not as_json:
        from elcrec.cli.tables import reasons_table

        # Nobody's id where only a history is known.
        known = lists if lists["user_id"].null_count() < len(lists) else lists.drop("user_id")
        console().print(reasons_table(known, model.intent_names))
        return
    if explain:
        named = pl.col("intent").replace_strict(dict(enumerate(model.intent_names)), return_dtype=pl.String)
        lists = lists.with_columns(intent_name=named)
    print_rows(lists, as_json)


@commands.command(
    epilog="Example:\n\n  elcrec index runs/shop && elcrec recommend runs/shop --all --out lists.parquet --approximate"
)
def index(run: Run, device: Device = "auto", as_json: Json = False) -> None:
    """Index the items of a large catalogue for approximate search, and see what it misses."""
    from elcrec.recommender import ELCRec

    model = ELCRec.load(run, device)
    model.item_search = model.make_item_search()
    path = model.write_item_search(run, model.item_search)
    measures = {"index": str(path), "items": len(model.items), **model.search_quality()}
    if as_json:
        print_json(measures)
        return
    say(f"written to {path}")
    print_measures({name: value for name, value in measures.items() if name != "index"}, as_json)


@commands.command(epilog="Example:\n\n  elcrec similar runs/shop --item milk -k 5")
def similar(
    run: Run,
    item: Annotated[list[str], typer.Option(help="An item; repeatable.")],
    k: TopK = 10,
    unknown: Unknown = "raise",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Items like an item."""
    from elcrec.recommender import ELCRec

    print_rows(ELCRec.load(run, device).similar_items(item, k, unknown), as_json)


@commands.command(
    "import-checkpoint",
    epilog="Example:\n\n  elcrec import-checkpoint beauty.safetensors --data Beauty.txt --out runs/published "
    "--set fusion=shift",
)
def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="Published ELCRec weights: .safetensors or .pt.")],
    data: DataOption,
    out: Out,
    sets: Sets = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is there.")] = False,
    items: Items = None,
    device: Device = "auto",
    columns: Columns = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Turn published weights into a run like any other."""
    from elcrec.recommender import ELCRec

    overrides = overrides_of(sets, columns)
    model = ELCRec.from_published(file, source_of(data), device, format, items, **overrides)
    model.save(out, overwrite)
    if as_json:
        print_json({"run": str(out), **model.metrics})
    else:
        say_metrics(model.metrics)
        say(f"written to {out}")


@commands.command(epilog="Example:\n\n  elcrec demo --difficulty 0.5")
def demo(
    out: Annotated[Path, typer.Option("--out", help="Run folder to write; an earlier demo there is replaced.")] = Path(
        "elcrec-demo"
    ),
    users: Annotated[int, typer.Option(min=1, help="Customers of the shop.")] = 5000,
    difficulty: Annotated[float, typer.Option(min=0, max=1, help="0: the intent decides; 1: popularity does.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of the shop and the training.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """A shop with planted intents: train, compare with what is possible, show intents and recommendations."""
    from elcrec.experiments.demo import run_demo, show_demo
    from elcrec.training.report import TerminalReporter

    say(f"a shop with {users:,} customers and planted intents; training on what they bought")
    result = run_demo(out, users, difficulty, seed, device, progress=TerminalReporter(every=10))
    if as_json:
        print_json(result.document())
    else:
        show_demo(result, console(), out)


@commands.command(epilog="Example:\n\n  elcrec settings --recipe paper-beauty")
def settings(
    recipe: Annotated[str, typer.Option(help="Show the values of this recipe.")] = "default",
    as_json: Json = False,
) -> None:
    """All settings, what they mean and their values in a recipe."""
    from elcrec.config import Settings, recipe_names, resolve

    resolved = resolve(recipe)
    if as_json:
        print_json(resolved.model_dump())
        return
    for name, field in Settings.model_fields.items():
        console().print(f"[bold]{name}[/] = {getattr(resolved, name)!r}  [dim]{field.description}[/]")
    console().print(f"[dim]recipes: {', '.join(recipe_names())}[/]")
