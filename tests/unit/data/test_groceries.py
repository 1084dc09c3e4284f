"""The generated log of baskets: rhythm and needs are as planted, and training finds them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cli_runner import QUICK, run_cli
from elcrec import ELCRec, Interactions
from elcrec.data.company import write_company
from elcrec.data.groceries import GAPS, PERIODS, START, Groceries

DAY = pl.col("timestamp").cast(pl.Datetime("ms")).sub(pl.lit(START)).dt.total_days().alias("day")


@cache
def generated(difficulty: float = 0.1) -> tuple[Groceries, pl.DataFrame]:
    shop = Groceries(150, 120, 9_000, 6, difficulty, seed=1)
    return shop, pl.concat(list(shop.events())).with_columns(DAY)


def test_baskets_come_every_few_days_with_several_items_at_one_time() -> None:
    shop, log = generated()
    assert log.height == 9_000
    assert log["timestamp"].is_sorted()
    assert log.n_unique() == log.height
    baskets = log.group_by("user_id", "day").agg(pl.len(), times=pl.col("timestamp").n_unique())
    assert baskets["times"].max() == 1
    assert 2 < baskets["len"].mean() < 8  # type: ignore[operator]
    days = log.group_by("user_id").agg(pl.col("day").unique().sort().diff().drop_nulls())
    for user, gaps in days.iter_rows():
        assert set(np.array(gaps) % shop.gap_U[user - 1]) <= {0}, user
    assert GAPS[0] <= shop.gap_U.min()
    assert shop.gap_U.max() <= GAPS[1]


def test_needs_come_back_in_their_rhythm() -> None:
    shop, log = generated(0.0)
    needs = shop.needs()
    assert needs["period"].is_between(*PERIODS).all()
    assert needs.select("user_id", "item_id").is_unique().all()
    bought = log.join(needs, on=["user_id", "item_id"], how="left")
    assert bought["period"].null_count() == 0  # nobody buys what they do not need
    gaps = bought.sort("day").with_columns(gap=pl.col("day").diff().over("user_id", "item_id")).drop_nulls("gap")
    assert ((gaps["gap"] - gaps["period"]).abs() <= GAPS[1]).mean() > 0.99
    counts = gaps.group_by("user_id", "item_id").agg(pl.col("gap").mean(), pl.len(), pl.col("period").first())
    often = counts.filter(pl.col("len") >= 5)
    assert ((often["gap"] - often["period"]).abs() / often["period"]).mean() < 0.1  # type: ignore[operator]


def test_difficulty_is_the_share_of_what_nobody_needed() -> None:
    for difficulty in (0.0, 0.3, 1.0):
        shop, log = generated(difficulty)
        needed = log.join(shop.needs(), on=["user_id", "item_id"], how="semi").height / log.height
        assert needed == pytest.approx(1 - difficulty, abs=0.15)


def test_training_finds_the_planted_needs_and_their_rhythm() -> None:
    """Of the test baskets nearly all that is due is found, and what falls due next leads the lists."""
    shop, log = generated()
    model = ELCRec(seed=1, **QUICK).fit(log.drop("day"), progress=False)
    settings, test = model.settings, model.metrics["test"]
    assert (settings.split, settings.repeats, settings.exclude_seen) == ("leave_one_basket_out", "learned", False)
    best = max(found["ndcg@10"] for found in model.metrics["baselines"]["test"].values())
    assert test["ndcg@10"] > 1.02 * best

    user_U = np.arange(shop.n_users)
    last_U = log.group_by("user_id").agg(pl.col("day").max()).sort("user_id")["day"].to_numpy()

    def due(day_U: Any) -> pl.DataFrame:
        """Items that fall due on a day of each user."""
        due_UN = np.concatenate([shop.due(day, user_U[[user]]) for user, day in enumerate(day_U)])
        user_X, need_X = np.nonzero(due_UN)
        return pl.DataFrame({"user_id": user_X + 1, "item_id": shop.item_UN[user_X, need_X]})

    ranks = model.ranks().join(due(last_U), on=["user_id", "item_id"], how="semi")
    assert (ranks["rank"] <= 10).mean() > 0.95  # type: ignore[operator]
    listed = model.recommend(k=3, only_seen=True)
    needed = listed.join(shop.needs(), on=["user_id", "item_id"], how="semi").height / listed.height
    falls_due = listed.join(due(last_U + shop.gap_U), on=["user_id", "item_id"], how="semi").height / listed.height
    by_count = log.group_by("user_id", "item_id").len().sort("len", descending=True).group_by("user_id").head(3)
    usual = by_count.join(due(last_U + shop.gap_U), on=["user_id", "item_id"], how="semi").height / by_count.height
    assert needed > 0.95
    assert falls_due > usual + 0.05


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> bytes:
        write_company(Groceries(50, 40, 1_000, 4, seed=seed), tmp_path / name, lambda done: None)
        return (tmp_path / name).read_bytes()

    assert written("a", 1) == written("b", 1) != written("c", 2)


def test_the_command_writes_a_log_of_baskets(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    sizes = ("--users", 40, "--items", 50, "--interactions", 2000, "--intents", 4)
    assert run_cli("data", "generate", "--out", out, *sizes, "--baskets", "--json").document()["rows"] == 2000
    assert Interactions.read(out).tied_share() > 0.8
    assert (
        "choose one of --kinds and --baskets"
        in run_cli("data", "generate", "--out", out, *sizes, "--kinds", "--baskets").complaint()
    )
    too_many = ("--users", 2, "--items", 50, "--interactions", 20_000, "--intents", 4, "--baskets")
    assert "users=14 or more" in run_cli("data", "generate", "--out", out, *too_many).complaint()
