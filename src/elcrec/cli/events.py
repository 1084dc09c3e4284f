"""``elcrec events``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Json, Run, default_store
from elcrec.errors import SettingsError

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec events runs/live --out new.parquet\n\n"
    "  elcrec train new.parquet --from runs/live --out runs/tomorrow"
)
def events(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="File to write: .parquet or .csv.")],
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Event store of 'elcrec serve'. Default: RUN.events.sqlite.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Export the events that a server has stored, as a log for the next training."""
    from elcrec.recommender import ELCRec
    from elcrec.serving.events_file import events_kept_at
    from elcrec.storage import write_atomically

    if out.suffix not in (".parquet", ".csv"):
        raise SettingsError(f"--out {out}: name it .parquet or .csv")
    place = store or default_store(run)
    if "://" not in place and not Path(place).exists():
        raise SettingsError(f"there is no event store at {place}: name the store of the server with --store")
    model = ELCRec.load(run, "cpu")
    frame, left_out = events_kept_at(place, model)
    if out.suffix == ".csv" and "timestamp" in model.log.frame and model.clock.unit == "ns":
        raise SettingsError(f"--out {out}: CSV cannot hold the nanoseconds of this log; name it .parquet")
    if left_out:
        say(f"{left_out:,} events were left out: the log cannot hold their ids or times")
    write_atomically(out, frame.write_parquet if out.suffix == ".parquet" else frame.write_csv)
    if as_json:
        print_json({"out": str(out), "rows": frame.height, **({"left_out": left_out} if left_out else {})})
    else:
        say(f"{frame.height:,} events written to {out}; try  elcrec train {out} --from {run} --out runs/next")
