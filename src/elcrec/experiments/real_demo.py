"""The demo on a real shop, whose data come from an installed package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from elcrec.data.real_shops import RealShop
from elcrec.errors import DataError
from elcrec.evaluation.metrics import printed_metrics
from elcrec.experiments.demo import SHOWN_USERS
from elcrec.recommender import ELCRec
from elcrec.report.document import report_document
from elcrec.report.page import render_report
from elcrec.runs.run_folder import SHORT_WAIT, RunFolder
from elcrec.training.loop import Reporter

SHOWN_INTENTS, SHOWN_ITEMS = 10, 4


@dataclass(frozen=True)
class RealDemo:
    """Results of the demo on a real shop.

    Attributes:
        shop: The shop.
        model: The trained model.
        metrics: Test metrics of ``elcrec`` and of the baselines.
    """

    shop: RealShop
    model: ELCRec
    metrics: dict[str, Mapping[str, Any]]

    def document(self) -> dict[str, Any]:
        """The results as plain values."""
        intents = self.model.intents(SHOWN_ITEMS, trend=False).filter(pl.col("users") > 0)
        return {
            "shop": self.shop.name,
            "metrics": self.metrics,
            "intents": intents.select("intent", "name", "users", "items").to_dicts(),
            "model": {name: self.model.metrics[name] for name in ("best_epoch", "epochs", "train_seconds", "n_users")},
        }


# reason: public signature
def run_real_demo(
    shop: RealShop,
    out: str | Path | None,
    n_users: int | None = None,
    seed: int = 1,
    device: str = "auto",
    progress: bool | Reporter = True,
    **settings: Any,
) -> RealDemo:
    """Train the recipe ``default`` on a part of the users of a real shop and on what is known of its items.

    Args:
        shop: See :data:`elcrec.data.real_shops.REAL_SHOPS`.
        out: Run folder to write; an earlier run in it is replaced. None: no folder.
        n_users: Users to draw by the seed; None: all.
        seed: Random seed of the draw and of the training.
        device: See :class:`ELCRec`.
        progress: See :meth:`ELCRec.fit`.
        settings: On top of the recipe.

    Raises:
        DataError: The package with the data is not installed, or the shop has fewer users.
    """
    log, items = shop.log(), shop.items()
    users = log["user_id"].unique().sort()
    if n_users is not None and n_users > len(users):
        raise DataError(f"users={n_users:,}: {shop.name} has {len(users):,}")
    if n_users is not None:
        log = log.filter(pl.col("user_id").is_in(users.sample(n_users, seed=seed).implode()))
    model = ELCRec("default", seed, device, **settings).fit(log, out, overwrite=True, progress=progress, items=items)
    if out is not None:
        page = render_report(report_document(model, f"{shop.name.capitalize()}: {shop.note}"))
        folder = RunFolder(Path(out))
        with folder.locked(SHORT_WAIT):
            folder.write_report(page)
    return RealDemo(shop, model, {"elcrec": model.metrics["test"], **model.metrics["baselines"]["test"]})


def show_real_demo(demo: RealDemo, console: Console, out: str | Path | None) -> None:
    """Print the results."""
    console.print()
    console.print(_metrics_table(demo.metrics))
    console.print(_intents_table(demo.model))
    console.print(_journeys(demo.model))
    if out is not None:
        user, item = demo.model.users.ids[0], demo.model.items.ids[0]
        console.print(
            f"\nThe run folder is [bold]{out}[/]. Open [bold]{RunFolder(Path(out)).report}[/] in a browser, and try\n"
            f"  elcrec intents {out}\n"
            f"  elcrec recommend {out} --user {user} --explain\n"
            f"  elcrec similar {out} --item {item}\n"
            "Then train on your own log: elcrec train events.csv --items items.csv --out runs/mine",
            highlight=False,
        )


def _metrics_table(metrics: dict[str, Mapping[str, Any]]) -> RenderableType:
    table = Table(title="Accuracy on the users' last events", title_justify="left", title_style="bold")
    table.add_column("test", no_wrap=True)
    shown = printed_metrics(metrics.values())
    for name in shown:
        table.add_column(name, justify="right")
    for name, found in sorted(metrics.items(), key=lambda pair: -float(pair[1]["ndcg@10"])):
        style = "bold green" if name == "elcrec" else ""
        table.add_row(name, *(f"{found[metric]:.3f}" for metric in shown), style=style)
    return table


def _intents_table(model: ELCRec) -> RenderableType:
    table = Table(title="\nThe largest intents", title_justify="left", title_style="bold", expand=True)
    table.add_column("intent", justify="right")
    table.add_column("name", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("users", justify="right")
    table.add_column("typical items", ratio=1, overflow="ellipsis", no_wrap=True)
    intents = model.intents(SHOWN_ITEMS, trend=False)  # the largest first
    for row in intents.head(SHOWN_INTENTS).iter_rows(named=True):
        items = ", ".join(_titles(model, row["items"]))
        table.add_row(str(row["intent"]), escape(row["name"]), f"{row['users']:,}", escape(items))
    return table


def _journeys(model: ELCRec) -> RenderableType:
    """Example users: what they took last, the intent they have, and their list."""
    users = model.users.ids.head(SHOWN_USERS).to_list()
    intents = dict(model.user_intents(users).select("user_id", "intent").iter_rows())
    found = model.recommend(users, k=SHOWN_ITEMS)
    panels = []
    for user in users:
        history = model.log.frame.filter(pl.col("user_id") == user)["item_id"].tail(SHOWN_ITEMS + 1).to_list()
        items = found.filter(pl.col("user_id") == user)["item_id"].to_list()
        text = Text(overflow="ellipsis", no_wrap=True)
        text.append("took last\n", style="dim").append("\n".join(f"  {title}" for title in _titles(model, history)))
        text.append("\nintent\n", style="dim").append(f"  {model.intent_names[intents[user]]}\n", style="cyan")
        text.append("recommended\n", style="dim")
        text.append("\n".join(f"  {title}" for title in _titles(model, items)), style="green")
        panels.append(Panel(text, title=f"user {user}", width=38))
    return Group(Text("\nExample users", style="bold"), Columns(panels))


def _titles(model: ELCRec, items: list[Any]) -> list[str]:
    titles = model.titles
    return [titles.get(item) or str(item) for item in items]
