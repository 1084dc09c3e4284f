"""Intents as people use them: exact explanations, steering, names, audiences; for own and released semantics."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from cli_runner import LEARNED, SMALL, run_cli, shop_csv, shop_log
from elcrec import DataError, ELCRec, SettingsError
from elcrec.errors import DataWarning
from elcrec.intents import intents as intents_module
from elcrec.report.document import report_document

RECIPES = ("default", "paper")


@pytest.fixture(scope="module", params=RECIPES)
def model(request: pytest.FixtureRequest) -> ELCRec:
    return ELCRec(request.param, seed=1, **{**LEARNED, "epochs": 4, "learning_rate": 0.01}).fit(
        shop_log(), progress=False
    )


@pytest.fixture(scope="module")
def default() -> ELCRec:
    return ELCRec(seed=1, **{**SMALL, "epochs": 6, "learning_rate": 0.01}).fit(shop_log(), progress=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("intents")
    sets = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    run_cli("train", shop_csv(folder), "--out", folder / "run", *sets, "--json").document()
    return folder / "run"


def some_users(model: ELCRec, n: int = 12) -> list[str]:
    return model.users.ids.gather_every(len(model.users) // n).head(n).to_list()


# ---------------------------------------------------------------------- explanations


@pytest.mark.parametrize("wishes", [{}, {"exclude_intents": [1, 3]}, {"intents": [2], "strength": 0.4}])
def test_parts_residual_and_steering_add_up_to_the_score(model: ELCRec, wishes: dict[str, object]) -> None:
    listed = model.recommend(some_users(model), k=7, explain=True, **wishes)  # type: ignore[arg-type]
    assert listed.height == 12 * 7
    for row in listed.iter_rows(named=True):
        total = sum(part["part"] for part in row["parts"]) + row["residual"] + row["steering"]
        assert total == pytest.approx(row["score"], abs=1e-4)
        assert len({part["intent"] for part in row["parts"]}) == len(row["parts"]) == 3


def test_explaining_changes_no_list(model: ELCRec) -> None:
    users = some_users(model)
    plain, explained = model.recommend(users, k=5), model.recommend(users, k=5, explain=True)
    assert plain.equals(explained.select(plain.columns))


def test_the_named_intent_is_the_largest_part_and_its_share_that_of_the_score(model: ELCRec) -> None:
    seen = 0
    for row in model.recommend(some_users(model), k=5, explain=True).iter_rows(named=True):
        parts = {part["intent"]: part["part"] for part in row["parts"]}
        if row["intent"] is None:
            assert max(parts.values()) <= 1e-6
            continue
        seen += 1
        assert parts[row["intent"]] == pytest.approx(max(parts.values()))
        if row["score"] > 0:
            assert row["intent_share"] * row["score"] == pytest.approx(parts[row["intent"]], abs=1e-4)
        else:
            assert row["intent_share"] is None
    assert seen > 10


def test_the_counterfactual_rank_is_that_of_a_real_list_without_the_intent(model: ELCRec) -> None:
    compared = 0
    for user in some_users(model, 8):
        explained = model.recommend([user], k=6, explain=True)
        for intent, rows in explained.filter(pl.col("intent").is_not_null()).group_by("intent"):
            again = model.recommend([user], k=10_000, exclude_intents=[intent[0]])
            ranks = dict(again.select("item_id", "rank").iter_rows())
            for row in rows.iter_rows(named=True):
                assert ranks[row["item_id"]] == row["rank_without"]
                compared += 1
    assert compared > 20


def test_because_names_items_of_the_history_that_pull_toward_the_intent(model: ELCRec) -> None:
    named = 0
    for user in some_users(model):
        history = model.log.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        for row in model.recommend([user], k=3, explain=True).iter_rows(named=True):
            assert len(set(row["because"])) == len(row["because"]) <= 3
            assert set(row["because"]) <= set(history)
            named += len(row["because"])
    assert named > 12


def test_explanations_of_a_history_are_those_of_the_user_who_has_it(model: ELCRec) -> None:
    user = some_users(model)[3]
    history = model.log.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
    of_user = model.recommend([user], k=5, explain=True).drop("user_id")
    of_history = model.recommend_from_history([history], k=5, explain=True).drop("history")
    assert of_user["item_id"].equals(of_history["item_id"])
    assert of_user["because"].equals(of_history["because"])
    assert of_user["intent"].equals(of_history["intent"])
    np.testing.assert_allclose(of_user["residual"], of_history["residual"], atol=1e-5)


def test_nobody_asked_about_gives_an_empty_table_of_the_same_columns(model: ELCRec) -> None:
    full, none = model.recommend(some_users(model), explain=True), model.recommend([], explain=True)
    assert none.is_empty()
    assert none.schema == full.schema
    assert model.slate([]).schema == model.slate(some_users(model)).schema


# ---------------------------------------------------------------------- steering


def top_items_of(model: ELCRec, k: int) -> dict[int, set[str]]:
    return {row["intent"]: set(row["items"]) for row in model.intents(k).iter_rows(named=True) if row["users"]}


def test_steering_brings_the_intents_items_the_further_the_dial_is_turned(model: ELCRec) -> None:
    users, shares = some_users(model, 30), []
    typical = top_items_of(model, 20)
    for strength in (0.0, 0.5, 0.8, 1.0):
        share = [
            np.mean(
                [item in items for item in model.recommend(users, k=10, intents=[intent], strength=strength)["item_id"]]
            )
            for intent, items in typical.items()
        ]
        shares.append(float(np.mean(share)))
    assert shares == sorted(shares)
    assert shares[-1] > max(0.5, 2 * shares[0])


def test_strength_0_steers_nowhere(model: ELCRec) -> None:
    users = some_users(model)
    assert model.recommend(users, intents=[1], strength=0)["item_id"].equals(model.recommend(users)["item_id"])


def test_full_strength_is_the_intents_own_list_without_what_was_seen(default: ELCRec) -> None:
    user = some_users(default)[0]
    history = default.log.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
    own = [item for item in default.recommend_for_intent([4], k=168)["item_id"].to_list() if item not in history]
    steered = default.recommend([user], k=10, intents=[4], strength=1.0)
    lifts = dict(default.recommend_for_intent([4], k=168).select("item_id", "score").iter_rows())
    assert [lifts[item] for item in steered["item_id"]] == pytest.approx([lifts[item] for item in own[:10]])


def test_excluding_an_intent_takes_its_items_away(default: ELCRec) -> None:
    typical = top_items_of(default, 20)
    before, after = [], []
    for user, intent in default.user_intents().select("user_id", "intent").gather_every(10).iter_rows():
        kept = default.recommend([user], k=10)["item_id"]
        left = default.recommend([user], k=10, exclude_intents=[intent])["item_id"]
        before.append(np.mean([item in typical[intent] for item in kept]))
        after.append(np.mean([item in typical[intent] for item in left]))
    assert np.mean(after) < 0.8 * np.mean(before)


def test_the_list_of_an_intent_is_its_typical_items(default: ELCRec) -> None:
    for row in default.intents(6).filter(pl.col("users") > 0).iter_rows(named=True):
        listed = default.recommend_for_intent([row["intent"]], k=6)
        assert listed["score"].round(3).to_list() == pytest.approx(row["lifts"], abs=2e-3)
        assert listed["rank"].to_list() == [1, 2, 3, 4, 5, 6]


def test_a_slate_has_a_row_for_each_of_the_strongest_intents_and_no_item_twice(model: ELCRec) -> None:
    users = some_users(model)
    slate = model.slate([*users, users[0]], rows=3, k=4)
    assert slate.height == 13 * 3 * 4
    # Beside other users a score may come out different in its last bit.
    assert_frame_equal(slate.head(12), slate.tail(12), rel_tol=1e-5)
    strongest = model.user_intents(users, top=3)
    for user in users:
        own = slate.filter(pl.col("user_id") == user).head(12)
        assert own["item_id"].n_unique() == 12
        assert own["rank"].to_list() == [1, 2, 3, 4] * 3
        expected = strongest.filter(pl.col("user_id") == user)
        assert own.unique("row", maintain_order=True)["intent"].to_list() == expected["intent"].to_list()
        assert own.unique("row", maintain_order=True)["weight"].to_list() == pytest.approx(expected["weight"].to_list())


def test_diversifying_moves_lists_toward_the_mix_of_the_users_intents(default: ELCRec) -> None:
    users = some_users(default, 40)
    mix = default.user_intents(users, top=8).sort("user_id", "intent")["weight"].to_numpy().reshape(40, 8)
    of_item = default.assigner.item_intents.given_item(torch.arange(169)).numpy()
    gaps = []
    for dial in (0.0, 0.5, 1.0):
        listed = default.recommend(users, k=10, diversify=dial)
        index = default.items.indices(listed["item_id"]).reshape(40, 10)
        order = np.argsort(np.array(users))
        q = 0.99 * of_item[index].mean(axis=1)[order] + 0.01 * mix
        gaps.append(float((mix * np.log(np.maximum(mix, 1e-12) / q)).sum(axis=1).mean()))
        assert listed.group_by("user_id").agg(pl.col("item_id").n_unique())["item_id"].unique().to_list() == [10]
    assert gaps[0] > gaps[1] >= gaps[2]
    assert default.recommend(users, k=10, diversify=0.0).equals(default.recommend(users, k=10))


@pytest.mark.parametrize(
    "wrong", [{"intents": [8]}, {"intents": [-1]}, {"exclude_intents": ["x"]}, {"strength": 1.5}, {"diversify": -0.1}]
)
def test_impossible_wishes_are_refused(default: ELCRec, wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        default.recommend(some_users(default), **wrong)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- who has which


def test_soft_intents_are_ordered_and_sum_to_one(model: ELCRec) -> None:
    soft = model.user_intents(top=8)
    assert soft.group_by("user_id").agg(pl.col("weight").sum())["weight"].to_numpy() == pytest.approx(1, abs=1e-4)
    assert soft["rank"].to_list() == list(range(1, 9)) * 300
    assert (soft["weight"].to_numpy().reshape(300, 8)[:, :-1] >= soft["weight"].to_numpy().reshape(300, 8)[:, 1:]).all()
    assert soft.filter(pl.col("rank") == 1)["intent"].equals(model.user_intents()["intent"])


def test_a_timeline_ends_with_the_intent_of_the_full_history(model: ELCRec) -> None:
    for user in some_users(model, 5):
        timeline = model.intent_timeline(user)
        events = model.log.frame.filter(pl.col("user_id") == user)
        assert timeline["item_id"].equals(events["item_id"])
        assert timeline["timestamp"].equals(events["timestamp"])
        assert timeline["position"].to_list() == list(range(1, events.height + 1))
        last = model.user_intents([user])
        assert timeline["intent"][-1] == last["intent"][0]
        prefix = timeline["item_id"].head(2).to_list()
        assert timeline["intent"][1] == model.history_intents([prefix])["intent"][0]
        items = timeline["item_id"].to_list()
        final, whole = last["intent"][0], last["similarity"][0]
        for left_out in (0, len(items) - 1):
            shorter = model.history_intents([items[:left_out] + items[left_out + 1 :]], top=8)
            without = shorter.filter(pl.col("intent") == final)["similarity"][0]
            assert timeline["pull"][left_out] == pytest.approx(whole - without, abs=1e-5)
        other = model.intent_timeline(history=events["item_id"].to_list())
        assert other["intent"].equals(timeline["intent"])
        assert "timestamp" not in other.columns


def test_the_only_item_of_a_history_has_the_whole_pull(model: ELCRec) -> None:
    timeline, intents = model.intent_timeline(history=["tent pegs"]), model.history_intents([["tent pegs"]])
    assert timeline["pull"].to_list() == pytest.approx(intents["similarity"].to_list(), abs=1e-6)


def test_items_older_than_the_model_reads_have_no_pull(tmp_path: Path) -> None:
    model = ELCRec(seed=1, **{**SMALL, "max_seq_len": 4}).fit(shop_log(), progress=False)
    user = model.log.frame.group_by("user_id").len().sort("len")["user_id"][-1]
    pull = model.intent_timeline(user)["pull"]
    assert pull.null_count() == len(pull) - 4
    assert pull.tail(4).null_count() == 0


def test_an_audience_is_everybody_with_the_intent_strongest_first(model: ELCRec, tmp_path: Path) -> None:
    intent = model.intents()["intent"][0]
    found = model.audience([intent], out=tmp_path / "audience.parquet")
    users = model.user_intents().filter(pl.col("intent") == intent)
    assert set(found["user_id"]) == set(users["user_id"])
    assert found["weight"].is_sorted(descending=True)
    assert found["intent_name"].unique().to_list() == [model.intent_names[intent]]
    assert pl.read_parquet(tmp_path / "audience.parquet").equals(found)
    half = found["weight"][len(found) // 2]
    assert model.audience([intent], min_weight=half).height < found.height
    assert model.audience([intent], top=3).height >= found.height


# ---------------------------------------------------------------------- what they are


def test_the_table_of_intents_counts_what_the_log_says(model: ELCRec) -> None:
    table, users = model.intents(5), model.user_intents()
    health = model.intent_health()
    assert table["users"].sum() == 300
    assert (table["users"] > 0).sum() == health["used"]
    assert health["dead"] == 8 - health["used"]
    assert table["share"].max() == pytest.approx(health["largest_share"])
    weights = table["users"] / 300
    assert (table["cosine"].fill_null(0) * weights).sum() == pytest.approx(health["cosine"], abs=1e-5)
    assert (table["margin"].fill_null(0) * weights).sum() == pytest.approx(health["margin"], abs=1e-5)
    events = model.log.frame.join(users, on="user_id")
    for row in table.filter(pl.col("users") > 0).iter_rows(named=True):
        own = events.filter(pl.col("intent") == row["intent"])
        counts = dict(own.group_by("item_id").agg(pl.col("user_id").n_unique()).iter_rows())
        assert [counts[item] for item in row["items"]] == row["item_users"]
        assert row["intent"] not in row["nearest"]
        assert len(row["nearest"]) == 3


def test_trends_are_shares_of_each_period(model: ELCRec) -> None:
    trend = np.array(model.intents()["trend"].to_list())
    assert trend.shape == (8, 12)
    assert trend.sum(axis=0) == pytest.approx(1)
    labels = model.trend_periods
    assert labels is not None
    assert [datetime.date.fromisoformat(label) for label in labels] == sorted(map(datetime.date.fromisoformat, labels))


def test_trends_are_computed_only_where_they_are_shown(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    trends = intents_module.trends
    monkeypatch.setattr(intents_module, "trends", lambda *given: asked.append(1) or trends(*given))
    run_cli("intents", run)
    run_cli("intents", run, "--intent", 1)
    whole, without = (ELCRec.load(run).intents(trend=trend) for trend in (True, False))
    assert whole.drop("trend").equals(without)
    assert asked == [1]
    run_cli("intents", run, "--json")
    assert asked == [1, 1]


def test_without_times_there_is_no_trend() -> None:
    log = shop_log().drop("timestamp")
    model = ELCRec(seed=1, **SMALL).fit(log, progress=False)
    assert model.trend_periods is None
    assert model.intents()["trend"].null_count() == 8
    assert "timestamp" not in model.intent_timeline("shopper-00003").columns


def test_quality_stands_beside_k_means_and_chance(default: ELCRec) -> None:
    shelves = pl.DataFrame({"item_id": default.items.ids, "shelf": [f"s{i % 12}" for i in range(len(default.items))]})
    quality = default.intent_quality(shelves)
    assert {"learned", "kmeans", "chance"} <= set(quality)
    assert quality["n_users"] == 300
    assert quality["learned"]["cosine"] > quality["chance"]["cosine"]
    assert abs(quality["chance"]["attribute_ami"]) < 0.05
    assert "attribute_ami" not in default.intent_quality()["learned"]
    with pytest.raises(DataError):
        default.intent_quality(pl.DataFrame({"item_id": ["nothing we know"], "shelf": ["x"]}))


def test_logs_of_other_users_with_the_same_ids_are_not_compared_without_a_warning(default: ELCRec) -> None:
    others = default.log.frame.with_columns(item_id=pl.col("item_id").shuffle(seed=1))
    strangers = ELCRec(seed=1, **SMALL).fit(others, progress=False)
    with pytest.warns(DataWarning, match="pairs of a user and an item in one log"):
        default.intent_stability(strangers)


def test_a_model_is_as_stable_as_can_be_against_itself(default: ELCRec) -> None:
    same = default.intent_stability(default)
    assert same["learned"] == pytest.approx(1)
    assert same["matched_cosine"] == pytest.approx(1, abs=1e-5)
    other = ELCRec(seed=2, **{**SMALL, "epochs": 6, "learning_rate": 0.01}).fit(shop_log(), progress=False)
    assert default.intent_stability(other)["learned"] < 0.999
    stranger = ELCRec(seed=2, **SMALL).fit(
        shop_log().with_columns(pl.col("item_id") + "!", pl.col("user_id") + "!"), progress=False
    )
    with pytest.raises(DataError, match="in common"):
        default.intent_stability(stranger)


# ---------------------------------------------------------------------- names


def test_names_are_kept_and_carried_over_a_retraining(default: ELCRec, tmp_path: Path) -> None:
    model = ELCRec(seed=1, **{**SMALL, "epochs": 6, "learning_rate": 0.01}).fit(shop_log(), progress=False)
    automatic = model.intent_names
    assert len(set(automatic)) == 8
    model.rename_intents({3: "  Cyclists   of all kinds "})
    assert model.intent_names[3] == "Cyclists of all kinds"
    model.save(tmp_path / "run")
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.intent_names == model.intent_names
    # The same data and settings from another seed: the intent with the name is found again by what it means.
    again = ELCRec(seed=1, **{**SMALL, "epochs": 6, "learning_rate": 0.01}).fit(
        shop_log(), progress=False, names_from=tmp_path / "run"
    )
    assert again.given_names == {3: "Cyclists of all kinds"}
    # And where the same object learns again.
    again.fit(shop_log(), progress=False, names_from=again)
    assert again.given_names == {3: "Cyclists of all kinds"}
    model.rename_intents({3: ""})
    assert model.intent_names == automatic
    with pytest.raises(SettingsError):
        model.rename_intents({99: "x"})
    with pytest.raises(SettingsError):
        model.rename_intents({1: "x" * 100})


def test_names_from_a_model_of_other_items_are_refused_before_training(tmp_path: Path) -> None:
    other = ELCRec(seed=1, **SMALL).fit(shop_log().with_columns(pl.col("item_id") + "!"), progress=False)
    numbered = ELCRec(seed=1, **SMALL).fit(
        shop_log().with_columns(pl.col("item_id").rank("dense").cast(pl.Int64)), progress=False
    )
    for stranger in (other, numbered):
        with pytest.raises(DataError, match="in common"):
            ELCRec(seed=1, **SMALL).fit(shop_log(), out=tmp_path / "run", progress=False, names_from=stranger)
    assert not (tmp_path / "run").exists()


def test_titles_and_categories_make_names(tmp_path: Path) -> None:
    log = shop_log()
    items = pl.DataFrame({"item_id": log["item_id"].unique().sort()}).with_columns(
        title=pl.col("item_id").str.to_titlecase(), shelf=pl.col("item_id").str.slice(0, 1)
    )
    model = ELCRec(seed=1, **SMALL).fit(log, out=tmp_path / "run", progress=False, items=items)
    assert model.catalogue is not None
    assert ELCRec.load(tmp_path / "run").intent_names == model.intent_names
    assert any(names for names in model.intents(3)["attributes"].to_list())


# ---------------------------------------------------------------------- seeing


def test_the_report_tells_what_the_model_says(model: ELCRec) -> None:
    document = report_document(model, "shop", n_journeys=9)
    assert document["map"]["n"] == 300
    assert len(document["intents"]) == 8
    assert len(document["journeys"]) == 9
    for journey in document["journeys"]:
        listed = model.recommend([journey["user"]], k=5)
        assert [row["item"] for row in journey["recommendations"]] == listed["item_id"].to_list()
        assert journey["events"][-1]["intent"] == journey["intents"][0]["intent"]
    sizes = {row["intent"]: row["users"] for row in document["intents"]}
    assert sizes == dict(model.intents().select("intent", "users").iter_rows())


# ---------------------------------------------------------------------- command line


def test_recommend_explains_and_steers(run: Path) -> None:
    rows = run_cli("recommend", run, "--user", "shopper-00007", "--explain", "--json", "-k", 4).document()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert {"intent", "intent_name", "intent_share", "because", "rank_without", "parts", "residual"} <= set(rows[0])
    steered = run_cli("recommend", run, "--user", "shopper-00007", "--intent", 2, "--strength", 1, "--json").document()
    assert steered != run_cli("recommend", run, "--user", "shopper-00007", "--json").document()
    shown = run_cli("recommend", run, "--user", "shopper-00007", "--explain", "-k", 2)
    assert shown.code == 0
    assert "because of" in " ".join(shown.out.split())
    new = run_cli("recommend", run, "--history", "tent pegs,cool box", "--explain", "-k", 2)
    assert new.code == 0
    assert "without this intent" in " ".join(new.out.split())
    assert "0 to 7" in run_cli("recommend", run, "--user", "shopper-00007", "--intent", 8).complaint()


def test_rename_and_audience_and_report(run: Path, tmp_path: Path) -> None:
    assert run_cli("rename", run, "--intent", 5, "--name", "Tea time").code == 0
    names = {row["intent"]: row["name"] for row in run_cli("intents", run, "--json").document()["intents"]}
    assert names[5] == "Tea time"
    document = run_cli("audience", run, "--intent", 5, "--out", tmp_path / "a.parquet", "--json").document()
    assert pl.read_parquet(tmp_path / "a.parquet").height == document["users"]
    assert run_cli("report", run, "--out", tmp_path / "r.html", "--users", 3).code == 0
    assert "Tea time" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert run_cli("rename", run, "--intent", 5, "--name", "").code == 0


def test_quality_stability_and_suggestion(run: Path) -> None:
    quality = run_cli("intents", run, "--quality", "--json").document()
    assert quality["split"] == "test"
    assert run_cli("intents", run, "--against", run, "--json").document()["learned"] == pytest.approx(1)
    sweep = run_cli("intents", run, "--suggest-k", "--json").document()
    assert sum(row["suggested"] for row in sweep) == 1
    assert run_cli("intents", run, "--quality").code == 0
    assert "choose one of" in run_cli("intents", run, "--quality", "--suggest-k").complaint()


def test_items_are_read_and_bad_ones_refused(run: Path, tmp_path: Path) -> None:
    items = pl.read_parquet(run / "vocabulary.parquet").select("item_id", title="item_id")
    items.write_csv(tmp_path / "items.csv")
    assert run_cli("intents", run, "--items", tmp_path / "items.csv", "--json").code == 0
    (tmp_path / "empty.csv").write_text("")
    assert "empty" in run_cli("intents", run, "--items", tmp_path / "empty.csv").complaint()
    pl.DataFrame({"title": ["x"]}).write_csv(tmp_path / "no-ids.csv")
    assert "item" in run_cli("report", run, "--items", tmp_path / "no-ids.csv").complaint()


def test_collapsed_intents_are_reported(tmp_path: Path) -> None:
    model = ELCRec(seed=1, **SMALL).fit(shop_log(), progress=False)
    with torch.no_grad():
        model.network.centers.weight[:] = model.network.centers.weight[:1].clone()  # equally near: the first has all
    model = ELCRec.from_fitted(model.fitted)
    health = model.intent_health()
    assert health["largest_share"] > 0.9
    assert "collapsed" in health["warning"]
    model.save(tmp_path / "run")
    shown = run_cli("intents", tmp_path / "run")
    assert "collapsed" in " ".join(shown.out.split()).lower()


def test_the_items_of_intents_are_the_same_one_by_one_and_as_one_matrix(default: ELCRec) -> None:
    """Items of one lift are in the order that ranking all intents at once gives."""
    for k in (1, 5, 10_000):
        listed = default.recommend_for_intent(range(default.assigner.n_intents), k, titles=False)
        lift_KV = torch.stack([default.assigner.item_intents.lift([intent]) for intent in range(8)])
        lift_KV[:, 0] = -torch.inf
        lift_KK, item_KK = lift_KV.topk(min(k, len(default.items)), dim=1)
        assert listed["score"].to_list() == lift_KK.flatten().tolist()
        assert listed["item_id"].to_list() == default.items.ids_of(item_KK.flatten().numpy()).to_list()
    assert default.recommend_for_intent([]).columns == ["intent", "item_id", "score", "rank"]
