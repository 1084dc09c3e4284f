"""Tables for a terminal: intents, explanations, and how a log was read."""

from __future__ import annotations

from typing import Any

import polars as pl
import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from elcrec.cli.output import print_rows, say
from elcrec.data.kind_columns import with_shares
from elcrec.intents.intent_health import IntentHealth
from elcrec.process.wording import counted

_UNITS = {
    "number": "numbers of unknown unit",
    "day": "in days",
    "s": "in seconds",
    "ms": "in milliseconds",
    "us": "in microseconds",
    "ns": "in nanoseconds",
}
LEAST_SHARE = 0.01
"""An intent that gives less of a score does not explain it."""
_FILE = ("format", "separator", "encoding", "compression")


def intent_panel(health: IntentHealth, intents: pl.DataFrame, n_intents: int, rows: int) -> RenderableType:
    """Statistics of all intents in two lines, then a table of the largest intents.

    Args:
        health: See :meth:`elcrec.ELCRec.intent_health`.
        intents: See :meth:`elcrec.ELCRec.intents`.
        n_intents: K.
        rows: Most intents to show.
    """
    line = Text.from_markup(
        f"[bold]{health['used']} of {n_intents} intents in use[/], {health['effective']:.1f} effective; "
        f"the largest has {health['largest_share']:.1%} of the users\n"
        f"[dim]users to their centre: mean cosine {health['cosine']:.2f}, margin to the next centre "
        f"{health['margin']:.2f}; {counted(health['duplicates'], 'duplicate intent')}[/]"
    )
    if health["warning"]:
        line.append(f"\nWarning: {health['warning']}.", style="bold red")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("intent", "right"), ("users", "right"), ("share", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("name", ratio=2)
    table.add_column("typical items (by lift)", overflow="ellipsis", no_wrap=True, ratio=3)
    table.expand = True
    used = intents.filter(pl.col("users") > 0)
    top = max(health["largest_share"], 1e-9)
    for row in used.head(rows).iter_rows(named=True):
        bar = "█" * max(1, round(8 * row["share"] / top))
        items = escape(", ".join(_named(row["items"], row.get("item_titles"))))
        size = (f"{row['users']:,}", f"{row['share']:.1%}", f"[cyan]{bar}[/]")
        table.add_row(str(row["intent"]), *size, escape(row["name"]), items)
    more = len(used) - rows
    return (
        Group(line, table, Text(f"{counted(more, 'more intent')}: --rows {len(used)} shows all", style="dim"))
        if more > 0
        else Group(line, table)
    )


def intent_page(intent: dict[str, Any]) -> RenderableType:
    """One intent: its name and size, then its typical items and attributes, each with its lift.

    Args:
        intent: A row of :meth:`elcrec.ELCRec.intents`.
    """
    size = f"users: {intent['users']:,}, {intent['share']:.1%} of all"
    head = Text.assemble((f"intent {intent['intent']}: {intent['name']}", "bold"), f"\n{size}")
    if intent["nearest"]:
        head.append(f"; nearest intents: {', '.join(map(str, intent['nearest']))}", style="dim")
    if intent["flags"]:
        head.append(f"; {', '.join(intent['flags'])}", style="bold red")
    named = zip(intent["items"], intent.get("item_titles") or [None] * len(intent["items"]), strict=True)
    items = [title or item for item, title in named]
    return Group(
        head,
        *_with_lifts("typical items", items, intent["lifts"], intent["item_users"]),
        *_with_lifts("attributes", intent["attributes"], intent["attribute_lifts"], intent["attribute_users"]),
    )


def _with_lifts(heading: str, names: list[Any], lifts: list[float], users: list[int]) -> list[RenderableType]:
    """A table below an empty line; nothing where there are no names."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(heading)
    for column in ("lift", "users"):
        table.add_column(column, justify="right")
    for name, lift, n_users in zip(names, lifts, users, strict=True):
        table.add_row(escape(str(name)), f"{lift:.1f}", f"{n_users:,}")
    return [Text(), table] if names else []


def explanation_table(found: pl.DataFrame, names: list[str]) -> RenderableType:
    """Recommendations, each with its explanation.

    Args:
        found: As from ``recommend(..., explain=True)``.
        names: Of the intents.
    """
    who = found.columns[0] if found[found.columns[0]].null_count() == 0 else None
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    if who is not None:
        table.add_column(who)
    table.add_column("rank", justify="right")
    table.add_column("item_id")
    if "title" in found.columns:
        table.add_column("title", ratio=1)
    table.add_column("score", justify="right")
    table.add_column("explanation", ratio=2)
    for row in found.iter_rows(named=True):
        first = [] if who is None else [escape(str(row[who]))]
        table.add_row(
            *first,
            str(row["rank"]),
            escape(str(row["item_id"])),
            *([escape(row["title"] or "")] if "title" in row else []),
            f"{row['score']:.3f}",
            escape(_explanation(row, names)),
        )
    return table


def _explanation(row: dict[str, Any], names: list[str]) -> str:
    parts = _by_repeat(row) + _by_steering(row) + _by_intent(row, names)
    return "; ".join(parts) if parts else "not explained by the intents: none raises this score"


def _by_repeat(row: dict[str, Any]) -> list[str]:
    """What an item's own place in the history adds to its score."""
    if row["repeat"] <= 0 or row["score"] <= 0:
        return []
    return [f"taken before, {_share(row['repeat'] / row['score'])} of the score"]


def _by_steering(row: dict[str, Any]) -> list[str]:
    """What the steering toward intents adds to an item's score."""
    if row["steering"] <= 0 or row["score"] <= 0:
        return []
    return [f"steered, {_share(row['steering'] / row['score'])} of the score"]


def _by_intent(row: dict[str, Any], names: list[str]) -> list[str]:
    if row["intent"] is None:
        return []
    share = row["intent_share"]
    if share is not None and share < LEAST_SHARE:
        return [] if _by_repeat(row) else ["hardly explained by the intents: none gives 1% of the score"]
    share = "" if share is None else f", {_share(share)} of the score"
    parts = [f"intent {row['intent']} ({names[row['intent']]}){share}"]
    if row["because"]:
        parts.append(f"because of {', '.join(_named(row['because'], row.get('because_titles')))}")
    if row["rank_without"] is not None:
        parts.append(f"rank {row['rank_without']:,} without this intent")
    return parts


def _share(share: float) -> str:
    """More than the whole score, where other parts lower it."""
    return "all" if share >= 1 else f"{share:.0%}"


def _named(items: list[Any], titles: list[str | None] | None) -> list[str]:
    """Items by their titles, where these are known."""
    named = zip(items, titles or [None] * len(items), strict=True)
    return [str(item) if title is None else f'"{title}"' if "," in title else title for item, title in named]


def show_check(document: dict[str, Any]) -> None:
    """Print how a log was read; warnings come last."""
    _line("file", _file(document))
    _line("columns", ", ".join(f"{role} is {name!r}" for role, name in document["columns"].items() if name))
    _line("size", ", ".join(counted(document[f"n_{thing}s"], thing) for thing in ("event", "user", "item")))
    _line("repeats", f"{document['repeats']:.1%} of the events repeat an earlier item of their user")
    _line("time", _time(document["time"], document["ties"]))
    if document["kinds"]:
        _line("kinds", with_shares(document["kinds"]))
    typer.echo("\nFirst events, in the order that training uses:")
    print_rows(pl.DataFrame(document["sample"], infer_schema_length=None), False)
    for warning in document["warnings"]:
        say(f"warning: {warning}")


def _file(document: dict[str, Any]) -> str:
    """Format of the file, as far as it has these properties."""
    parts = [f"{name} {_visible(document[name])}" for name in _FILE if document[name]]
    return ", ".join([*parts, *([] if document["header"] else ["no header"])])


def _visible(value: str) -> str:
    """A value in quotes, where it is a punctuation mark or a blank."""
    return value if value.replace("-", "").isalnum() else repr(value)


def _time(time: dict[str, Any] | None, ties: float | None) -> str:
    if time is None:
        return "no timestamps: events are in the order of the file"
    unit = _UNITS.get(time["unit"], f"in {time['unit']}")
    return f"{time['first']} to {time['last']}, {unit}; {ties:.1%} of the events tie with another of their user"


def _line(name: str, text: str) -> None:
    typer.echo(f"{name:<9} {text}")
