"""Lists of all users, written as they are made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elcrec.cli.output import console, say

if TYPE_CHECKING:
    import polars as pl

    from elcrec.recommender import ELCRec


def write_all_lists(model: ELCRec, out: Path, k: int, wishes: dict[str, Any]) -> int:
    """Lists of all users to a Parquet file, with a bar and what a second gives on standard error.

    Returns:
        Rows written.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from elcrec.storage import write_frames

    started = time.perf_counter()
    columns = (
        TextColumn("[bold]users"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(model.users), now="")

        def shown() -> Iterator[pl.DataFrame]:
            rows = 0
            for lists in model.recommend_in_blocks(k, **wishes):
                yield lists
                rows += len(lists)
                users = lists["user_id"].n_unique()
                bar.update(task, advance=users, now=_rate(rows, time.perf_counter() - started))

        rows = write_frames(out, shown())
    say(f"{len(model.users):,} users, {_rate(rows, time.perf_counter() - started)}")
    return rows


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / max(seconds, 1e-9):,.0f} rows a second"
