"""The command line: verbs, nothing more. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from elcrec.errors import ElcrecError, SettingsError

if TYPE_CHECKING:
    import polars as pl


INTERRUPTED = 130

app = typer.Typer(
    name="elcrec",
    help="Next-item recommendation that learns why people act: train, evaluate, recommend, look at intents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    Path,
    typer.Argument(
        help="The log: CSV, TSV, Parquet, JSON Lines, text lines 'user item item ...', or a name of 'elcrec data list'."
    ),
]
DataOption = Annotated[Path, typer.Option("--data", help="The log, in any of the formats of 'train'.")]
Run = Annotated[Path, typer.Argument(help="Run folder, as written by 'elcrec train'.")]
Out = Annotated[Path, typer.Option("--out", help="Run folder to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Format = Annotated[
    str | None,
    typer.Option("--format", help="text, csv, tsv, parquet or jsonl; default: by ending and content."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting; repeatable. 'elcrec settings' lists them."),
]
Unknown = Annotated[str, typer.Option(help="Unknown ids: raise (an error) or skip (leave them out).")]
Items = Annotated[
    Path | None,
    typer.Option("--items", help="What is known about the items: item_id, title, category, ..."),
]
Intents = Annotated[list[int] | None, typer.Option("--intent", metavar="N", help="Steer toward it; repeatable.")]
TopK = Annotated[int, typer.Option("-k", "--top", min=1, help="Items a list.")]


@app.command(
    epilog="Examples:\n\n  elcrec train events.csv --out runs/shop\n\n"
    "  elcrec train Beauty.txt --out runs/beauty --recipe paper --set epochs=100 --seed 7\n\n"
    "  elcrec train events.csv --out runs/shop --resume"
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
    device: Device = "auto",
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Learn from a log and write a run folder."""
    from elcrec.config import parse_override
    from elcrec.recommender import ELCRec
    from elcrec.run_folder import RunFolder

    overrides: dict[str, Any] = dict(parse_override(text) for text in sets or [])
    if seed is not None:
        overrides["seed"] = seed
    folder = RunFolder(out)
    if resume and folder.finished and not folder.checkpoint.exists() and not overwrite:
        model = ELCRec.load(out, device)
        _say(f"{out} is finished already: nothing to resume")
    else:
        if resume and folder.started and recipe is None:
            # Without a recipe of its own, a resumed training keeps all its settings.
            stored = folder.config()
            recipe = "default"
            overrides = {**stored["settings"].model_dump(), **overrides}
        model = ELCRec(recipe or "default", device=device, **overrides)
        model.fit(data, out, resume, overwrite, format=format, items=items, names_from=names_from)
    if as_json:
        _print_json({"run": str(out), **model.metrics})
    else:
        _say_metrics(model.metrics)
        _say(f"written to {out}: try  elcrec recommend {out} --user {model.users.ids[0]}  or  elcrec intents {out}")


@app.command(epilog="Example:\n\n  elcrec evaluate runs/beauty --data Beauty.txt --split test --json")
def evaluate(
    run: Run,
    data: DataOption,
    split: Annotated[str, typer.Option(help="valid or test.")] = "test",
    ranks: Annotated[Path | None, typer.Option(help="Also write each user's rank to this Parquet file.")] = None,
    unknown: Unknown = "raise",
    device: Device = "auto",
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Rank the full catalogue for every user's held-out item."""
    from elcrec.recommender import ELCRec

    metrics = ELCRec.load(run, device).evaluate(data, split, format, unknown, ranks)
    if ranks is not None:
        _say(f"ranks written to {ranks}")
    if as_json:
        _print_json(metrics)
    else:
        _say_metrics({split: metrics})


@app.command(
    epilog="Examples:\n\n  elcrec recommend runs/shop --user 42 --user 43 -k 5\n\n"
    "  elcrec recommend runs/shop --history milk,bread --json\n\n"
    "  elcrec recommend runs/shop --all --out lists.parquet\n\n"
    "  elcrec recommend runs/shop --user 42 --explain\n\n"
    "  elcrec recommend runs/shop --user 42 --intent 7 --strength 0.5 --exclude-intent 3"
)
def recommend(
    run: Run,
    user: Annotated[list[str] | None, typer.Option(help="A known user; repeatable.")] = None,
    history: Annotated[
        list[str] | None,
        typer.Option(metavar="ID,ID,...", help="Items of somebody new, oldest first; repeatable."),
    ] = None,
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
    unknown: Unknown = "raise",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Best next items, in your own ids."""
    import polars as pl

    from elcrec.recommender import ELCRec
    from elcrec.storage import write_frame

    if sum([bool(user), bool(history), everybody]) != 1:
        raise SettingsError("say for whom: --user ID, --history ID,ID,... or --all (one of them)")
    if everybody and out is None:
        raise SettingsError("--all needs --out FILE.parquet: the lists of all users are written there")
    model = ELCRec.load(run, device)
    exclude_seen = False if include_seen else None
    wishes: dict[str, Any] = {
        "explain": explain,
        "intents": intent or [],
        "exclude_intents": exclude_intent or [],
        "diversify": diversify,
        **({} if strength is None else {"strength": strength}),
    }
    if history:
        asked = [[part.strip() for part in text.split(",") if part.strip()] for text in history]
        lists = model.recommend_from_history(asked, k, exclude_seen, unknown, **wishes)
        lists = lists.select(pl.lit(None).alias("user_id"), pl.all())
    else:
        lists = model.recommend(None if everybody else user, k, exclude_seen, unknown, **wishes)
    if out is not None:
        write_frame(out, lists)
        _say(f"{len(lists):,} rows written to {out}")
        if as_json:
            _print_json({"out": str(out), "rows": len(lists)})
        return
    if explain and not as_json:
        from elcrec.explain.terminal import reasons_table

        _console().print(reasons_table(lists.drop("user_id") if history else lists, model.intent_names))
        return
    if explain:
        named = pl.col("intent").replace_strict(dict(enumerate(model.intent_names)), return_dtype=pl.String)
        lists = lists.with_columns(intent_name=named)
    _print_rows(lists, as_json)


@app.command(epilog="Example:\n\n  elcrec similar runs/shop --item milk -k 5")
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

    _print_rows(ELCRec.load(run, device).similar_items(item, k, unknown), as_json)


@app.command(
    epilog="Examples:\n\n  elcrec intents runs/shop --json\n\n"
    "  elcrec intents runs/shop --quality --items items.csv\n\n"
    "  elcrec intents runs/shop --against runs/other-seed\n\n  elcrec intents runs/shop --suggest-k"
)
def intents(
    run: Run,
    k: TopK = 5,
    rows: Annotated[int, typer.Option(min=1, help="Intents shown in the terminal.")] = 20,
    items: Items = None,
    quality: Annotated[
        bool, typer.Option("--quality", help="Whether they mean anything, beside k-means and chance.")
    ] = False,
    against: Annotated[Path | None, typer.Option(help="Another run: how far it found the same intents.")] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest-k", help="How many intents the data can tell apart, by a sweep.")
    ] = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """What the intents are: how many users each has, what those typically take."""
    from elcrec.explain.terminal import intent_panel
    from elcrec.recommender import ELCRec

    if sum([quality, against is not None, suggest]) > 1:
        raise SettingsError("one at a time: --quality, --against RUN or --suggest-k")
    model = ELCRec.load(run, device)
    if items is not None:
        model.describe_items(items)
    if suggest:
        _print_rows(model.suggest_n_intents(), as_json)
    elif quality:
        _print_measures(model.intent_quality(), as_json)
    elif against is not None:
        _print_measures(model.intent_stability(ELCRec.load(against, device)), as_json)
    else:
        health, table = model.intent_health(), model.intents(k)
        if as_json:
            rest = {"trend_periods": model.trend_periods, "intents": table.to_dicts()}
            _print_json({"n_intents": model.settings.n_intents, **health, **rest})
        else:
            _console().print(intent_panel(health, table, model.settings.n_intents, rows))


@app.command(epilog="Example:\n\n  elcrec rename runs/shop --intent 12 --name 'Nail polish'")
def rename(
    run: Run,
    intent: Annotated[int, typer.Option(metavar="N", help="Number of the intent.")],
    name: Annotated[str, typer.Option(help="Its name from now on; empty: the automatic one.")],
    as_json: Json = False,
) -> None:
    """Give an intent a name; a later training takes it over with --names-from."""
    from elcrec.recommender import ELCRec
    from elcrec.run_folder import RunFolder

    model = ELCRec.load(run, "cpu")
    model.rename_intents({intent: name})
    RunFolder(run).write_names(model.given_names)
    if as_json:
        _print_json({"intent": intent, "name": model.intent_names[intent]})
    else:
        _say(f"intent {intent} is called {model.intent_names[intent]!r}")


@app.command(epilog="Example:\n\n  elcrec audience runs/shop --intent 12 --min-weight 0.3 --out nail-polish.parquet")
def audience(
    run: Run,
    intent: Annotated[list[int], typer.Option(metavar="N", help="An intent; repeatable.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    min_weight: Annotated[float, typer.Option(min=0, max=1, help="Leave out who has less of it.")] = 0.0,
    top: Annotated[int, typer.Option(min=1, help="Count it among a user's this many nearest intents.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """The users of an intent as a file."""
    from elcrec.recommender import ELCRec

    found = ELCRec.load(run, device).audience(intent, out, min_weight, top)
    _say(f"{len(found):,} users written to {out}")
    if as_json:
        _print_json({"out": str(out), "users": len(found)})


@app.command(epilog="Example:\n\n  elcrec report runs/shop --items items.csv --out report.html")
def report(
    run: Run,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    items: Items = None,
    users: Annotated[int, typer.Option(min=0, help="Users whose journeys are shown, evenly over the intents.")] = 60,
    title: Annotated[str | None, typer.Option(help="Heading; default: the name of the run folder.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """A page to look into: map of users, intents, journeys with reasons. One file, works offline."""
    from elcrec.explain.report import render_report
    from elcrec.explain.report_data import report_document
    from elcrec.recommender import ELCRec
    from elcrec.storage import write_text

    model = ELCRec.load(run, device)
    if items is not None:
        model.describe_items(items)
    document = report_document(model, title or run.resolve().name, users, _say)
    write_text(out, render_report(document))
    _say(f"written to {out}: open it in a browser")
    if as_json:
        _print_json({"out": str(out), **{name: document[name] for name in ("title", "model", "health")}})


@app.command(
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
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Turn published weights into a run like any other."""
    from elcrec.config import parse_override
    from elcrec.recommender import ELCRec

    overrides = dict(parse_override(text) for text in sets or [])
    model = ELCRec.from_published(file, data, device, format, items, **overrides)
    model.save(out, overwrite)
    if as_json:
        _print_json({"run": str(out), **model.metrics})
    else:
        _say_metrics(model.metrics)
        _say(f"written to {out}")


@app.command(epilog="Example:\n\n  elcrec demo --difficulty 0.5")
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
    from elcrec.demo import run_demo, show_demo
    from elcrec.training.report import TerminalReporter

    _say(f"a shop with {users:,} customers and planted intents; training the default recipe on what they bought")
    result = run_demo(out, users, difficulty, seed, device, progress=TerminalReporter(every=10))
    if as_json:
        _print_json(result.document())
    else:
        show_demo(result, _console(), out)


data_app = typer.Typer(help="Public data sets by name: list, fetch, describe.", no_args_is_help=True)
app.add_typer(data_app, name="data")
Name = Annotated[str, typer.Argument(help="A name of 'elcrec data list'.")]


@data_app.command("list", epilog="Example:\n\n  elcrec data list --json")
def data_list(as_json: Json = False) -> None:
    """The data sets, and which of them are on this machine."""
    import polars as pl

    from elcrec.data.named import NAMED, cached

    rows = [
        {"name": name, "file": data.file, "here": str(cached(name) or ""), "bytes": data.size, "url": data.url}
        for name, data in NAMED.items()
    ]
    _print_rows(pl.DataFrame(rows), as_json)


@data_app.command(
    "fetch",
    epilog="Examples:\n\n  elcrec data fetch beauty toys\n\n  elcrec data fetch beauty --from ~/Downloads/Beauty.txt",
)
def data_fetch(
    name: Annotated[list[str], typer.Argument(help="Names of 'elcrec data list'.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL-OR-FILE", help="Take this copy; its checksum must be the same.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Download a data set once and check it; then its name can stand for a file."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from elcrec.data.named import fetch, named

    if source is not None and len(name) > 1:
        raise SettingsError("--from is one file: fetch one name at a time with it")
    paths = {}
    for one in name:
        named(one)  # all names are right before anything is downloaded
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        for one in name:
            bar.add_task(one, total=named(one).size)
            paths[one] = str(fetch(one, source, lambda done, whole: bar.update(bar.task_ids[-1], completed=done)))
    for one, path in paths.items():
        _say(f"{one}: {path}")
        _say(f"  {named(one).note}")
    if as_json:
        _print_json(paths)


@data_app.command("describe", epilog="Examples:\n\n  elcrec data describe beauty\n\n  elcrec data describe events.csv")
def data_describe(
    data: Data,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Size and shape of a log: a named one that was fetched, or any file."""
    from elcrec.data.interactions import Interactions
    from elcrec.data.named import NAMED

    summary = Interactions.read(data, format).summary()
    if str(data) in NAMED:
        summary = {**summary, "url": NAMED[str(data)].url, "note": NAMED[str(data)].note}
    if as_json:
        _print_json(summary)
        return
    for name, value in summary.items():
        if value is not None:
            typer.echo(f"{name:<14} {value:,}" if isinstance(value, int) else f"{name:<14} {_number(value)}")


@app.command(
    epilog="Examples:\n\n  elcrec tune events.csv --out tuned --trials 30\n\n"
    "  elcrec tune events.csv --out tuned --space space.toml --set epochs=20\n\n"
    "  elcrec train events.csv --recipe tuned/best.toml --out runs/shop\n\n"
    "A space is a TOML file with a table for each setting: low and high (and log = true), or choices."
)
def tune(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the search; a search that is there goes on.")],
    recipe: Annotated[
        str, typer.Option(help="What the trials start from; the first is the recipe itself.")
    ] = "default",
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of earlier calls counted.")] = 20,
    space: Annotated[Path | None, typer.Option(help="TOML file that says what is searched.")] = None,
    sets: Sets = None,
    seed: Annotated[int, typer.Option(help="Of the search and of every training.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Search for better settings, judged on validation alone; writes a recipe."""
    from elcrec.config import parse_override
    from elcrec.tuning import read_space
    from elcrec.tuning import tune as search

    overrides = dict(parse_override(text) for text in sets or [])
    found = search(data, out, recipe, trials, read_space(space), overrides, seed, device, _say)
    if as_json:
        document = {"recipe": str(found.recipe), "valid_ndcg@20": found.value, "settings": found.settings}
        _print_json({**document, "trials": found.trials.to_dicts()})
    else:
        _print_rows(found.trials, as_json)
        _say(f"best written to {found.recipe}: train with  elcrec train DATA --recipe {found.recipe} --out RUN")


@app.command(
    epilog="Examples:\n\n  elcrec benchmark benchmarks/suites/baselines.toml\n\n"
    "  elcrec benchmark my-study.toml --out results --dry-run\n\n"
    "  elcrec benchmark my-study.toml --only toys --tables"
)
def benchmark(
    suite: Annotated[Path, typer.Argument(help="The study: a TOML file, see docs/benchmark.md.")],
    out: Annotated[Path, typer.Option(help="Results go to a folder of the suite's name in it.")] = Path(
        "benchmarks/results"
    ),
    work: Annotated[Path, typer.Option(help="Run folders are kept here; an interrupted study goes on.")] = Path(
        "runs/benchmark"
    ),
    only: Annotated[str | None, typer.Option(metavar="TEXT", help="Only runs with this in their name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and stop.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Run nothing: tables of the results there are.")] = False,
    plots: Annotated[bool, typer.Option(help="Pictures in the HTML page; needs matplotlib.")] = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Run a study (data sets x recipes x seeds); tables with spread, paired tests and pictures."""
    import polars as pl

    from elcrec.benchmark.plots import pictures
    from elcrec.benchmark.run import result_path
    from elcrec.benchmark.study import run_study, study_lines, write_pages
    from elcrec.benchmark.suite import planned_runs, read_suite
    from elcrec.benchmark.summary import line_document, short_table

    study = read_suite(suite)
    folder = out / study.name
    runs = [] if tables else planned_runs(study, suite.parent)
    runs = [run for run in runs if only is None or only.lower() in run.name.lower()]
    if dry_run:
        planned = [{"row": run.row, "run": run.name, "done": result_path(folder, run).exists()} for run in runs]
        _print_rows(pl.DataFrame(planned), as_json)
        return
    if not tables:
        run_study(study, runs, folder, work / study.name, _say, device=device)
    lines = study_lines(study, folder)
    for path in write_pages(study, folder, lines, pictures(lines) if plots else []):
        _say(f"written to {path}")
    if as_json:
        _print_json([line_document(line) for line in lines])
    else:
        head, rows = short_table(lines)
        _print_rows(pl.DataFrame(rows, schema=head, orient="row"), as_json)


@app.command(epilog="Example:\n\n  elcrec settings --recipe paper-beauty")
def settings(
    recipe: Annotated[str, typer.Option(help="Show the values of this recipe.")] = "default",
    as_json: Json = False,
) -> None:
    """All settings, what they mean and their values in a recipe."""
    from elcrec.config import Settings, recipe_names, resolve

    resolved = resolve(recipe)
    if as_json:
        _print_json(resolved.model_dump())
        return
    for name, field in Settings.model_fields.items():
        _console().print(f"[bold]{name}[/] = {getattr(resolved, name)!r}  [dim]{field.description}[/]")
    _console().print(f"[dim]recipes: {', '.join(recipe_names())}[/]")


def _console(stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(highlight=False, stderr=stderr)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _say_metrics(metrics: dict[str, Any]) -> None:
    names = ("hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20")
    for part in ("valid", "test"):
        if part in metrics:
            values = "  ".join(f"{name} {metrics[part][name]:.4f}" for name in names)
            typer.echo(f"{part:<5}  {values}  ({metrics[part]['n_users']:,} users)")


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, default=str))


def _print_measures(measures: dict[str, Any], as_json: bool) -> None:
    """Plain values a line each, then a table of those that are measured of several things."""
    import polars as pl

    if as_json:
        _print_json(measures)
        return
    plain = {name: value for name, value in measures.items() if not isinstance(value, dict)}
    typer.echo("  ".join(f"{name} {_number(value)}" for name, value in plain.items() if value is not None))
    rows = [{"": name, **values} for name, values in measures.items() if isinstance(values, dict)]
    if rows:
        _print_rows(pl.DataFrame(rows), as_json)


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _print_rows(frame: pl.DataFrame, as_json: bool) -> None:
    if as_json:
        _print_json(frame.to_dicts())
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    shown = [name for name in frame.columns if frame[name].null_count() < len(frame) or not len(frame)]
    for name in shown:
        table.add_column(escape(name), justify="right" if frame[name].dtype.is_numeric() else "left")
    for row in frame.select(shown).iter_rows():
        table.add_row(*(escape(_number(value)) for value in row))
    _console().print(table)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0, 2 for the caller's mistakes with one line, 1 for ours."""
    try:
        code = app(arguments, standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code
            raise KeyboardInterrupt
    except ElcrecError as error:
        _say(f"elcrec: {error}")
        code = 2
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message.strip():
            _say(f"elcrec: {message} (see elcrec --help)")
        code = 2
    except OSError as error:
        _say(f"elcrec: {error}")
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        _say("elcrec: interrupted; an unfinished training goes on with --resume")
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
