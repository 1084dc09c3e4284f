"""What ``elcrec data check`` prints."""

from __future__ import annotations

from typing import Any

import polars as pl
import typer

from elcrec.cli.output import print_rows, say

_FILE = ("format", "separator", "encoding", "compression")


def show_check(document: dict[str, Any]) -> None:
    """What was understood of a log, for people; what looks odd goes last."""
    file = ", ".join(f"{name} {document[name]}" for name in _FILE if document[name])
    _line("file", file + ("" if document["header"] else ", no header"))
    _line("columns", ", ".join(f"{role} is {name!r}" for role, name in document["columns"].items() if name))
    counts = [(document[f"n_{name}"], name) for name in ("events", "users", "items")]
    _line("size", ", ".join(f"{count:,} {name}" for count, name in counts))
    _line("repeats", f"{document['repeats']:.1%} of the events repeat an item of their user")
    time = document["time"]
    if time is None:
        _line("time", "none: the order of the file counts")
    else:
        unit = {"number": "numbers of no known unit", "day": "days"}.get(time["unit"], f"in {time['unit']}")
        _line("time", f"{time['first']} to {time['last']}, {unit}; {document['ties']:.1%} at the same time as another")
    if document["kinds"]:
        _line("kinds", ", ".join(f"{kind} {count:,}" for kind, count in list(document["kinds"].items())[:8]))
    typer.echo("\nfirst events, in the order they are learnt from")
    print_rows(pl.DataFrame(document["sample"], infer_schema_length=None), False)
    for warning in document["warnings"]:
        say(f"warning: {warning}")


def _line(name: str, text: str) -> None:
    typer.echo(f"{name:<9} {text}")
