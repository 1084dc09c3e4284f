"""Logs of baskets with repeats: what training chooses, and that every way to a recommendation agrees."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cli_runner import QUICK, baskets_log, run_cli
from elcrec import ELCRec, Interactions
from elcrec.data.dataset import Dataset
from elcrec.errors import SettingsError
from elcrec.inference.policy import RankingPolicy
from elcrec.serving.histories import ranked_history
from elcrec.serving.snapshot import Snapshot, stamp_of
from elcrec.serving.store import Event, UserRecord
from elcrec.training import loop


@pytest.fixture(scope="module")
def shop() -> pl.DataFrame:
    return baskets_log()


@pytest.fixture(scope="module")
def model(shop: pl.DataFrame) -> ELCRec:
    return ELCRec(seed=1, **QUICK).fit(shop, progress=False)


def test_the_log_decides_and_says_why(model: ELCRec) -> None:
    settings, choices = model.settings, model.metrics["choices"]
    assert (settings.ties, settings.split, settings.repeats) == ("shuffle", "leave_one_basket_out", "learned")
    assert settings.exclude_seen is False
    assert {"ties", "split", "repeats", "windows", "exclude_seen"} <= set(choices)
    assert "validation ndcg@20" in choices["exclude_seen"]["reason"]
    assert all(settings.model_dump()[name] == choice["value"] for name, choice in choices.items())


def test_a_value_given_by_hand_wins(shop: pl.DataFrame) -> None:
    given = {"ties": "file", "split": "leave_one_out", "repeats": "none", "exclude_seen": True}
    model = ELCRec(seed=1, **{**QUICK, "epochs": 1}, **given).fit(shop, progress=False)
    assert {name: getattr(model.settings, name) for name in given} == given
    assert not set(given) & set(model.metrics["choices"])


def test_staples_come_back_and_beat_popularity(model: ELCRec) -> None:
    test, baselines = model.metrics["test"], model.metrics["baselines"]["test"]
    assert test["recall@10"] > 0.5
    assert test["ndcg@10"] > 1.3 * baselines["popularity"]["ndcg@10"]


def test_basket_metrics_are_those_of_the_ranks(model: ELCRec) -> None:
    ranks, metrics = model.ranks(), model.evaluate()
    best = ranks.group_by("user_id").agg(pl.col("rank").min(), found=(pl.col("rank") <= 10).mean())
    assert metrics["n_users"] == len(best)
    assert metrics["hit_rate@10"] == pytest.approx((best["rank"] <= 10).mean())
    assert metrics["recall@10"] == pytest.approx(best["found"].mean())


def test_new_again_and_both(model: ELCRec, shop: pl.DataFrame) -> None:
    had = set(shop.filter(pl.col("user_id") == "u3")["item_id"])
    both = model.recommend(["u3"], k=30)["item_id"].to_list()
    new = model.recommend(["u3"], k=30, exclude_seen=True)["item_id"].to_list()
    again = model.recommend(["u3"], k=30, only_seen=True)["item_id"].to_list()
    assert set(again) == had
    assert not set(new) & had
    assert [item for item in both if item in had] == again[: sum(item in had for item in both)]
    with pytest.raises(SettingsError, match="exclude_seen and only_seen"):
        model.recommend(["u3"], only_seen=True, exclude_seen=True)


@pytest.mark.parametrize("policy", [{}, {"intents": [1], "strength": 0.4}, {"exclude_intents": [0]}])
def test_the_parts_of_an_explanation_sum_to_the_score(model: ELCRec, policy: dict[str, object]) -> None:
    rows = model.recommend(["u1", "u2", "u3"], k=10, explain=True, **policy)  # type: ignore[arg-type]
    parts = rows["parts"].list.eval(pl.element().struct.field("part")).list.sum()
    total = parts + rows["residual"] + rows["steering"] + rows["repeat"]
    np.testing.assert_allclose(total.to_numpy(), rows["score"].to_numpy(), atol=1e-4)
    assert (rows["repeat"] != 0).any()


def test_what_came_before_is_told_where_it_raises_a_score(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    told = " ".join(run_cli("recommend", tmp_path / "run", "--user", "u1", "-k", 1, "--explain").out.split())
    row = model.recommend(["u1"], k=1, explain=True).row(0, named=True)
    assert row["repeat"] > 0
    assert f"taken before, {row['repeat'] / row['score']:.0%}" in told


def test_a_run_answers_as_the_model_that_wrote_it(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.settings == model.settings
    assert loaded.recommend(["u1", "u9"], k=8).equals(model.recommend(["u1", "u9"], k=8))


def answers(model: ELCRec, user: str, *events: Event) -> list[str]:
    """What a server recommends to a user."""
    history = ranked_history(model.lookup, user, UserRecord(False, events))
    [found] = model.lookup.recommend([history.items], model.topn.resolve(RankingPolicy(k=25)), [history.baskets])
    return found.items


def test_a_server_knows_the_baskets_of_a_history(model: ELCRec) -> None:
    for user in ("u3", "u4", "u5"):
        assert answers(model, user) == model.recommend([user], k=25)["item_id"].to_list()
    newest, item = 11, model.items.ids[7]
    grown = model.log.joined(
        Interactions.read(pl.DataFrame({"user_id": ["u3"], "item_id": [item], "timestamp": [newest]}))
    )
    settings, device = model.settings, model.fitted.device
    dataset = Dataset.of(grown, settings, device, items=model.items)
    expected = ELCRec.from_fitted(replace(model.fitted, dataset=dataset)).recommend(["u3"], k=25)["item_id"].to_list()
    assert answers(model, "u3", Event("e", "u3", item, newest)) == expected


def test_training_goes_on_to_the_same_weights(shop: pl.DataFrame, tmp_path: Path) -> None:
    log = tmp_path / "shop.parquet"
    shop.write_parquet(log)
    sets = [text for name, value in QUICK.items() for text in ("--set", f"{name}={value}")]
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert run_cli("train", str(log), "--out", str(whole), *sets).code == 0
    finished = run_cli("train", str(log), "--out", str(whole), *sets, "--resume")
    assert finished.code == 0  # what validation chose is no change of a setting
    assert run_cli("train", str(log), "--out", str(again), *sets).code == 0
    first, second = (ELCRec.load(folder) for folder in (whole, again))
    assert first.metrics["test"] == second.metrics["test"]
    assert first.recommend(["u1"], k=5).equals(second.recommend(["u1"], k=5))


def test_incremental_training_keeps_what_items_had(model: ELCRec, shop: pl.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    grown = ELCRec.load(tmp_path / "run")
    newer = shop.filter(pl.col("user_id") == "u1").with_columns(
        pl.lit(99).alias("timestamp"), pl.concat_str(pl.lit("new"), "item_id").alias("item_id")
    )
    grown.partial_fit(newer.unique("item_id").head(3), epochs=1, progress=False)
    assert grown.settings.repeats == "learned"
    assert grown.metrics["choices"] == model.metrics["choices"]
    assert len(grown.items) == len(model.items) + 3
    assert grown.recommend(["u1"], k=5).height == 5


def test_incremental_training_is_judged_as_the_model_ranks(
    model: ELCRec, shop: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "run")
    grown, ways, validate = ELCRec.load(tmp_path / "run"), [], loop.validate
    monkeypatch.setattr(loop, "validate", lambda *args: ways.append(args[-1]) or validate(*args))  # type: ignore[func-returns-value]
    newer = shop.filter(pl.col("user_id") == "u1").with_columns(pl.lit(99).alias("timestamp"))
    grown.partial_fit(newer.unique("item_id").head(3), epochs=1, progress=False)
    assert "exclude_seen" in grown.settings.auto
    assert ways == [False]


def test_rows_of_a_slate_keep_to_the_policy(model: ELCRec, shop: pl.DataFrame) -> None:
    had = shop.filter(pl.col("user_id") == "u3")["item_id"].unique().to_list()
    users = model.fitted.dataset.of_users(["u3"])
    rows = model.topn.slate(users, 2, RankingPolicy(k=3, only_seen=True, deny=had[:2]))
    assert len(rows) > 0
    assert set(rows["item_id"]) <= set(had[2:])


def test_the_order_within_a_basket_does_not_matter_for_what_is_held_out(shop: pl.DataFrame) -> None:
    mixed = shop.sample(fraction=1.0, shuffle=True, seed=5)
    one, other = (ELCRec(seed=1, **{**QUICK, "epochs": 1}).fit(log, progress=False) for log in (shop, mixed))
    held = [set(model.ranks().select("user_id", "item_id").iter_rows()) for model in (one, other)]
    assert held[0] == held[1]


def test_what_cannot_rank_by_repeats_refuses(model: ELCRec) -> None:
    with pytest.raises(SettingsError, match="repeat scores"):
        model.recommend(["u1"], approximate=True)
    assert model.search_quality(5)["recall"] > 0.95  # where it answers, seen items are excluded


def test_a_server_with_approximate_search_ranks_repeats_exactly(model: ELCRec, tmp_path: Path) -> None:
    excluding = model.settings.model_copy(update={"exclude_seen": True})
    other = ELCRec.from_fitted(replace(model.fitted, settings=excluding))
    snapshot = Snapshot(other, tmp_path, stamp_of(tmp_path), approximate=True)
    for exclude_seen, approximate in ((None, True), (True, True), (False, False)):
        found = asyncio.run(snapshot.resolve(RankingPolicy(exclude_seen=exclude_seen)))
        assert found.approximate is approximate
    with pytest.raises(SettingsError, match="repeat scores"):  # where it is never of use, the server says so
        asyncio.run(Snapshot(model, tmp_path, stamp_of(tmp_path), approximate=True).resolve(RankingPolicy()))


def test_shares_of_tied_events() -> None:
    log = pl.DataFrame({"user_id": [1, 1, 1, 2], "item_id": [1, 2, 3, 1], "timestamp": [5, 5, 6, 6]})
    assert Interactions.read(log).tied_share() == 0.5
    assert Interactions.read(log.drop("timestamp")).tied_share() == 0.0
