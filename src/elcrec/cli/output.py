"""What verbs print: results on standard output, messages and progress on standard error."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    from rich.console import Console


def console(stderr: bool = False) -> Console:
    """A console for tables, on standard output or standard error."""
    from rich.console import Console

    return Console(highlight=False, stderr=stderr)


def first_process() -> bool:
    """Whether this is the main one of the processes that torchrun started: it alone prints."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """Print a message on standard error."""
    typer.echo(text, err=True)


def without_index(run: Path) -> str:
    """What approximate search does in a run without an index."""
    return f"{run} has no index: one is built now and not kept; 'elcrec index {run}' builds it once"


def say_metrics(metrics: Mapping[str, Any]) -> None:
    """Print a table of the metrics: a row for each part of the split that was evaluated, and below it the baselines.

    What they mean follows in sentences, on standard error.
    """
    from elcrec.evaluation.verdict import findings

    baselines = metrics.get("baselines", {})
    rows = []
    for part in ("valid", "test"):
        if part in metrics:
            rows += [(part, metrics[part], f"{metrics[part]['n_users']:>7,}"), *_baseline_rows(baselines.get(part, {}))]
    _say_table("split", rows)
    if other := baselines.get("other_way"):
        typer.echo(f"\nthe same with seen items {'excluded' if other['exclude_seen'] else 'ranked'}")
        parts = [part for part in ("valid", "test") if part in other]
        _say_table("split", [row for part in parts for row in [(part, None, ""), *_baseline_rows(other[part])]])
    for sentence in findings(metrics):  # type: ignore[arg-type]
        say(sentence)


Row = tuple[str, dict[str, float] | None, str]


def _baseline_rows(by_name: dict[str, dict[str, float]]) -> list[Row]:
    """Rows of a table, the best first."""
    from elcrec.evaluation.metrics import SELECTION_METRIC

    best_first = sorted(by_name.items(), key=lambda pair: -pair[1][SELECTION_METRIC])
    return [(f"  {name}", values, "") for name, values in best_first]


def _say_table(title: str, rows: list[Row]) -> None:
    """Print the shown metrics of each row, and the number of users where it is given."""
    from elcrec.evaluation.metrics import printed_metrics

    names = printed_metrics(found for _, found, _ in rows if found is not None)
    width = max(len(name) for name in (title, *(name for name, _, _ in rows)))
    typer.echo("  ".join([f"{title:<{width}}", *names, f"{'users':>7}"]))
    for name, found, users in rows:
        values = [] if found is None else [f"{found[metric]:>{len(metric)}.4f}" for metric in names]
        typer.echo("  ".join([f"{name:<{width}}", *values, users]).rstrip())


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on standard error, and a line a minute where there is no terminal.

    Args:
        what: What is counted.
        total: How many there are.

    Yields:
        A function that takes how many are done, and a text to show after them.
    """
    from elcrec.process.progress import ProgressBar

    with ProgressBar(what, total, console(stderr=True)) as bar:
        yield bar.update


def print_json(document: Any) -> None:
    """Print one document on one line; NaN and infinities are null in it."""
    typer.echo(json.dumps(_finite(document), ensure_ascii=False, default=str, allow_nan=False))


def _finite(document: Any) -> Any:
    """The same with None for NaN and infinities, which JSON does not have."""
    if isinstance(document, dict):
        return {name: _finite(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def print_measures(measures: dict[str, Any], as_json: bool, label: str = "") -> None:
    """Print single values on one line, then a table of the measures that several methods have, under ``label``."""
    import polars as pl

    if as_json:
        print_json(measures)
        return
    plain = {name: value for name, value in measures.items() if not isinstance(value, dict)}
    typer.echo("  ".join(f"{name} {number(value)}" for name, value in plain.items() if value is not None))
    rows = [{label: name, **values} for name, values in measures.items() if isinstance(values, dict)]
    if rows:
        print_rows(pl.DataFrame(rows), as_json)


def print_rows(frame: pl.DataFrame, as_json: bool) -> None:
    """Print a table without its empty columns, or a JSON array of its rows."""
    if as_json:
        print_json(frame.to_dicts())
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    shown = [name for name in frame.columns if frame[name].null_count() < len(frame) or not len(frame)]
    for name in shown:
        # Long values wrap: an id or a name that was cut cannot be used.
        table.add_column(escape(name), justify="right" if frame[name].dtype.is_numeric() else "left", overflow="fold")
    for row in frame.select(shown).iter_rows():
        table.add_row(*(escape(number(value)) for value in row))
    console().print(table)


def number(value: Any) -> str:
    """A value as text: floats with four decimals."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
