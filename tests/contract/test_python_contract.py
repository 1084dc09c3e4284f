"""What programs that import elcrec rely on."""

import errno
import html
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import elcrec
from cli_runner import SMALL, shop_csv, shop_log
from elcrec import DataError, ELCRec, ElcrecError, Interactions, RunError, SettingsError, UnknownIdError
from elcrec.errors import OptionWarning
from elcrec.evaluation.metrics import ranking_metrics
from elcrec.training.report import SilentReporter


def fit(data: Any, seed: int = 1, **settings: Any) -> ELCRec:
    return ELCRec(seed=seed, **{**SMALL, **settings}).fit(data, progress=False)


def same_weights(one: ELCRec, other: ELCRec) -> bool:
    first, second = one.network.state_dict(), other.network.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    return shop_log()


@pytest.fixture(scope="module")
def model(log: pl.DataFrame) -> ELCRec:
    return fit(log)


@pytest.fixture(scope="module")
def short_memory() -> ELCRec:
    """Reads three items of histories of eight; everybody walks a ring of 40 items, some of them twice."""
    rows = [(user, (7 * user + step) % 40) for user in range(60) for step in range(8)]
    return fit(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"), max_seq_len=3)


# ---------------------------------------------------------------------- learning


def test_public_names_are_there() -> None:
    assert set(elcrec.__all__) >= {"ELCRec", "Interactions", "DataError", "RunError", "SettingsError"}
    assert all(getattr(elcrec, name) is not None for name in elcrec.__all__)
    assert elcrec.__version__[0].isdigit()


def test_every_error_of_ours_is_an_elcrec_error() -> None:
    assert all(issubclass(kind, ElcrecError) for kind in (DataError, RunError, SettingsError, UnknownIdError))


def test_fit_takes_a_file(model: ELCRec, tmp_path: Path) -> None:
    assert fit(shop_csv(tmp_path)).metrics["test"] == model.metrics["test"]
    assert fit(str(shop_csv(tmp_path))).metrics["test"] == model.metrics["test"]


def test_fit_takes_tables_of_pandas_polars_and_arrow(model: ELCRec, log: pl.DataFrame) -> None:
    for table in (log.to_pandas(), log.lazy(), log.to_arrow(), Interactions.read(log)):
        assert same_weights(fit(table), model)


def test_history_and_metrics_tell_how_it_went(model: ELCRec) -> None:
    assert [record["epoch"] for record in model.history] == [1, 2]
    assert model.metrics["best_epoch"] in (1, 2)
    assert model.metrics["valid"]["ndcg@20"] == max(record["valid"]["ndcg@20"] for record in model.history)
    assert model.metrics["n_users"] == 300


def test_training_stops_early_and_keeps_the_best_epoch(log: pl.DataFrame) -> None:
    stopped = fit(log, epochs=60, patience=1, learning_rate=0.05)
    best = max(record["valid"]["ndcg@20"] for record in stopped.history)
    assert len(stopped.history) < 60
    assert stopped.metrics["best_epoch"] == len(stopped.history) - 1
    assert stopped.evaluate(split="valid")["ndcg@20"] == best


def test_same_seed_same_model_other_seed_other_model(model: ELCRec, log: pl.DataFrame) -> None:
    torch.manual_seed(99)  # the state of the caller's generator does not matter
    assert same_weights(fit(log), model)
    assert not same_weights(fit(log, seed=2), model)


@pytest.mark.parametrize("without_gradients", [torch.no_grad, torch.inference_mode])
def test_training_works_where_the_caller_has_switched_gradients_off(
    model: ELCRec, log: pl.DataFrame, without_gradients: Any
) -> None:
    older, newer = log.head(len(log) - 40), log.tail(40)
    expected = fit(older)
    with without_gradients():
        assert same_weights(fit(log), model)
        found = fit(older).partial_fit(newer, epochs=1, progress=False)
    assert same_weights(found, expected.partial_fit(newer, epochs=1, progress=False))


def test_fit_leaves_the_callers_random_state_alone(log: pl.DataFrame) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(log, epochs=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_shuffled_rows_with_times_train_the_identical_model(log: pl.DataFrame, recipe: str) -> None:
    shuffled = log.sample(fraction=1, shuffle=True, seed=3)
    assert shuffled.rows() != log.rows()
    models = [ELCRec(recipe, seed=1, **SMALL).fit(table, progress=False) for table in (log, shuffled)]
    assert same_weights(*models)
    assert models[0].metrics["test"] == models[1].metrics["test"]


def test_text_ids_train_the_identical_model_as_integer_ids() -> None:
    random = np.random.default_rng(0)
    users, items = np.repeat(np.arange(1, 121), 6), random.integers(1, 60, 720)
    integers = pl.DataFrame({"user_id": users, "item_id": items})
    texts = integers.select(pl.format("u{}", "user_id").alias("user_id"), pl.format("i{}", "item_id").alias("item_id"))
    by_integer, by_text = fit(integers), fit(texts)
    assert same_weights(by_integer, by_text)
    assert by_integer.metrics["test"] == by_text.metrics["test"]
    one, other = by_integer.recommend([12], k=5), by_text.recommend(["u12"], k=5)
    assert [f"i{item}" for item in one["item_id"]] == other["item_id"].to_list()


def test_users_with_too_few_items_to_test_are_still_served(log: pl.DataFrame) -> None:
    newcomer = pl.DataFrame({"user_id": ["newcomer"], "item_id": ["tent pegs"]})
    served = fit(pl.concat([log.select("user_id", "item_id"), newcomer]))
    assert served.metrics["n_users"] == 301
    assert served.metrics["test"]["n_users"] == 300
    assert served.recommend(["newcomer"], k=3).height == 3


# ---------------------------------------------------------------------- recommending


def test_recommend_returns_documented_columns(model: ELCRec, log: pl.DataFrame) -> None:
    lists = model.recommend(["shopper-00002", "shopper-00001"], k=3)
    assert lists.columns == ["user_id", "item_id", "score", "rank"]
    assert lists["user_id"].to_list() == ["shopper-00002"] * 3 + ["shopper-00001"] * 3
    assert lists["rank"].to_list() == [1, 2, 3] * 2
    assert set(lists["item_id"]) <= set(log["item_id"])


def test_an_option_that_has_no_effect_is_a_warning(model: ELCRec) -> None:
    some = model.users.ids.head(2)
    plain = model.recommend(some)
    with pytest.warns(OptionWarning, match=r"strength=0\.5 has no effect: it weighs intents, and none is given"):
        assert model.recommend(some, strength=0.5).equals(plain)
    history = [plain["item_id"].to_list()]
    with pytest.warns(OptionWarning, match="no effect"):
        model.recommend_from_history(history, strength=1.0)
    with pytest.warns(OptionWarning, match="no effect"):
        model.recommend_in_blocks(strength=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not model.recommend(some, strength=0.5, intents=[1]).equals(plain)


def test_an_intent_is_not_wanted_and_excluded_at_once(model: ELCRec) -> None:
    with pytest.raises(SettingsError, match="intents and exclude_intents both name 3: leave it out of one of them"):
        model.recommend(model.users.ids.head(1), intents=[2, 3], exclude_intents=[3])


def test_a_notebook_shows_the_largest_intents(model: ELCRec) -> None:
    largest = model.intents(1).head(2)
    assert model._parts.run.intents.largest(2) == list(largest.select("name", "share").iter_rows())
    assert str(largest["name"][0]) in html.unescape(model._repr_html_())


def test_all_users_at_once_get_what_they_get_one_by_one(model: ELCRec) -> None:
    everybody = model.recommend(k=5)
    users = everybody["user_id"].unique(maintain_order=True).to_list()
    assert len(users) == 300
    single = pl.concat([model.recommend([user], k=5) for user in users[:40]])
    together = everybody.head(200)
    assert together["item_id"].to_list() == single["item_id"].to_list()
    assert np.allclose(together["score"], single["score"], atol=1e-5)


def test_a_users_full_history_gets_the_users_recommendations(model: ELCRec, log: pl.DataFrame) -> None:
    users = ["shopper-00005", "shopper-00150"]
    histories = [log.filter(pl.col("user_id") == user)["item_id"].to_list() for user in users]
    by_user, by_history = model.recommend(users, k=8), model.recommend_from_history(histories, k=8)
    assert by_history.columns == ["history", "item_id", "score", "rank"]
    assert by_history["history"].to_list() == [0] * 8 + [1] * 8
    assert by_history["item_id"].to_list() == by_user["item_id"].to_list()
    assert np.allclose(by_history["score"], by_user["score"], atol=1e-5)


def test_seen_items_are_left_out_even_beyond_the_items_read(short_memory: ELCRec) -> None:
    lists = short_memory.recommend(k=40)
    assert lists.join(short_memory.log.frame, on=["user_id", "item_id"], how="semi").is_empty()
    assert lists.height == 60 * 32
    history = list(range(10))
    assert not set(short_memory.recommend_from_history([history], k=40)["item_id"]) & set(history)


def test_only_the_newest_items_decide_the_scores(short_memory: ELCRec) -> None:
    long, short = short_memory.recommend_from_history(
        [[30, 31, 1, 2, 3], [1, 2, 3]], k=40, exclude_seen=False
    ).partition_by("history")
    assert long["item_id"].to_list() == short["item_id"].to_list()
    assert np.allclose(long["score"], short["score"], atol=1e-6)


def test_exclude_seen_false_ranks_the_whole_catalogue(model: ELCRec, log: pl.DataFrame) -> None:
    everything = model.recommend(["shopper-00001"], k=10_000, exclude_seen=False)
    assert sorted(everything["item_id"]) == sorted(log["item_id"].unique())


def test_evaluation_agrees_with_recommendations(model: ELCRec, log: pl.DataFrame) -> None:
    """The rank of the test item is its place in the list for the history before it."""
    ranks = model.ranks(split="test").head(25)
    histories = [log.filter(pl.col("user_id") == user)["item_id"].to_list()[:-1] for user in ranks["user_id"]]
    lists = model.recommend_from_history(histories, k=200)
    for number, (_, item, rank) in enumerate(ranks.iter_rows()):
        listed = lists.filter((pl.col("history") == number) & (pl.col("item_id") == item))
        assert listed["rank"].to_list() == [rank]


def test_evaluate_summarises_the_ranks(model: ELCRec, log: pl.DataFrame) -> None:
    for split in ("valid", "test"):
        expected = ranking_metrics(model.ranks(split=split)["rank"].to_torch())
        metrics = model.evaluate(log, split=split)
        assert metrics == model.evaluate(split=split)
        assert {name: metrics[name] for name in expected} == expected


def test_similar_items_are_nearest_by_cosine(model: ELCRec) -> None:
    similar = model.similar_items(["tent pegs"], k=4)
    assert similar.columns == ["target_item_id", "item_id", "score", "rank"]
    table = torch.nn.functional.normalize(model.network.items_VD.detach(), dim=1)
    cosine = table @ table[int(model.items.indices(["tent pegs"])[0]) - 1]
    expected = cosine.sort(descending=True).values[1:5]
    assert np.allclose(similar["score"], expected, atol=1e-5)


@pytest.mark.parametrize("call", ["recommend", "user_intents", "similar_items"])
def test_unknown_ids_are_an_error_or_skipped(model: ELCRec, call: str) -> None:
    with pytest.raises(UnknownIdError, match="nobody"):
        getattr(model, call)(["nobody"])
    assert getattr(model, call)(["nobody"], unknown="skip").is_empty()


def test_unknown_history_items_are_an_error_or_skipped(model: ELCRec) -> None:
    with pytest.raises(UnknownIdError, match="no such thing"):
        model.recommend_from_history([["no such thing", "webcam"]])
    for flat in (["webcam", "tent pegs"], [1, 2], "webcam"):
        with pytest.raises(DataError, match=r"(each history|histories): pass a list"):
            model.recommend_from_history(flat)
    lists = model.recommend_from_history([["no such thing"], ["no such thing", "webcam"]], k=2, unknown="skip")
    assert lists["history"].to_list() == [1, 1]


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(model: ELCRec, k: int) -> None:
    for call in (
        lambda: model.recommend(["shopper-00001"], k=k),
        lambda: model.recommend_from_history([["webcam"]], k=k),
        lambda: model.similar_items(["webcam"], k=k),
        lambda: model.intents(k),
    ):
        with pytest.raises(SettingsError, match="at least one"):
            call()


# ---------------------------------------------------------------------- intents


def test_intents_and_user_intents_agree(model: ELCRec) -> None:
    of_users, table = model.user_intents(), model.intents()
    assert of_users.columns == ["user_id", "intent", "similarity", "weight", "rank"]
    assert {"intent", "name", "users", "share", "items", "lifts"} < set(table.columns)
    assert of_users.height == 300
    assert of_users["similarity"].is_between(-1.0001, 1.0001).all()
    counted = dict(of_users.group_by("intent").len().iter_rows())
    assert {row["intent"]: row["users"] for row in table.to_dicts() if row["users"]} == counted
    assert table["share"].sum() == pytest.approx(1)
    assert table["users"].is_sorted(descending=True)


def test_user_intents_of_some_are_those_of_all(model: ELCRec) -> None:
    everybody = dict(model.user_intents().select("user_id", "intent").iter_rows())
    some = model.user_intents(["shopper-00200", "shopper-00003"])
    assert some["user_id"].to_list() == ["shopper-00200", "shopper-00003"]
    assert all(everybody[user] == intent for user, intent in some.select("user_id", "intent").iter_rows())


# ---------------------------------------------------------------------- keeping


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_loaded_model_equals_the_one_in_memory(log: pl.DataFrame, tmp_path: Path, recipe: str) -> None:
    model = ELCRec(recipe, seed=1, **SMALL).fit(log, progress=False)
    model.save(tmp_path / "run")
    loaded = ELCRec.load(tmp_path / "run")
    assert same_weights(loaded, model)
    assert loaded.settings == model.settings
    assert loaded.recipe == recipe
    assert loaded.history == model.history
    assert loaded.metrics == model.metrics
    assert loaded.evaluate(log) == model.evaluate()
    assert loaded.recommend(k=5).equals(model.recommend(k=5))
    assert loaded.intents().equals(model.intents())
    assert loaded.user_intents().equals(model.user_intents())
    assert loaded.similar_items(["webcam"]).equals(model.similar_items(["webcam"]))


def test_fit_with_a_folder_writes_what_save_writes(model: ELCRec, log: pl.DataFrame, tmp_path: Path) -> None:
    ELCRec(seed=1, **SMALL).fit(log, tmp_path / "fitted", progress=False)
    model.save(tmp_path / "saved")
    for name in ("model.safetensors", "config.json", "vocabulary.parquet", "interactions.parquet"):
        assert (tmp_path / "fitted" / name).read_bytes() == (tmp_path / "saved" / name).read_bytes()


def test_save_replaces_a_run_only_on_request(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    with pytest.raises(RunError, match="holds a run"):
        model.save(tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("the caller's")
    model.save(tmp_path / "run", overwrite=True)
    assert ELCRec.load(tmp_path / "run").metrics == model.metrics
    assert (tmp_path / "run" / "notes.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_cannot_be_replaced_stays(model: ELCRec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model.save(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("elcrec.runs.run_folder.write_tensors", fail)
    with pytest.raises(RunError, match="space"):
        model.save(tmp_path / "run", overwrite=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "call",
    [
        lambda model, out: model.recommend(["u"]),
        lambda model, out: model.recommend(),
        lambda model, out: model.recommend_from_history([["i"]]),
        lambda model, out: model.similar_items(["i"]),
        lambda model, out: model.intents(),
        lambda model, out: model.user_intents(),
        lambda model, out: model.evaluate(),
        lambda model, out: model.save(out / "run"),
    ],
    ids=["recommend", "everybody", "history", "similar", "intents", "user_intents", "evaluate", "save"],
)
def test_a_model_that_has_learnt_nothing_says_so(call: Any, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not fitted"):
        call(ELCRec(**SMALL), tmp_path)
    assert not any(tmp_path.iterdir())


def test_misspelt_settings_are_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="did you mean 'epochs'"):
        ELCRec(epoch=3)
    with pytest.raises(SettingsError, match="unknown recipe"):
        ELCRec("defualt")


def test_a_model_that_was_broken_off_while_learning_again_answers_as_before() -> None:
    model = ELCRec(seed=1, **SMALL).fit(shop_log(), progress=False)
    before = model.recommend(k=3)

    class Broken(SilentReporter):
        def step(self, *_: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(shop_log().with_columns(pl.col("item_id") + "!"), progress=Broken())
    assert model.recommend(k=3).equals(before)
