"""What verbs print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console


def console(stderr: bool = False) -> Console:
    """Where tables and panels go."""
    from rich.console import Console

    return Console(highlight=False, stderr=stderr)


def first_process() -> bool:
    """Whether this process, of those that torchrun started, is the one that prints results."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """A line for a person, to standard error."""
    typer.echo(text, err=True)


def say_metrics(metrics: dict[str, Any]) -> None:
    """A line for each part of the split that was measured."""
    names = ("hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20")
    for part in ("valid", "test"):
        if part in metrics:
            values = "  ".join(f"{name} {metrics[part][name]:.4f}" for name in names)
            typer.echo(f"{part:<5}  {values}  ({metrics[part]['n_users']:,} users)")


def print_json(document: Any) -> None:
    """One document on one line; what is no number in it is null."""
    typer.echo(json.dumps(_finite(document), ensure_ascii=False, default=str, allow_nan=False))


def _finite(document: Any) -> Any:
    """The same with None for NaN and infinities, which JSON does not have."""
    if isinstance(document, dict):
        return {name: _finite(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def print_measures(measures: dict[str, Any], as_json: bool) -> None:
    """Plain values a line each, then a table of those that are measured of several things."""
    import polars as pl

    if as_json:
        print_json(measures)
        return
    plain = {name: value for name, value in measures.items() if not isinstance(value, dict)}
    typer.echo("  ".join(f"{name} {number(value)}" for name, value in plain.items() if value is not None))
    rows = [{"": name, **values} for name, values in measures.items() if isinstance(values, dict)]
    if rows:
        print_rows(pl.DataFrame(rows), as_json)


def print_rows(frame: pl.DataFrame, as_json: bool) -> None:
    """A table without its empty columns, or a list of documents."""
    if as_json:
        print_json(frame.to_dicts())
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    shown = [name for name in frame.columns if frame[name].null_count() < len(frame) or not len(frame)]
    for name in shown:
        # What does not fit goes on in the next line: an id or a name that was cut cannot be used.
        table.add_column(escape(name), justify="right" if frame[name].dtype.is_numeric() else "left", overflow="fold")
    for row in frame.select(shown).iter_rows():
        table.add_row(*(escape(number(value)) for value in row))
    console().print(table)


def number(value: Any) -> str:
    """A value as tables show it."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
