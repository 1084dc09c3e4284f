"""``elcrec events``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Json, Run, default_store, table_file
from elcrec.errors import SettingsError
from elcrec.process.wording import counted

if TYPE_CHECKING:
    from elcrec.serving.events_file import Exported

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec events runs/live --out new.parquet\n\n"
    "  elcrec train new.parquet --from runs/live --out runs/tomorrow"
)
def events(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="File to write: .parquet, .csv or .jsonl.")],
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Event store of 'elcrec serve'. Default: RUN.events.sqlite.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Export the events that a server has stored, as a log for the next training."""
    from elcrec.recommender import ELCRec
    from elcrec.serving.events_file import events_kept_at
    from elcrec.storage import table_format, write_table

    table_file(out, "--out")
    place = store or default_store(run)
    if "://" not in place and not Path(place).exists():
        raise SettingsError(f"there is no event store at {place}: name the store of the server with --store")
    model = ELCRec.load(run, "cpu")
    exported = events_kept_at(place, model)
    if table_format(out) != "parquet" and "timestamp" in model.log.frame and model.lookup.clock.unit == "ns":
        raise SettingsError(f"--out {out}: text cannot hold the nanoseconds of this log; name it .parquet")
    write_table(out, exported.rows)
    _show(exported, run, out, as_json)


def _show(exported: Exported, run: Path, out: Path, as_json: bool) -> None:
    rows, left_out = len(exported.rows), exported.left_out
    if left_out:
        left = counted(left_out, "event", "was", "were")
        say(f"{left} left out, which the log cannot hold; the first is {exported.first_left_out}")
    if as_json:
        print_json({"out": str(out), "rows": rows, **({"left_out": left_out} if left_out else {})})
    else:
        say(f"{counted(rows, 'event')} written to {out}; try  elcrec train {out} --from {run} --out runs/next")
