"""``elcrec demo``: training and evaluation on a synthetic shop whose intents are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from elcrec.data.splits import make_split
from elcrec.data.synthetic import World, make_shop
from elcrec.data.vocabulary import Vocabulary
from elcrec.evaluation.baselines.popularity import popularity_scores
from elcrec.evaluation.metrics import RankingMetrics, ranking_metrics
from elcrec.evaluation.ranks import ranks_by_scores
from elcrec.recommender import ELCRec
from elcrec.report.document import report_document
from elcrec.report.page import render_report
from elcrec.runs.run_folder import SHORT_WAIT, RunFolder
from elcrec.training.loop import Reporter

SHOWN_METRICS = ("hit_rate@1", "hit_rate@5", "hit_rate@10", "ndcg@10", "mrr@10")
SHOWN_USERS = 3


@dataclass(frozen=True)
class Demo:
    """Results of the demo.

    Attributes:
        world: The shop.
        model: The trained model.
        metrics: Test metrics of ``popularity``, ``elcrec`` and ``planted optimum``.
        matching: ``planted``, ``intent`` (its learned counterpart), ``users`` (planted), ``found`` (share of
            them whose learned intent is the counterpart), ``items`` (typical ones of the counterpart).
        rand_index: Adjusted Rand index of learned against planted intents: 0 chance, 1 identical.
    """

    world: World
    model: ELCRec
    metrics: dict[str, Mapping[str, Any]]
    matching: pl.DataFrame
    rand_index: float

    def document(self) -> dict[str, Any]:
        """The results as plain values."""
        return {
            "metrics": self.metrics,
            "adjusted_rand_index": self.rand_index,
            "intents": self.matching.to_dicts(),
            "model": {name: self.model.metrics[name] for name in ("best_epoch", "epochs", "train_seconds")},
        }


# reason: public signature
def run_demo(
    out: str | Path | None,
    n_users: int = 5000,
    difficulty: float = 0.2,
    seed: int = 1,
    device: str = "auto",
    progress: bool | Reporter = True,
    **settings: Any,
) -> Demo:
    """Generate the shop, train the recipe ``default`` with as many intents as are planted, and evaluate.

    Args:
        out: Run folder to write; an earlier run in it is replaced. None: no folder.
        n_users: Number of customers.
        difficulty: 0 to 1; see :mod:`elcrec.data.synthetic`.
        seed: Random seed of the shop and of the training.
        device: See :class:`ELCRec`.
        progress: See :meth:`ELCRec.fit`.
        settings: On top of the recipe.
    """
    world = make_shop(n_users, difficulty, seed)
    chosen = {**demo_settings(world), **settings}
    model = ELCRec("default", seed, device, **chosen).fit(
        world.log, out, overwrite=True, progress=progress, items=world.shelf_of_item.rename({"planted": "shelf"})
    )
    if out is not None:
        page = render_report(report_document(model, "A shop with planted intents"))
        folder = RunFolder(Path(out))
        with folder.locked(SHORT_WAIT):
            folder.write_report(page)
    matching, rand_index = match_intents(world, model)
    metrics: dict[str, Mapping[str, Any]] = {**_bounds(world), "elcrec": model.evaluate()}
    order = ("popularity", "elcrec", "planted optimum")
    return Demo(world, model, {name: metrics[name] for name in order}, matching, rand_index)


def demo_settings(world: World) -> dict[str, Any]:
    """What the demo sets on top of the recipe: as many intents as are planted, size and steps to suit a small log.

    The shelves describe items and are not learned from: they would tell the model what it is to find.
    """
    sizes = {"n_intents": len(world.intents), "batch_size": 128, "embedding_dim": 64, "epochs": 40}
    return {**sizes, "item_features": False}


def match_intents(world: World, model: ELCRec) -> tuple[pl.DataFrame, float]:
    """Pair planted and learned intents one to one so that most users agree (Hungarian method).

    Returns:
        The table described in :class:`Demo`, largest planted intent first, and the adjusted Rand index.
    """
    users = world.intent_of_user.join(model.user_intents().select("user_id", "intent"), on="user_id")
    planted = np.array([world.intents.index(name) for name in users["planted"].to_list()])
    learned = users["intent"].to_numpy()
    users_KK = np.zeros((len(world.intents), model.settings.n_intents), dtype=np.int64)
    np.add.at(users_KK, (planted, learned), 1)
    rows, columns = linear_sum_assignment(users_KK, maximize=True)
    items = dict(model.intents(4, trend=False).select("intent", "items").iter_rows())
    matched = [
        {
            "planted": world.intents[row],
            "intent": int(column),
            "users": int(users_KK[row].sum()),
            "found": float(users_KK[row, column] / max(1, users_KK[row].sum())),
            "items": items.get(int(column), []),
        }
        for row, column in zip(rows, columns, strict=True)
    ]
    return pl.DataFrame(matched).sort("users", descending=True), float(adjusted_rand_score(planted, learned))


def _bounds(world: World) -> dict[str, RankingMetrics]:
    """Test metrics of popularity (from below) and of the planted optimum (from above)."""
    items = Vocabulary.of(world.log.frame["item_id"], first=1, kind="item")
    split = make_split(world.log, items, "leave_one_out", 0.1)
    user_Q, target_Q = split.targets("test")
    popular_QV = popularity_scores(split, len(items)).repeat(len(user_Q), 1)

    histories = world.log.frame.group_by("user_id", maintain_order=True).agg("item_id")["item_id"].to_list()
    best = world.best_scores([histories[user][:-1] for user in user_Q.tolist()])
    best_QV = torch.zeros(len(user_Q), len(items) + 1)
    known = Vocabulary(pl.Series(world.items), kind="item").indices(items.ids)
    best_QV[:, 1:] = torch.from_numpy(best[:, known]).log().float()
    return {
        name: ranking_metrics(ranks_by_scores(score_QV, split.histories(user_Q, target_Q)))
        for name, score_QV in (("popularity", popular_QV), ("planted optimum", best_QV))
    }


def show_demo(demo: Demo, console: Console, out: str | Path | None) -> None:
    """Print the results."""
    console.print()
    console.print(_metrics_table(demo))
    console.print(_intents_table(demo))
    console.print(_journeys(demo))
    if out is not None:
        console.print(
            f"\nThe run folder is [bold]{out}[/]. Open [bold]{RunFolder(Path(out)).report}[/] in a browser, and try\n"
            f"  elcrec intents {out}\n"
            f"  elcrec recommend {out} --user {demo.model.users.ids[0]}\n"
            f'  elcrec recommend {out} --history "tent pegs,cool box"\n'
            "Then train on your own log: elcrec train events.csv --out runs/mine",
            highlight=False,
        )


def _metrics_table(demo: Demo) -> RenderableType:
    table = Table(title="Accuracy of next-item prediction", title_justify="left", title_style="bold")
    table.add_column("test", no_wrap=True)
    for name in SHOWN_METRICS:
        table.add_column(name, justify="right")
    for name, metrics in demo.metrics.items():
        style = "bold green" if name == "elcrec" else ""
        table.add_row(name, *(f"{metrics[metric]:.3f}" for metric in SHOWN_METRICS), style=style)
    gained = _gained(demo.metrics, "ndcg@10")
    note = f"elcrec reaches {gained:.0%} of the possible gain over popularity (ndcg@10)."
    return Group(table, Text(note, style="dim"))


def _gained(metrics: dict[str, Mapping[str, Any]], name: str) -> float:
    low, mine, high = (float(metrics[who][name]) for who in ("popularity", "elcrec", "planted optimum"))
    return (mine - low) / max(high - low, 1e-12)


def _intents_table(demo: Demo) -> RenderableType:
    table = Table(title="\nIntents: planted and learned", title_justify="left", title_style="bold", expand=True)
    table.add_column("planted", min_width=15, no_wrap=True)
    for name in ("users", "learned", "recovered"):
        table.add_column(name, justify="right", min_width=len(name), no_wrap=True)
    table.add_column("typical items of the learned intent", ratio=1, overflow="ellipsis", no_wrap=True)
    for row in demo.matching.iter_rows(named=True):
        items, recovered = ", ".join(row["items"]), f"{row['found']:.0%}"
        table.add_row(row["planted"], f"{row['users']:,}", str(row["intent"]), recovered, items)
    note = (
        "Recovered: share of the users of a planted intent who have its learned counterpart. Adjusted Rand index "
        f"{demo.rand_index:.2f} (0: random, 1: identical). Training knows only the number of planted intents."
    )
    return Group(table, Text(note, style="dim"))


def _journeys(demo: Demo) -> RenderableType:
    """Example customers of different intents: history, intent, recommendations."""
    users = demo.world.intent_of_user.unique("planted", maintain_order=True).head(SHOWN_USERS)["user_id"].to_list()
    learned = dict(demo.model.user_intents(users).select("user_id", "intent").iter_rows())
    names = dict(demo.matching.select("intent", "planted").iter_rows())
    found = demo.model.recommend(users, k=4)
    panels = []
    for user in users:
        history = demo.world.log.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        items = found.filter(pl.col("user_id") == user)["item_id"].to_list()
        text = Text()
        text.append("history\n", style="dim").append("\n".join(f"  {item}" for item in history[-5:]))
        text.append("\nintent\n", style="dim")
        text.append(f"  {learned[user]} ({names.get(learned[user], 'no counterpart')})\n", style="cyan")
        text.append("recommended\n", style="dim").append("\n".join(f"  {item}" for item in items), style="green")
        panels.append(Panel(text, title=user))
    return Group(Text("\nExample customers", style="bold"), Columns(panels, equal=True))
