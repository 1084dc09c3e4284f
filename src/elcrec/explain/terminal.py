"""Intents as a table in a terminal."""

from __future__ import annotations

import polars as pl
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

COLLAPSED_SHARE = 0.5


def intent_panel(health: dict[str, float], intents: pl.DataFrame, n_intents: int, rows: int) -> RenderableType:
    """Health in a line, then the largest intents with a bar and their typical items.

    Args:
        health: See :func:`elcrec.evaluation.intent_health.intent_health`.
        intents: See :meth:`elcrec.recommender.ELCRec.intents`.
        n_intents: K.
        rows: Intents shown, at most.
    """
    line = Text.from_markup(
        f"[bold]{health['used']} of {n_intents} intents in use[/], effectively {health['effective']:.1f}; "
        f"the largest holds {health['largest_share']:.1%} of the users"
    )
    if health["largest_share"] > COLLAPSED_SHARE:
        line.append("\nCollapsed: one intent holds most users, so intents say little here.", style="bold red")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("intent", "right"), ("users", "right"), ("share", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("typical items (by lift)", overflow="ellipsis", no_wrap=True)
    used = intents.filter(pl.col("users") > 0)
    top = max(health["largest_share"], 1e-9)
    for row in used.head(rows).iter_rows(named=True):
        bar = "█" * max(1, round(12 * row["share"] / top))
        items = escape(", ".join(str(item) for item in row["items"]))
        table.add_row(str(row["intent"]), f"{row['users']:,}", f"{row['share']:.1%}", f"[cyan]{bar}[/]", items)
    more = len(used) - rows
    return (
        Group(line, table, Text(f"and {more} more: --rows {len(used)}", style="dim"))
        if more > 0
        else Group(line, table)
    )
