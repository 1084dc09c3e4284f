"""``elcrec data`` and its verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import console, number, print_json, print_rows, progress_bar, say
from elcrec.cli.parameters import (
    Columns,
    Data,
    Events,
    Format,
    Json,
    Sets,
    overrides_of,
    source_of,
    table_file,
)
from elcrec.errors import SettingsError
from elcrec.process.progress import step
from elcrec.process.wording import counted

commands = typer.Typer()
verbs = typer.Typer(help="Fetch public data sets; check, describe, prepare or generate logs.", no_args_is_help=True)
commands.add_typer(verbs, name="data")


@verbs.command("list", epilog="Example:\n\n  elcrec data list --json")
def data_list(as_json: Json = False) -> None:
    """List the public data sets, and where they are on this machine."""
    import polars as pl

    from elcrec.data.named import NAMED, cached

    rows = [
        {"name": name, "file": data.file, "here": str(cached(name) or ""), "bytes": data.size, "url": data.url}
        for name, data in NAMED.items()
    ]
    print_rows(pl.DataFrame(rows), as_json)


@verbs.command(
    "fetch",
    epilog="Examples:\n\n  elcrec data fetch beauty toys\n\n  elcrec data fetch beauty --from ~/Downloads/Beauty.txt",
)
def data_fetch(
    name: Annotated[list[str], typer.Argument(help="Names from 'elcrec data list'.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL-OR-FILE",
            help="Use this copy instead of the usual address; its checksum must be the same.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Download public data sets and verify their checksums; then verbs take their names in place of a file."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from elcrec.data.named import fetch, named

    if source is not None and len(name) > 1:
        raise SettingsError("--from names one file: fetch one data set at a time with it")
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


@verbs.command(
    "check",
    epilog="Examples:\n\n  elcrec data check events.csv\n\n"
    "  elcrec data check ratings.dat --columns user_id,item_id,_,timestamp\n\n"
    "  elcrec data check sales.csv --set time_format=%d/%m/%Y --set missing=drop --json",
)
def data_check(
    log: Data,
    columns: Columns = None,
    events: Events = None,
    format: Format = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Check how a log is read: its format, columns, times and first events, with warnings."""
    from elcrec.cli.tables import show_check
    from elcrec.data.by_settings import layout, settings_of_log
    from elcrec.data.check import check_log

    given = overrides_of(sets, columns=columns, events=events)
    reading = layout(format, settings_of_log(given, filters=False))
    with step(f"reading {source_of(log)}"):
        document = check_log(source_of(log), reading)
    if as_json:
        print_json(document)
    else:
        show_check(document)


@verbs.command("describe", epilog="Examples:\n\n  elcrec data describe beauty\n\n  elcrec data describe events.csv")
def data_describe(
    data: Data,
    columns: Columns = None,
    events: Events = None,
    format: Format = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Describe a log: its numbers of events, users and items, density, repeats and history lengths."""
    from elcrec.data.by_settings import filtered, read_with_kinds, settings_of_log
    from elcrec.data.kind_columns import with_shares
    from elcrec.data.named import NAMED

    s = settings_of_log(overrides_of(sets, columns=columns, events=events), filters=True)
    source = source_of(data)
    summary = filtered(read_with_kinds(source, format, s), s).summary()
    if str(source) in NAMED:
        summary = {**summary, "url": NAMED[str(source)].url, "note": NAMED[str(source)].note}
    if as_json:
        print_json(summary)
        return
    if "kinds" in summary:
        summary["kinds"] = with_shares(summary["kinds"])
    for name, value in summary.items():
        if value is not None:
            typer.echo(f"{name:<14} {value:,}" if isinstance(value, int) else f"{name:<14} {number(value)}")


@verbs.command(
    "prepare",
    epilog="Examples:\n\n  elcrec data prepare events.parquet --out sorted.parquet\n\n"
    "  elcrec data prepare log.csv --out log.parquet --set user_column=customer --set k_core=5\n\n"
    "  elcrec train sorted.parquet --recipe large --out runs/shop",
)
def data_prepare(
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="File to write: .parquet (read fastest), .csv or .jsonl; an existing one is replaced.",
        ),
    ],
    columns: Columns = None,
    events: Events = None,
    format: Format = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Prepare a large log: check, filter and sort it once, so that later commands read it in seconds."""
    from elcrec.data.by_settings import filtered, read_with_kinds, settings_of_log

    table_file(out, "--out")
    s = settings_of_log(overrides_of(sets, columns=columns, events=events), filters=True)
    source = source_of(data)
    with step(f"reading, checking and sorting {source}"):
        log = filtered(read_with_kinds(source, format, s), s)
        log.write(out)
    users = len(log.lengths())
    size = f"{counted(len(log), 'interaction')} of {counted(users, 'user')}"
    say(f"{size} written to {out}; try  elcrec train {out} --out RUN")
    if as_json:
        print_json({"out": str(out), "rows": len(log), "users": users})


@verbs.command(
    "generate",
    epilog="Examples:\n\n  elcrec data generate --out company.parquet\n\n"
    "  elcrec data generate --out small.parquet --users 50000 --items 10000 --interactions 1000000 --seed 7 "
    "--metadata items.parquet\n\n"
    "  elcrec data generate --out groceries.parquet --users 300 --items 200 --interactions 20000 --intents 8 --baskets",
)
def data_generate(
    out: Annotated[Path, typer.Option(help="File to write: .parquet, .csv or .jsonl; an existing one is replaced.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = 5_000_000,
    items: Annotated[int, typer.Option(help="Number of items.")] = 1_000_000,
    interactions: Annotated[int, typer.Option(help="Number of interactions.")] = 100_000_000,
    intents: Annotated[int, typer.Option(help="Number of planted intents.")] = 256,
    difficulty: Annotated[
        float, typer.Option(help="How users choose: 0 by their planted intent alone, 1 by item popularity alone.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed writes the same file.")] = 1,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="Also write the items with their planted intents to this file (.parquet, .csv or .jsonl), for "
            "'train --items'."
        ),
    ] = None,
    kinds: Annotated[
        bool,
        typer.Option("--kinds", help="With kinds of events: purchases by intents, and views that hardly follow them."),
    ] = False,
    baskets: Annotated[
        bool,
        typer.Option("--baskets", help="Baskets, several items at one time: items that users need again in a rhythm."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Generate a synthetic log of any size: planted intents that drift, Zipf-distributed items, rows in time order."""
    from elcrec.data.company import Company, write_company
    from elcrec.data.groceries import Groceries
    from elcrec.storage import write_table

    if baskets and kinds:
        raise SettingsError("choose one of --kinds and --baskets")
    table_file(out, "--out")
    table_file(metadata, "--metadata")
    sizes = (users, items, interactions, intents, difficulty, seed)
    company = Groceries(*sizes) if baskets else Company(*sizes, kinds)
    with progress_bar("interactions", interactions) as update:
        written = write_company(company, out, lambda done: update(done, ""))
    buyers, bought = counted(written.users, "user"), counted(written.items, "item")
    size = f"{counted(written.rows, 'interaction')} of {buyers} with {bought}"
    say(f"{size} written to {out}")
    if metadata is not None:
        write_table(metadata, company.catalogue())
        say(f"items written to {metadata}")
    if as_json:
        print_json({"out": str(out), "rows": written.rows, "metadata": None if metadata is None else str(metadata)})
