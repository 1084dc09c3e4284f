"""What the server's pages rest on: example users, documentation of the API, reasons that differ, pictures."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from served import Served, shop_run

KEY = "a-key-for-the-pages"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "shop"
    shop_run(path)
    return path


@pytest.fixture(scope="module")
def model(run: Path) -> ELCRec:
    return ELCRec.load(run, "cpu")


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    with Served(run) as server:
        yield server


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    return dict(served.get("/openapi/openapi.json"))


def test_examples_are_users_of_different_intents(served: Served, model: ELCRec) -> None:
    examples = served.get("/v1/examples")["examples"]
    assert 1 < len(examples) <= 6
    intents = [one["intent"] for one in examples]
    assert len(set(intents)) == len(intents)
    assert model.user_intents([one["user_id"] for one in examples])["intent"].to_list() == intents
    assert served.get("/v1/examples")["examples"] == examples


def test_a_deleted_user_is_no_example(run: Path, tmp_path: Path) -> None:
    with Served(run, "--store", tmp_path / "events.sqlite") as server:
        first, *others = server.get("/v1/examples")["examples"]
        assert server.client.delete(f"/v1/users/{first['user_id']}").status_code == 200
        left = server.get("/v1/examples")["examples"]
        assert first["user_id"] not in [one["user_id"] for one in left]
        assert left[: len(others)] == others


def test_a_log_of_short_histories_has_examples_too(tmp_path: Path) -> None:
    short = shop_log().group_by("user_id", maintain_order=True).head(4)
    ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False}).fit(short, tmp_path / "run", progress=False)
    with Served(tmp_path / "run") as server:
        assert server.get("/v1/examples")["examples"]


def test_pages_need_no_key_and_nothing_from_elsewhere(run: Path, tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(KEY)
    with Served(run, "--api-key-file", tmp_path / "keys.txt", "--read-only") as server:
        for path in ("/", "/docs"):
            answer = server.client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text)
            assert "img-src data:;" in answer.text, "no item has a picture"
        assert "API key" in server.get("/v1/examples", 401)


def test_the_contract_describes_every_endpoint_and_field(document: dict[str, Any]) -> None:
    endpoints = [(path, one) for path, methods in document["paths"].items() for one in methods.values()]
    assert [path for path, one in endpoints if not (one.get("summary") and one.get("description"))] == []
    fields = {
        f"{name}.{field}": schema.get("description", "")
        for name, one in document["components"]["schemas"].items()
        for field, schema in one.get("properties", {}).items()
    }
    assert len(fields) > 100
    assert [name for name, text in fields.items() if not re.fullmatch(r"[A-Z\-\d].*\.|[a-z]+:? .*\.", text)] == []
    assert (
        fields["RecommendRequest.exclude_seen"] == "Leave out items of the history; default: as the model was trained."
    )
    assert "it replaces all that the model knows of a known user." in fields["RecommendRequest.user_features"]
    assert [name for name, one in document["components"]["schemas"].items() if not one.get("description")] == []


def test_a_reason_names_an_item_of_the_history_and_what_both_have(served: Served, model: ELCRec) -> None:
    user = model.users.ids[3]
    history = set(model.log.frame.filter(user_id=user)["item_id"])
    reasons = [one["reason"] for one in served.post("/v1/recommend", {"user_id": user, "explain": True})["items"]]
    named = [one["like"] for one in reasons if one["like"] is not None]
    assert set(named) <= history
    assert len(set(named)) > 1, "the reasons of a list differ"
    attributes = {row["item_id"]: row["attributes"] for row in model.fitted.catalogue.frame.to_dicts()}  # type: ignore[union-attr]
    items = served.post("/v1/recommend", {"user_id": user, "explain": True})["items"]
    for one in items:
        reason = one["reason"]
        assert reason["like_title"] == (None if reason["like"] is None else f"The {reason['like']}")
        assert set(reason["shared"]) <= set(attributes[one["item_id"]]) & set(attributes.get(reason["like"], []))
    assert any(one["reason"]["shared"] for one in items)


def test_only_pictures_of_the_web_are_given(tmp_path: Path) -> None:
    log = shop_log()
    items = log["item_id"].unique(maintain_order=True).sort().to_frame()
    address = [f"https://pictures.example/{at}.png" if at % 2 else "javascript:alert(1)" for at in range(len(items))]
    catalogue = items.with_columns(title=pl.col("item_id"), image_url=pl.Series(address))
    settings = {**SMALL, "epochs": 1, "baselines": False}
    model = ELCRec(seed=1, **settings).fit(log, tmp_path / "run", progress=False, items=catalogue)
    assert not any("pictures.example" in name for name in model.intent_names)
    with Served(tmp_path / "run") as server:
        assert server.get("/v1/model")["pictures"] is True
        answer = server.post("/v1/recommend", {"user_id": model.users.ids[0], "k": 20})
        shown = {one["item_id"]: one["image_url"] for one in answer["items"] if "image_url" in one}
        of_web = {item: url for item, url in zip(items["item_id"], address, strict=True) if url.startswith("https")}
        assert shown == {one["item_id"]: of_web[one["item_id"]] for one in answer["items"] if one["item_id"] in of_web}
        assert shown
        assert "img-src data: https: http:;" in server.client.get("/").text
