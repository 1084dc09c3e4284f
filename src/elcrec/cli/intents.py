"""Verbs about intents: look at them, name them, take them elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import console, print_json, print_measures, print_rows, say
from elcrec.cli.parameters import Device, Items, Json, Run, TopK, parquet_file
from elcrec.errors import SettingsError

commands = typer.Typer()


@commands.command(
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
    from elcrec.cli.tables import intent_panel
    from elcrec.recommender import ELCRec

    if sum([quality, against is not None, suggest]) > 1:
        raise SettingsError("one at a time: --quality, --against RUN or --suggest-k")
    model = ELCRec.load(run, device)
    if items is not None:
        model.describe_items(items)
    if suggest:
        print_rows(model.suggest_n_intents(), as_json)
    elif quality:
        print_measures(model.intent_quality(), as_json)
    elif against is not None:
        print_measures(model.intent_stability(ELCRec.load(against, device)), as_json)
    else:
        health, table = model.intent_health(), model.intents(k)
        if as_json:
            rest = {"trend_periods": model.trend_periods, "intents": table.to_dicts()}
            print_json({"n_intents": model.settings.n_intents, **health, **rest})
        else:
            console().print(intent_panel(health, table, model.settings.n_intents, rows))


@commands.command(epilog="Example:\n\n  elcrec rename runs/shop --intent 12 --name 'Nail polish'")
def rename(
    run: Run,
    intent: Annotated[int, typer.Option(metavar="N", help="Number of the intent.")],
    name: Annotated[str, typer.Option(help="Its name from now on; empty: the automatic one.")],
    as_json: Json = False,
) -> None:
    """Give an intent a name; a later training takes it over with --names-from."""
    from elcrec.recommender import ELCRec

    model = ELCRec.load(run, "cpu")
    model.write_names(run, {intent: name})
    if as_json:
        print_json({"intent": intent, "name": model.intent_names[intent]})
    else:
        say(f"intent {intent} is called {model.intent_names[intent]!r}")


@commands.command(
    epilog="Example:\n\n  elcrec audience runs/shop --intent 12 --min-weight 0.3 --out nail-polish.parquet"
)
def audience(
    run: Run,
    intent: Annotated[list[int], typer.Option(metavar="N", help="An intent; repeatable.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    min_weight: Annotated[float, typer.Option(min=0, max=1, help="Only users with at least this much of it.")] = 0.0,
    top: Annotated[int, typer.Option(min=1, help="Also users who have it among their N nearest intents.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """The users of an intent as a file."""
    from elcrec.recommender import ELCRec

    parquet_file(out, "--out")
    found = ELCRec.load(run, device).audience(intent, out, min_weight, top)
    say(f"{len(found):,} users written to {out}")
    if as_json:
        print_json({"out": str(out), "users": len(found)})


@commands.command(epilog="Example:\n\n  elcrec report runs/shop --items items.csv --out report.html")
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
    from elcrec.recommender import ELCRec
    from elcrec.report.document import report_document
    from elcrec.report.page import render_report
    from elcrec.storage import write_text

    model = ELCRec.load(run, device)
    if items is not None:
        model.describe_items(items)
    document = report_document(model, title or run.resolve().name, users, say)
    write_text(out, render_report(document))
    say(f"written to {out}: open it in a browser")
    if as_json:
        print_json({"out": str(out), **{name: document[name] for name in ("title", "model", "health")}})
