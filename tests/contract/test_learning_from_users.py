"""User features: what a model learns from what is known about users, how it is told, and what stays without."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cli_runner import RUN_FILES, SMALL, SMALL_SETS, Interrupted, run_cli, shop_log
from elcrec import DataError, ELCRec, RunError, SettingsError
from elcrec.config import resolve
from elcrec.data.synthetic import make_shop
from elcrec.errors import DataWarning
from elcrec.serving.histories import ranked_history
from elcrec.serving.options import Options
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import Event, UserRecord
from served import Served

UNDESCRIBED = 20


def people() -> pl.DataFrame:
    """What is known about the shop's users, but for the first: a country by their planted intent, an age, dates."""
    frame = make_shop(300, 0.2, 1).intent_of_user
    number = pl.int_range(pl.len())
    return frame.select(
        "user_id",
        country=pl.col("planted").str.slice(0, 4),
        age=18 + number % 60,
        since=pl.date(2020, 1, 1) + pl.duration(days=number),
        likes=pl.format("{}|everybody", number % 4),
        taste=pl.concat_list([((number + place) % 7 + 0.25).cast(pl.Float64) for place in range(8)]),
    ).slice(UNDESCRIBED)


def trained(users: Any = None, log: pl.DataFrame | None = None, **settings: Any) -> ELCRec:
    log = shop_log() if log is None else log
    chosen = {**SMALL, "learning_rate": 0.01, "epochs": 3, **settings}
    return ELCRec(seed=1, baselines=False, **chosen).fit(log, users=users, progress=False)


@pytest.fixture(scope="module")
def model() -> ELCRec:
    return trained(people())


def known_user() -> tuple[str, dict[str, Any], list[str]]:
    """A user who is described: id, what is known of them, and their history."""
    told = people().row(5, named=True)
    user = told.pop("user_id")
    return user, told, shop_log().filter(pl.col("user_id") == user)["item_id"].to_list()


def test_all_kinds_of_columns_are_learned_from_and_said(model: ELCRec) -> None:
    dataset = model.fitted.dataset
    assert dataset.user_features is not None
    assert {column.name: column.kind for column in dataset.user_features.columns} == {
        "country": "categories",
        "age": "numbers",
        "since": "numbers",
        "likes": "categories",
        "taste": "vectors",
    }
    assert "280 of 300 users are described; features: country (" in dataset.said_features()[0]
    embedding = model.network.of_users
    assert embedding is not None
    assert embedding.weight.any(dim=1).all()
    assert embedding.projection.any()


def test_a_planted_country_is_learned() -> None:
    """A country for each intent: with a history of one item it says what the history does not."""
    log = shop_log().filter(pl.int_range(pl.len()).over("user_id") < 4)
    users = people().select("user_id", "country")
    with_users, without = (trained(given, log, epochs=6).metrics["test"]["ndcg@20"] for given in (users, None))
    assert with_users > without


@pytest.mark.parametrize("recipe", ["default", "large"])
def test_without_user_features_users_change_no_bit(recipe: str) -> None:
    settings = {"recipe": recipe, "epochs": 1}
    without = trained(**settings).network.state_dict()
    theirs = trained(people(), user_features=False, **settings).network.state_dict()
    assert theirs.keys() == without.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in without.items())


def test_a_recipe_of_others_learns_from_no_users() -> None:
    for recipe in ("paper", "iclrec", "cl4srec", "sasrec", "sasrec-bce"):
        assert not resolve(recipe).user_features
    assert resolve("default").user_features
    assert resolve("large").user_features
    assert trained(people(), recipe="paper", epochs=1, n_heads=2).network.of_users is None


def test_known_users_carry_what_new_ones_tell(model: ELCRec) -> None:
    user, told, history = known_user()
    recommended = model.recommend([user], k=5).drop("user_id")
    plain = model.recommend_from_history([history], k=5).drop("history")
    assert not recommended.equals(plain)
    for given in ([told], pl.DataFrame([told])):
        assert model.recommend_from_history([history], k=5, user_features=given).drop("history").equals(recommended)
    written = {**told, "since": str(told["since"]), "likes": told["likes"].split("|"), "age": str(told["age"])}
    written["taste"] = "|".join(map(str, told["taste"]))
    again = model.recommend_from_history([history], k=5, user_features=[written])
    assert again.drop("history").equals(recommended)


@pytest.mark.parametrize("ids", [["late 1", "late 2"], [90001, 90002]], ids=["text", "numbers"])
def test_a_server_knows_described_users_who_had_no_events(ids: list[Any]) -> None:
    _, told, history = known_user()
    log, late = shop_log(), people().slice(5, 1)
    users = pl.concat([people(), *(late.with_columns(user_id=pl.lit(str(one))) for one in ids)])
    if isinstance(ids[0], int):
        number = {one: place for place, one in enumerate(log["user_id"].unique(maintain_order=True))}
        numbered = pl.col("user_id").replace_strict({**number, **{str(one): one for one in ids}}, return_dtype=pl.Int64)
        log, users = log.with_columns(numbered), users.with_columns(numbered)
    model = trained(users, log)
    expected = model.fitted.dataset.user_features_in([told], 1)
    for one in map(str, ids):
        events = tuple(Event(item, one, item, 10**18) for item in history)
        found = ranked_history(model.lookup, one, UserRecord(False, events)).features
        assert found is not None
        assert all(torch.equal(*tensors) for tensors in zip(found, expected, strict=True))
    for nobody in ("nobody", "late", "99999"):
        assert model.lookup.features_of(nobody) is None


def test_a_server_has_its_described_users_in_order_before_it_is_asked(run: Path, tmp_path: Path) -> None:
    snapshot = Snapshot.load(Options(run, f"{tmp_path}/store.sqlite", device="cpu"))
    table = snapshot.model.fitted.dataset.user_table
    assert table is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elcrec.data.features._numbers_of", None)
        patch.setattr(pl.DataFrame, "sort", lambda self, *by, **how: pytest.fail("too late") if "id" in by else self)
        assert snapshot.model.fitted.dataset.user_features_of_one(table.ids[-1]) is not None


def test_what_is_not_known_adds_nothing(model: ELCRec) -> None:
    _, _, history = known_user()
    plain = model.recommend_from_history([history], k=5)
    for nothing in ({}, {"country": "nowhere"}, {"country": None, "age": "old"}, {"taste": [0.5] * 3}):
        assert model.recommend_from_history([history], k=5, user_features=[nothing]).equals(plain)
    first = shop_log()["user_id"].unique(maintain_order=True)[0]
    assert first not in people()["user_id"]
    theirs = shop_log().filter(pl.col("user_id") == first)["item_id"].to_list()
    expected = model.recommend_from_history([theirs], k=5).drop("history")
    assert model.recommend([first], k=5).drop("user_id").equals(expected)


def test_rows_of_user_features_stay_with_their_histories(model: ELCRec) -> None:
    _, told, history = known_user()
    others = [[history[0]], ["no item"], history, history]
    given = [{}, {}, told, {"country": "nowhere"}]
    found = model.recommend_from_history(others, k=5, unknown="skip", user_features=given)
    for place in (0, 2, 3):
        alone = model.recommend_from_history([others[place]], k=5, user_features=[given[place]])
        assert found.filter(pl.col("history") == place).drop("history").equals(alone.drop("history"))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([{"contry": "DE"}], "no 'contry': the model has learned from 'country', 'age', "),
        ([{}, {}], "give a row for each history, 1 in all, not 2"),
        (["DE"], "a mapping from column to value for each history, not 'DE'"),
        (7, "cannot use an int as user_features: pass a file"),
    ],
)
def test_user_features_that_cannot_be_read_are_refused(model: ELCRec, given: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        model.recommend_from_history([known_user()[2]], user_features=given)


def test_a_model_without_user_features_refuses_them() -> None:
    plain = trained(epochs=1)
    with pytest.raises(SettingsError, match="learned from no user features"):
        plain.recommend_from_history([known_user()[2]], user_features=[{"country": "DE"}])
    with pytest.raises(SettingsError, match="learned from no user features"):
        plain.partial_fit(
            shop_log().tail(1).with_columns(pl.col("timestamp") + pl.duration(days=1)), users=people(), progress=False
        )


def test_explanations_add_up_with_user_features(model: ELCRec) -> None:
    for row in model.recommend([known_user()[0]], k=5, explain=True).iter_rows(named=True):
        whole = sum(part["part"] for part in row["parts"]) + row["residual"] + row["steering"] + row["repeat"]
        assert whole == pytest.approx(row["score"], abs=1e-4)


def test_intents_are_those_of_the_history(model: ELCRec) -> None:
    user, _, history = known_user()
    ours, theirs = model.user_intents([user]), model.history_intents([history])
    assert ours.drop("user_id").equals(theirs.drop("history"))


def test_evaluation_of_a_file_knows_the_users(model: ELCRec) -> None:
    own = model.evaluate()
    assert model.evaluate(shop_log()) == own
    few = shop_log().filter(pl.col("user_id").is_in(people()["user_id"].tail(50).implode()))
    assert model.evaluate(few)["n_users"] == 50
    ranks = model.ranks(few, "test").join(model.ranks(None, "test"), on=["user_id", "item_id"])
    assert ranks["rank"].equals(ranks["rank_right"])


def test_a_run_keeps_what_it_needs(tmp_path: Path) -> None:
    log, users, run = tmp_path / "log.csv", tmp_path / "users.parquet", tmp_path / "run"
    shop_log().write_csv(log)
    people().write_parquet(users)
    done = run_cli("train", log, "--out", run, "--users", users, *SMALL_SETS)
    assert done.code == 0, done.err
    assert "280 of 300 users are described; features: country (" in done.err
    assert {path.name for path in run.iterdir()} == RUN_FILES | {"users.parquet", "user_features.json"}
    assert "users are described" in (run / "README.md").read_text()
    loaded = ELCRec.load(run)
    again = ELCRec(seed=1, **SMALL).fit(shop_log(), users=people(), progress=False)
    assert loaded.fitted.dataset.user_features == again.fitted.dataset.user_features
    assert loaded.recommend(k=3).equals(again.recommend(k=3))
    loaded.save(tmp_path / "copy")
    for name in ("users.parquet", "user_features.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (run / name).read_bytes()
    (run / "user_features.json").write_text("{}")
    with pytest.raises(RunError, match=r"user_features\.json"):
        ELCRec.load(run)


def test_an_interrupted_training_goes_on_with_its_users(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=1, **SMALL).fit(shop_log(), tmp_path, users=people(), progress=Interrupted())
    with pytest.raises(RunError, match="began with other users"):
        ELCRec(seed=1, **SMALL).fit(shop_log(), tmp_path, users=people().head(50), resume=True, progress=False)
    resumed = ELCRec(seed=1, **SMALL).fit(shop_log(), tmp_path, users=people(), resume=True, progress=False)
    whole = ELCRec(seed=1, **SMALL).fit(shop_log(), users=people(), progress=False).network.state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in resumed.network.state_dict().items())


def test_incremental_training_knows_new_users_by_the_same_numbers(model: ELCRec) -> None:
    user, told, _ = known_user()
    items = shop_log()["item_id"].unique(maintain_order=True).head(4)
    last = shop_log()["timestamp"].max()
    newer = pl.DataFrame({"user_id": ["newcomer"] * 4, "item_id": items, "timestamp": [last] * 4})
    newer = newer.with_columns(pl.col("timestamp") + pl.duration(days=1 + pl.int_range(4)))
    described = pl.DataFrame([{"user_id": "newcomer", **told}])
    after = ELCRec.from_fitted(model.fitted).partial_fit(newer, epochs=1, users=described, progress=False)
    assert after.fitted.dataset.user_features == model.fitted.dataset.user_features
    lookup = after.lookup
    theirs, ours = lookup.features_of("newcomer"), lookup.features_of(user)
    assert theirs is not None
    assert ours is not None
    assert all(torch.equal(one, other) for one, other in zip(theirs, ours, strict=True))
    with pytest.warns(DataWarning, match="missing, or empty, in these users: 'age'"):
        ELCRec.from_fitted(model.fitted).partial_fit(newer, epochs=1, users=described.drop("age"), progress=False)


def test_users_without_events_are_kept_until_these_come(tmp_path: Path) -> None:
    log = shop_log().with_columns(user_id=pl.col("user_id").rank("dense").cast(pl.Int64))
    number = pl.int_range(900, dtype=pl.Int64)
    told = pl.select(user_id=number, country=pl.when(number % 2 == 0).then(pl.lit("DE")).otherwise(pl.lit("FR")))
    first = trained(told.filter(pl.col("user_id") < 500), log, epochs=1)
    assert "300 of 300 users are described" in first.fitted.dataset.said_features()[0]
    first.save(tmp_path / "first")
    strange = pl.DataFrame({"user_id": ["nobody's"], "country": ["DE"]})

    def events(user: int) -> pl.DataFrame:
        later = log.head(4).with_columns(user_id=pl.lit(user, pl.Int64))
        return later.with_columns(timestamp=pl.lit(log["timestamp"].max()) + pl.duration(days=1 + pl.int_range(4)))

    newcomers = told.filter(pl.col("user_id").is_in([400, 899])).with_columns(pl.col("user_id").cast(pl.String))
    users = pl.concat([newcomers, strange])
    second = ELCRec.load(tmp_path / "first").partial_fit(events(400), epochs=1, users=users, progress=False)
    second.save(tmp_path / "second")
    kept = pl.read_parquet(tmp_path / "second" / "users.parquet")
    assert sorted(kept["user_id"].to_list()) == [*range(500), 899]
    third = ELCRec.load(tmp_path / "second").partial_fit(events(899), epochs=1, progress=False)
    assert third.fitted.dataset.said_features()[0].startswith("302 of 302 users are described")
    of_country = [third.lookup.features_of(user) for user in (899, 1)]
    assert all(one is not None for one in of_country)
    assert all(torch.equal(one, other) for one, other in zip(*of_country, strict=True))  # type: ignore[arg-type]


def test_users_alone_can_be_renewed(model: ELCRec) -> None:
    user, _, _ = known_user()
    changed = people().filter(pl.col("user_id") == user).with_columns(country=pl.lit("nowhere"))
    with pytest.warns(DataWarning, match="the model does not change, what is known about its users does"):
        after = ELCRec.from_fitted(model.fitted).partial_fit(shop_log(), users=changed, progress=False)
    assert not after.recommend([user], k=5).equals(model.recommend([user], k=5))
    assert after.metrics["test"] == after.evaluate()
    other = people()["user_id"][9]
    assert after.recommend([other], k=5).equals(model.recommend([other], k=5))


def test_columns_and_vectors_of_no_use_are_named(model: ELCRec) -> None:
    taste = pl.when(pl.int_range(pl.len()) == 1).then(pl.col("taste").list.head(5)).otherwise("taste")
    users = people().with_columns(taste, badge=pl.format("badge {}", "user_id"))
    with pytest.warns(DataWarning, match="1 of 280 vectors in 'taste' counts as missing: user .* has 5 numbers"):
        learned = trained(users)
    assert learned.fitted.dataset.said_features()[0].endswith("; no features: badge (all values differ)")
    longer = pl.concat_list("taste", "taste").alias("taste")
    later = people().head(3).with_columns(longer, colour=pl.lit("red"))
    with pytest.warns(DataWarning) as warned:
        ELCRec.from_fitted(model.fitted).partial_fit(shop_log(), users=later, progress=False)
    said = [str(warning.message) for warning in warned]
    assert any("no vector in 'taste' counts: user" in one for one in said)
    assert any("the training did not learn from 'colour'" in one for one in said)


def test_users_of_another_shop_are_refused_in_incremental_training(model: ELCRec) -> None:
    others = people().with_columns(user_id=pl.col("user_id") + "x")
    with pytest.raises(DataError, match="describes none of the model's users"):
        ELCRec.from_fitted(model.fitted).partial_fit(shop_log(), users=others, progress=False)


@pytest.mark.parametrize("settings", [{}, {"user_features": False}])
def test_users_who_are_almost_all_without_events_are_taken_with_a_warning(
    model: ELCRec, settings: dict[str, Any]
) -> None:
    """A table of all customers knows few users of a log that is mostly of guests."""
    known = pl.int_range(pl.len()) < 5
    others = people().with_columns(
        user_id=pl.when(known).then("user_id").otherwise(pl.col("user_id").str.to_uppercase())
    )
    few = r"the user file describes only 5 of the model's 300 users, and has 280 \(it has ids like .*, the model like "
    with pytest.warns(DataWarning, match=few):
        table = trained(others, **settings).fitted.dataset.user_table
    assert table is not None
    assert len(table) == 280
    if not settings:
        with pytest.warns(DataWarning, match="describes only 5 of .*: the others are kept until they have events"):
            ELCRec.from_fitted(model.fitted).partial_fit(shop_log(), users=others, progress=False)


@pytest.mark.parametrize(
    ("users", "settings"), [(people(), {"user_features": False}), (people().select("user_id", one=pl.lit(1)), {})]
)
def test_a_model_that_learned_nothing_of_its_users_says_so(users: pl.DataFrame, settings: dict[str, Any]) -> None:
    model = trained(users, epochs=1, **settings)
    assert "users are described; nothing is learned from it" in model.fitted.dataset.said_features()[0]
    for ask in (
        lambda: model.recommend_from_history([known_user()[2]], user_features=[{}]),
        lambda: model.partial_fit(shop_log(), users=people(), progress=False),
    ):
        with pytest.raises(SettingsError, match="no user features: train it with user_features=True, and users with"):
            ask()


@pytest.mark.parametrize(
    ("users", "reason"),
    [
        (people().with_columns(user_id=pl.col("user_id") + "x"), "the user file describes none of the model's users"),
        (people().rename({"user_id": "who"}), "no user_id column: the user data has"),
        (people().select("user_id"), "nothing describes the users"),
        (people().head(0), "the user data has no rows"),
        (pl.concat([people(), people().head(1)]), "has 2 rows: keep one row a user"),
        (people().with_columns(user_id=pl.lit(None, pl.String)), "rows have no user_id"),
    ],
)
def test_users_that_cannot_be_read_are_refused(users: pl.DataFrame, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        trained(users, epochs=1)


@pytest.fixture(scope="module")
def run(model: ELCRec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("users") / "run"
    ELCRec.from_fitted(model.fitted).save(folder)
    return folder


def test_the_command_line_is_told(model: ELCRec, run: Path) -> None:
    _, told, history = known_user()
    asked = ["recommend", run, "--history", ",".join(history), "-k", 5, "--json"]
    given = [f"--user-feature={name}={told[name]}" for name in ("country", "age", "since")]
    given += [f"--user-feature=likes={part}" for part in told["likes"].split("|")]
    found = run_cli(*asked, *given).document()
    known = {name: told[name] for name in ("country", "age", "since", "likes")}
    expected = model.recommend_from_history([history], k=5, user_features=[known])
    assert [row["item_id"] for row in found] == expected["item_id"].to_list()
    assert [row["score"] for row in found] == pytest.approx(expected["score"].to_list())
    assert "--user-feature DE: write it as NAME=VALUE" in run_cli(*asked, "--user-feature", "DE").complaint()
    assert (
        "no 'contry': the model has learned from 'country'"
        in run_cli(*asked, "--user-feature", "contry=DE").complaint()
    )
    odd = run_cli(*asked, "--user-feature=country=Atlantis", "--user-feature=age=34")
    assert len(odd.document()) == 5
    assert odd.err == "warning: the model knows no country 'Atlantis': it counts as unknown\n"
    refused = run_cli("recommend", run, "--user", known_user()[0], "--user-feature", "country=DE")
    assert "tells about the user of --history" in refused.complaint()


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    with Served(run) as server:
        yield server


def test_the_server_is_told_and_forgets(model: ELCRec, served: Served) -> None:
    user, told, history = known_user()
    told = {**told, "since": str(told["since"])}

    def items(**asked: Any) -> list[Any]:
        return [one["item_id"] for one in served.post("/v1/recommend", {"k": 5, **asked})["items"]]

    recommended = model.recommend([user], k=5)["item_id"].to_list()
    plain = model.recommend_from_history([history], k=5)["item_id"].to_list()
    assert items(user_id=user) == recommended
    assert items(history=history) == plain
    assert items(history=history, user_features=told) == recommended
    assert items(user_id=user, user_features={}) == plain
    batch = {"requests": [{"user_id": user, "k": 5}, {"history": history, "k": 5}, {"history": history, "k": 5}]}
    batch["requests"][2]["user_features"] = told
    lists = [one["answer"]["items"] for one in served.post("/v1/recommend/batch", batch)["results"]]
    assert [[one["item_id"] for one in answer] for answer in lists] == [recommended, plain, recommended]
    refused = served.client.post("/v1/recommend", json={"history": history, "user_features": {"contry": "DE"}})
    assert refused.status_code == 422
    assert "no 'contry': the model has learned from 'country'" in refused.json()["error"]
    assert served.client.delete(f"/v1/users/{user}").status_code == 200
    events = [{"user_id": user, "item_id": item} for item in history]
    served.post("/v1/events", {"events": events})
    assert items(user_id=user) == plain


def test_odd_values_do_not_break_the_server(served: Served) -> None:
    history = known_user()[2]
    for value in (10**30, 1e300, -0.0, True, None, [], [1, "a"], [0.1] * 8, "\u0000", "x" * 10_000, [[1]], {}):
        for name in ("country", "age", "since", "taste", "likes"):
            answer = served.client.post("/v1/recommend", json={"history": history, "user_features": {name: value}})
            assert answer.status_code in (200, 400, 422), answer.text
    body = b'{"history": ["%s"], "user_features": {"country": "\\ud800"}}' % history[0].encode()
    assert served.client.post("/v1/recommend", content=body).status_code in (200, 400, 422)


def test_a_log_of_users_who_are_not_described_is_evaluated_by_a_model_that_knows_texts_of_users() -> None:
    texts = people().select("user_id", about=pl.format("likes {} shoes and {}", "country", "age"))
    model = trained(texts, epochs=1)
    assert model.fitted.dataset.user_features is not None
    assert [column.kind for column in model.fitted.dataset.user_features.columns] == ["words"]
    others = shop_log().with_columns(pl.format("other {}", "user_id").alias("user_id"))
    assert model.evaluate(others)["n_users"] == model.evaluate()["n_users"]


def test_the_export_refuses_them(model: ELCRec, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    from elcrec.integrations.onnx import export_onnx

    with pytest.raises(SettingsError, match="user_features=False"):
        export_onnx(model, tmp_path / "onnx")
