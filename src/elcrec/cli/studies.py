"""Verbs of studies: data sets, search for settings, benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import console, number, print_json, print_rows, say
from elcrec.cli.parameters import Columns, Data, Device, Format, Json, Sets, overrides_of, source_of
from elcrec.errors import SettingsError

commands = typer.Typer()
public_data = typer.Typer(
    help="Public data sets by name; any log described, one of any size generated.", no_args_is_help=True
)
commands.add_typer(public_data, name="data")


@public_data.command("list", epilog="Example:\n\n  elcrec data list --json")
def data_list(as_json: Json = False) -> None:
    """The data sets, and which of them are on this machine."""
    import polars as pl

    from elcrec.data.named import NAMED, cached

    rows = [
        {"name": name, "file": data.file, "here": str(cached(name) or ""), "bytes": data.size, "url": data.url}
        for name, data in NAMED.items()
    ]
    print_rows(pl.DataFrame(rows), as_json)


@public_data.command(
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
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        for one in name:
            bar.add_task(one, total=named(one).size)
            paths[one] = str(fetch(one, source, lambda done, whole: bar.update(bar.task_ids[-1], completed=done)))
    for one, path in paths.items():
        say(f"{one}: {path}")
        say(f"  {named(one).note}")
    if as_json:
        print_json(paths)


@public_data.command(
    "check",
    epilog="Examples:\n\n  elcrec data check events.csv\n\n"
    "  elcrec data check ratings.dat --columns user_id,item_id,_,timestamp\n\n"
    "  elcrec data check sales.csv --set time_format=%d/%m/%Y --set missing=drop --json",
)
def data_check(
    log: Data, columns: Columns = None, format: Format = None, sets: Sets = None, as_json: Json = False
) -> None:
    """Show how a log is understood: its format, columns, times, first events, and what looks odd."""
    from elcrec.cli.check import show_check
    from elcrec.config import resolve
    from elcrec.data.by_settings import layout
    from elcrec.data.check import check_log

    asked = layout(format, resolve("default", overrides_of(sets, columns)))
    with console(stderr=True).status(f"reading {source_of(log)}"):
        document = check_log(source_of(log), asked)
    if as_json:
        print_json(document)
    else:
        show_check(document)


@public_data.command(
    "describe", epilog="Examples:\n\n  elcrec data describe beauty\n\n  elcrec data describe events.csv"
)
def data_describe(
    data: Data, columns: Columns = None, format: Format = None, sets: Sets = None, as_json: Json = False
) -> None:
    """Size and shape of a log: a named one that was fetched, or any file."""
    from elcrec.config import resolve
    from elcrec.data.by_settings import filtered, read_log
    from elcrec.data.named import NAMED

    source, s = source_of(data), resolve("default", overrides_of(sets, columns))
    summary = filtered(read_log(source, format, s), s).summary()
    if str(source) in NAMED:
        summary = {**summary, "url": NAMED[str(source)].url, "note": NAMED[str(source)].note}
    if as_json:
        print_json(summary)
        return
    for name, value in summary.items():
        if value is not None:
            typer.echo(f"{name:<14} {value:,}" if isinstance(value, int) else f"{name:<14} {number(value)}")


@public_data.command(
    "prepare",
    epilog="Examples:\n\n  elcrec data prepare events.parquet --out sorted.parquet\n\n"
    "  elcrec data prepare log.csv --out log.parquet --set user_column=customer --set k_core=5\n\n"
    "  elcrec train sorted.parquet --recipe large --out runs/shop",
)
def data_prepare(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE.parquet", help="File to write; one that is there is replaced.")],
    columns: Columns = None,
    format: Format = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Check, filter and sort a log once; later commands read the file in seconds."""
    from elcrec.config import resolve
    from elcrec.data.by_settings import filtered, read_log

    if out.suffix != ".parquet":
        raise SettingsError(f"--out {out}: a prepared log is a Parquet file, name it {out.with_suffix('.parquet')}")
    s = resolve("default", overrides_of(sets, columns))
    source = source_of(data)
    with console(stderr=True).status(f"reading {source}, checking, sorting"):
        log = filtered(read_log(source, format, s), s)
        log.write(out)
    users = len(log.lengths())
    say(f"{len(log):,} interactions of {users:,} users written to {out}: go on with  elcrec train {out} --out RUN")
    if as_json:
        print_json({"out": str(out), "rows": len(log), "users": users})


@public_data.command(
    "generate",
    epilog="Examples:\n\n  elcrec data generate --out company.parquet\n\n"
    "  elcrec data generate --out small.parquet --users 50000 --items 10000 --interactions 1000000 --seed 7 "
    "--metadata items.parquet",
)
def data_generate(
    out: Annotated[Path, typer.Option(help="Parquet file to write; one that is there is replaced.")],
    users: Annotated[int, typer.Option(help="Users.")] = 5_000_000,
    items: Annotated[int, typer.Option(help="Items.")] = 1_000_000,
    interactions: Annotated[int, typer.Option(help="Rows of the log.")] = 100_000_000,
    intents: Annotated[int, typer.Option(help="Planted intents.")] = 256,
    difficulty: Annotated[float, typer.Option(help="0: the intent decides; 1: the crowd does.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same file.")] = 1,
    metadata: Annotated[
        Path | None, typer.Option(help="Also write the items with their planted intents, for --items of 'train'.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a made-up company's log: planted intents that drift, Zipf's law, rows in order of time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from elcrec.data.company import Company, write_company
    from elcrec.storage import write_frame

    company = Company(users, items, interactions, intents, difficulty, seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("interactions", total=interactions)
        write_company(company, out, lambda done: bar.update(task, completed=done))
    say(f"{interactions:,} interactions of {users:,} users with {items:,} items written to {out}")
    if metadata is not None:
        write_frame(metadata, company.catalogue())
        say(f"items written to {metadata}")
    if as_json:
        print_json({"out": str(out), "rows": interactions, "metadata": None if metadata is None else str(metadata)})


@commands.command(
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
    columns: Columns = None,
    seed: Annotated[int, typer.Option(help="Of the search and of every training.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Search for better settings, judged on validation alone; writes a recipe."""
    from elcrec.experiments.tuning import tune as search
    from elcrec.experiments.tuning_space import read_space

    overrides = overrides_of(sets, columns)
    searched = None if space is None else read_space(space)
    found = search(source_of(data), out, recipe, trials, searched, overrides, seed, device, say)
    if as_json:
        document = {"recipe": str(found.recipe), "valid_ndcg@20": found.value, "settings": found.settings}
        print_json({**document, "trials": found.trials.to_dicts()})
    else:
        print_rows(found.trials, as_json)
        say(f"best written to {found.recipe}: train with  elcrec train DATA --recipe {found.recipe} --out RUN")


@commands.command(
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

    from elcrec.experiments.plan import planned_runs
    from elcrec.experiments.plots import pictures, require_matplotlib
    from elcrec.experiments.results import Shelf
    from elcrec.experiments.study import failure, run_study, study_lines, write_pages
    from elcrec.experiments.suite import read_suite
    from elcrec.experiments.summary import line_document, short_table

    study = read_suite(suite)
    if plots:
        require_matplotlib()
    folder = out / study.name
    runs = [] if tables else planned_runs(study, suite.parent, only)
    if dry_run:
        there = Shelf.of(folder, [run.name for run in runs], say)
        planned = [
            {
                "row": run.row,
                "run": run.name,
                "done": there.done(run, study.name),
                "instead": there.instead(run, study.name),
            }
            for run in runs
        ]
        print_rows(pl.DataFrame(planned, infer_schema_length=None), as_json)
        return
    failed = {} if tables else run_study(study, runs, folder, work / study.name, say, device=device)
    if failed and len(failed) == len(runs):
        raise failure(failed, len(runs))
    lines = study_lines(study, folder, say)
    for path in write_pages(study, folder, lines, pictures(lines) if plots else []):
        say(f"written to {path}")
    if as_json:
        print_json([line_document(line) for line in lines])
    else:
        head, rows = short_table(lines)
        print_rows(pl.DataFrame(rows, schema=head, orient="row"), as_json)
    if failed:
        raise failure(failed, len(runs))
