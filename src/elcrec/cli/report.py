"""``elcrec report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Device, Items, Json, Run, file_to_write
from elcrec.errors import SettingsError

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec report runs/shop --items items.csv --out report.html")
def report(
    run: Run,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    items: Items = None,
    users: Annotated[
        int, typer.Option(min=0, help="Number of example users to show, spread evenly over the intents.")
    ] = 60,
    title: Annotated[str | None, typer.Option(help="Title of the report. Default: the name of the run folder.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Write an interactive HTML report: map of users, intents, example users with explained recommendations."""
    from elcrec.recommender import ELCRec
    from elcrec.report.document import report_document
    from elcrec.report.page import render_report
    from elcrec.storage import write_text

    if out.suffix.lower() not in ("", ".html", ".htm"):
        raise SettingsError(f"--out {out}: a report is an HTML page; name it {out.with_suffix('.html')}")
    file_to_write(out, "--out")
    model = ELCRec.load(run, device)
    if items is not None:
        model.describe_items(items)
    document = report_document(model, title or run.resolve().name, users, say)
    write_text(out, render_report(document))
    say(f"report written to {out}; open it in a browser")
    if as_json:
        print_json({"out": str(out), **{name: document[name] for name in ("title", "model", "health")}})
