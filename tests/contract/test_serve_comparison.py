"""Two runs in one server: the field ``against``, what it refuses, and reloads."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, contents, run_cli, shop_log
from elcrec import ELCRec
from served import Served, shop_run

KEY = "a-key-of-two-runs"
GONE, NEW = "tent pegs", "sun sail"
NO_SECOND = "start it with --against RUN2"


def second_log() -> pl.DataFrame:
    """The shop without one of its items, and with one of its own."""
    item = pl.col("item_id")
    return shop_log().with_columns(item_id=pl.when(item == GONE).then(pl.lit(NEW)).otherwise(item))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``shop``; ``other``: trained on the same log; ``changed``: on a log with other items."""
    folder = tmp_path_factory.mktemp("two")
    shop_run(folder / "shop")
    shop_run(folder / "other", seed=2, n_intents=5)
    settings = {**SMALL, "epochs": 1, "baselines": False}
    ELCRec(seed=3, **settings).fit(second_log(), folder / "changed", progress=False)
    return folder


@pytest.fixture(scope="module")
def served(runs: Path) -> Iterator[Served]:
    with Served(runs / "shop", "--against", runs / "other", "--store", runs / "of-other.sqlite") as server:
        yield server


@pytest.fixture(scope="module")
def changed(runs: Path) -> Iterator[Served]:
    with Served(runs / "shop", "--against", runs / "changed", "--store", runs / "of-changed.sqlite") as server:
        yield server


@pytest.fixture(scope="module")
def models(runs: Path) -> dict[str, ELCRec]:
    return {name: ELCRec.load(runs / name, "cpu") for name in ("shop", "other", "changed")}


def pairs(answer: dict[str, Any]) -> list[tuple[Any, float]]:
    return [(one["item_id"], round(one["score"], 5)) for one in answer["items"]]


def rows(table: pl.DataFrame) -> list[tuple[Any, float]]:
    return [(row["item_id"], round(row["score"], 5)) for row in table.to_dicts()]


@pytest.mark.parametrize("how", [{}, {"intents": [2], "strength": 0.5}, {"diversify": 0.4}, {"exclude_seen": False}])
def test_each_run_answers_as_it_would_alone(served: Served, models: dict[str, ELCRec], how: dict[str, Any]) -> None:
    for user in models["shop"].users.ids.to_list()[:8]:
        for name, against in (("shop", False), ("other", True)):
            answer = served.post("/v1/recommend", {"user_id": user, "k": 7, "against": against, **how})
            assert pairs(answer) == rows(models[name].recommend([user], k=7, **how))
            assert answer["model"] == models[name].version
            assert "skipped" not in answer
    history = models["shop"].items.ids.to_list()[3:6]
    answer = served.post("/v1/recommend", {"history": history, "k": 7, "against": True, **how})
    assert pairs(answer) == rows(models["other"].recommend_from_history([history], k=7, **how))
    request = {"user_id": user, "k": 7, **how}
    both = served.post("/v1/recommend/batch", {"requests": [request, {**request, "against": True}]})["results"]
    assert [one["answer"]["model"] for one in both] == [models[name].version for name in ("shop", "other")]


def test_a_stored_event_counts_for_both_runs(served: Served, models: dict[str, ELCRec]) -> None:
    user, items = models["shop"].users.ids[9], models["shop"].items.ids.to_list()
    served.post("/v1/events", {"events": [{"user_id": user, "item_id": items[0]}, {"user_id": "new", "item_id": GONE}]})
    history = [one["item_id"] for one in served.get(f"/v1/users/{user}/history")["events"]]
    assert history[-1] == items[0]
    answer = served.post("/v1/recommend", {"user_id": user, "k": 5, "against": True})
    assert pairs(answer) == rows(models["other"].recommend_from_history([history], k=5))
    answer = served.post("/v1/recommend", {"user_id": "new", "k": 5, "against": True})
    assert pairs(answer) == rows(models["other"].recommend_from_history([[GONE]], k=5))
    served.client.delete(f"/v1/users/{user}")
    assert served.post("/v1/recommend", {"user_id": user, "against": True})["fallback"] == "popular"


def test_reasons_name_the_intents_of_the_run_that_answers(served: Served, models: dict[str, ELCRec]) -> None:
    user = models["shop"].users.ids[4]
    answer = served.post("/v1/recommend", {"user_id": user, "explain": True, "against": True})
    names = {None: None, **dict(enumerate(models["other"].intent_names))}
    reasons = [one["reason"] for one in answer["items"]]
    assert [one["intent_name"] for one in reasons] == [names[one["intent"]] for one in reasons]
    assert {one["intent"] for one in reasons} <= {None, *range(5)}


def test_intents_of_the_second_run_name_their_counterparts(served: Served, models: dict[str, ELCRec]) -> None:
    found = served.get("/v1/intents", against=True)
    assert found["n_intents"] == 5
    matched = models["shop"].match_intents(models["other"]).filter(pl.col("cosine") >= 0.5)
    expected = {row["other_intent"]: (row["intent"], pytest.approx(row["cosine"])) for row in matched.to_dicts()}
    assert expected
    given = {one["intent"]: one["counterpart"] for one in found["intents"] if "counterpart" in one}
    assert {intent: (one["intent"], one["cosine"]) for intent, one in given.items()} == expected
    assert not any("counterpart" in one for one in served.get("/v1/intents")["intents"])


def test_the_model_card_names_both_runs(served: Served, changed: Served, models: dict[str, ELCRec]) -> None:
    card = served.get("/v1/model")
    second, other = card["against"], models["other"]
    assert (card["name"], second["name"]) == ("shop", "other")
    assert (second["version"], second["recipe"], second["n_intents"]) == (other.version, other.recipe, 5)
    assert second["metrics"]["valid"] == other.metrics["valid"]
    assert second["comparable"] is True
    assert changed.get("/v1/model")["against"]["comparable"] is False


def test_items_that_one_run_does_not_know_are_said(changed: Served, models: dict[str, ELCRec]) -> None:
    shop, other = models["shop"], models["changed"]
    user = shop.log.frame.filter(item_id=GONE)["user_id"][0]
    answer = changed.post("/v1/recommend", {"user_id": user, "k": 1000, "exclude_seen": False, "against": True})
    assert answer["skipped"] == [GONE]
    history = [item for item in shop.log.frame.filter(user_id=user)["item_id"].to_list() if item != GONE]
    expected = other.recommend_from_history([history], k=1000, exclude_seen=False)
    assert pairs(answer) == rows(expected)
    assert [one["item_id"] for one in answer["items"] if one.get("only_here")] == [NEW]
    titles = {one["item_id"]: one.get("title") for one in answer["items"]}
    assert titles == {item: None if item == NEW else f"The {item}" for item in titles}
    own = changed.post("/v1/recommend", {"user_id": user, "k": 1000, "exclude_seen": False})
    assert "skipped" not in own
    assert [one["item_id"] for one in own["items"] if one.get("only_here")] == [GONE]
    given = {"history": [GONE, history[0]], "k": 5, "against": True}
    assert f"unknown item '{GONE}'" in changed.post("/v1/recommend", given, 422)
    answer = changed.post("/v1/recommend", {**given, "unknown_items": "skip"})
    assert answer["skipped"] == [GONE]
    nothing = changed.post("/v1/recommend", {"history": [GONE], "unknown_items": "skip", "against": True})
    assert (nothing["fallback"], nothing["skipped"]) == ("popular", [GONE])


def test_a_server_of_one_run_refuses_the_field_and_names_the_option(runs: Path, tmp_path: Path) -> None:
    with Served(runs / "shop", "--store", tmp_path / "events.sqlite") as server:
        assert NO_SECOND in server.post("/v1/recommend", {"user_id": "a", "against": True}, 400)
        good, bad = server.post(
            "/v1/recommend/batch", {"requests": [{"user_id": "a"}, {"user_id": "a", "against": True}]}
        )["results"]
        assert good["answer"]["items"]
        assert NO_SECOND in bad["error"]
        assert NO_SECOND in server.get("/v1/intents", 400, against=True)
        assert server.post("/v1/recommend", {"user_id": "a", "against": False})["items"]
        card = server.get("/v1/model")
        assert (card["name"], card["against"]) == ("shop", None)


def test_what_cannot_be_compared_is_refused_before_anything_is_written(runs: Path, tmp_path: Path) -> None:
    log = shop_log(60).with_columns(item_id=pl.col("item_id").rank("dense").cast(pl.Int64))
    ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False}).fit(log, tmp_path / "numbers", progress=False)
    (tmp_path / "link").symlink_to(runs / "shop")
    store = tmp_path / "events.sqlite"
    for against, why in (
        (tmp_path / "nothing", "no run folder"),
        (runs / "shop", "name another one"),
        (tmp_path / "link", "name another one"),
        (tmp_path / "numbers", "its item_id are integers, and those of the served run are text"),
    ):
        complaint = run_cli("serve", runs / "shop", "--against", against, "--port", 0, "--store", store).complaint()
        assert why in complaint
        assert str(against) in complaint
    assert not store.exists()


def test_a_reload_takes_over_both_runs(runs: Path, models: dict[str, ELCRec], tmp_path: Path) -> None:
    for name in ("shop", "other", "changed"):
        shutil.copytree(runs / name, tmp_path / name)
    live, second, keys = tmp_path / "live", tmp_path / "second", tmp_path / "keys.txt"
    live.symlink_to("shop")
    second.symlink_to("other")
    keys.write_text(KEY)
    versions = {name: model.version for name, model in models.items()}

    def turn(link: Path, name: str) -> None:
        link.unlink()
        link.symlink_to(name)

    with Served(live, "--against", second, "--api-key-file", keys, key=KEY) as server:

        def reloaded() -> tuple[Any, ...]:
            answer = server.post("/v1/reload", None)
            card = server.get("/v1/model")
            assert (card["version"], card["against"]["version"]) == (answer["model"], answer["against"])
            return answer["model"], answer["changed"], answer["against"]

        assert reloaded() == (versions["shop"], False, versions["other"])
        turn(second, "changed")
        assert reloaded() == (versions["shop"], True, versions["changed"])
        assert server.post("/v1/recommend", {"user_id": "a", "against": True})["model"] == versions["changed"]
        before = contents(tmp_path / "changed")
        (tmp_path / "changed" / "model.safetensors").write_bytes(b"damaged")
        turn(live, "other")
        assert "the model from before goes on" in server.post("/v1/reload", None, 409)
        assert server.get("/v1/model")["version"] == versions["shop"]
        for name, data in before.items():
            (tmp_path / "changed" / name).write_bytes(data)
        assert reloaded() == (versions["other"], True, versions["changed"])
        # The second run was the better one: it is served from now on.
        turn(live, "changed")
        assert reloaded() == (versions["changed"], True, versions["changed"])
        ELCRec.load(tmp_path / "changed").write_names(tmp_path / "changed", {0: "Rain"})
        assert reloaded() == (versions["changed"], False, versions["changed"])
        named = [server.get("/v1/intents", against=against)["intents"] for against in (False, True)]
        assert [{one["intent"]: one["name"] for one in intents}[0] for intents in named] == ["Rain", "Rain"]
