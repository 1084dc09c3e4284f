"""Intents and reasons as tables in a terminal."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from elcrec.intents.intent_health import IntentHealth


def intent_panel(health: IntentHealth, intents: pl.DataFrame, n_intents: int, rows: int) -> RenderableType:
    """Health in two lines, then the largest intents with a bar and their typical items.

    Args:
        health: See :meth:`elcrec.ELCRec.intent_health`.
        intents: See :meth:`elcrec.ELCRec.intents`.
        n_intents: K.
        rows: Intents shown, at most.
    """
    line = Text.from_markup(
        f"[bold]{health['used']} of {n_intents} intents in use[/], effectively {health['effective']:.1f}; "
        f"the largest holds {health['largest_share']:.1%} of the users\n"
        f"[dim]users lie at a mean cosine of {health['cosine']:.2f} to their own centre, {health['margin']:.2f} nearer "
        f"than to the next; {health['duplicates']} intents have a twin[/]"
    )
    if health["warning"]:
        line.append(f"\nWarning: {health['warning']}.", style="bold red")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("intent", "right"), ("users", "right"), ("share", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("name", overflow="ellipsis", no_wrap=True, ratio=2)
    table.add_column("typical items (by lift)", overflow="ellipsis", no_wrap=True, ratio=3)
    table.expand = True
    used = intents.filter(pl.col("users") > 0)
    top = max(health["largest_share"], 1e-9)
    for row in used.head(rows).iter_rows(named=True):
        bar = "█" * max(1, round(8 * row["share"] / top))
        items = escape(", ".join(str(item) for item in row["items"]))
        size = (f"{row['users']:,}", f"{row['share']:.1%}", f"[cyan]{bar}[/]")
        table.add_row(str(row["intent"]), *size, escape(row["name"]), items)
    more = len(used) - rows
    return (
        Group(line, table, Text(f"and {more} more: --rows {len(used)}", style="dim"))
        if more > 0
        else Group(line, table)
    )


def reasons_table(lists: pl.DataFrame, names: list[str]) -> RenderableType:
    """Recommendations with a sentence why.

    Args:
        lists: As from ``recommend(..., explain=True)``.
        names: Of the intents.
    """
    who = lists.columns[0] if lists[lists.columns[0]].null_count() == 0 else None
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    if who is not None:
        table.add_column(who)
    table.add_column("rank", justify="right")
    table.add_column("item_id")
    table.add_column("score", justify="right")
    table.add_column("why", ratio=1)
    for row in lists.iter_rows(named=True):
        first = [] if who is None else [escape(str(row[who]))]
        table.add_row(
            *first, str(row["rank"]), escape(str(row["item_id"])), f"{row['score']:.3f}", escape(_reason(row, names))
        )
    return table


def _reason(row: dict[str, Any], names: list[str]) -> str:
    if row["intent"] is None:
        return "no intent of this user adds to it"
    share = "" if row["intent_share"] is None else f", {row['intent_share']:.0%} of the score"
    parts = [f"intent {row['intent']} ({names[row['intent']]}){share}"]
    if row["because"]:
        parts.append(f"because of {', '.join(str(item) for item in row['because'])}")
    if row["rank_without"] is not None:
        parts.append(f"rank {row['rank_without']:,} without it")
    return "; ".join(parts)
