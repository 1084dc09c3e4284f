"""What of a request has no effect is named: over all options, an option changes the answer or is in the notes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from cli_runner import SMALL, run_cli, shop_log
from elcrec import ELCRec
from elcrec.errors import UnknownIdError
from elcrec.serving.api.recommend import respond
from elcrec.serving.api.schemas.recommend import RecommendRequest
from elcrec.serving.engine import Engine
from elcrec.serving.options import Options
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import open_store

KNOWN = {"country": "c1", "age": 70}
WHOM = ("user_id", "history")
CONDITIONAL = ("exclude_seen", "unknown_user", "unknown_items")
"""Fields that say what happens in a case that need not occur: they hold without it, too, and need no note."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, log = tmp_path_factory.mktemp("notes") / "shop", shop_log()
    number = pl.int_range(pl.len())
    users = log.select(pl.col("user_id").unique(maintain_order=True)).with_columns(
        country=pl.format("c{}", number % 3), age=18 + number % 60
    )
    items = log.select(pl.col("item_id").unique().sort()).with_columns(shelf=pl.format("shelf {}", number % 3))
    ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False}).fit(
        log, path, users=users, items=items, progress=False
    )
    return path


@pytest.fixture(scope="module")
def model(run: Path) -> ELCRec:
    return ELCRec.load(run, "cpu")


class Asked:
    """An engine that is asked, and a loop for it."""

    def __init__(self, run: Path) -> None:
        self.loop = asyncio.new_event_loop()
        options = Options(run, str(run.parent / "events.sqlite"))

        async def start() -> Engine:
            return Engine(options, Snapshot.load(options), open_store(options.store))

        self.engine = self.loop.run_until_complete(start())

    def __call__(self, **fields: Any) -> dict[str, Any]:
        request = msgspec.convert(fields, RecommendRequest)
        return dict(msgspec.to_builtins(self.loop.run_until_complete(respond(self.engine, request))))


@pytest.fixture(scope="module")
def asked(run: Path) -> Iterator[Asked]:
    asked = Asked(run)
    yield asked
    asked.engine.close()
    asked.loop.close()


def options_of(model: ELCRec) -> dict[str, dict[str, Any]]:
    """Each option of a request with a value that is not its default."""
    some = model.items.ids.to_list()[::2]
    return {
        "k": {"k": 3},
        "exclude_seen": {"exclude_seen": False},
        "only_seen": {"only_seen": True},
        "allow": {"allow": some},
        "deny": {"deny": model.items.ids.to_list()[1:]},
        "attributes": {"attributes": ["shelf 1"]},
        "all_attributes": {"all_attributes": ["shelf 1"]},
        "intents": {"intents": [2]},
        "exclude_intents": {"exclude_intents": [0, 1, 3, 4]},
        "strength": {"strength": 0.1},
        "diversify": {"diversify": 0.9},
        "explain": {"explain": True},
        "unknown_user": {"unknown_user": "popular"},
        "unknown_items": {"unknown_items": "skip"},
        "user_features": {"user_features": KNOWN},
    }


WHO: dict[str, dict[str, Any]] = {
    "known": {},
    "history": {},
    "unknown": {"user_id": "nobody"},
    "unknown, chose intents": {"user_id": "nobody", "unknown_user": "intents", "intents": [2]},
    "unknown, did not": {"user_id": "nobody", "intents": [2]},
    "known, steered": {"intents": [2]},
}


def test_all_options_are_tried(model: ELCRec) -> None:
    assert {*options_of(model), *WHOM, "against"} == set(RecommendRequest.__struct_fields__)


@pytest.mark.parametrize("who", WHO)
def test_an_option_changes_the_answer_or_is_in_the_notes(asked: Asked, model: ELCRec, who: str) -> None:
    user = model.users.ids[0]
    seen = model.log.frame.filter(user_id=user)["item_id"].to_list()
    plain = {**({"history": seen} if who == "history" else {"user_id": user}), **WHO[who]}
    before = asked(**plain)
    noted_before = before.pop("notes", [])
    for name, fields in options_of(model).items():
        if name in plain:
            continue
        answer = asked(**plain, **fields)
        notes = [one for one in answer.pop("notes", []) if one not in noted_before]
        named = {one.split()[0].split("=")[0].rstrip(":") for one in notes}
        assert named <= {name}
        if name not in CONDITIONAL:
            assert (answer != before) != (named == {name}), f"{name} for a user who is {who}: {notes}"


def test_what_the_model_does_not_know_of_a_user_is_noted(asked: Asked, model: ELCRec) -> None:
    user = model.users.ids[0]
    for given in ({"user_id": user}, {"history": model.items.ids.to_list()[:2]}):
        said = asked(**given, user_features={"country": "XX", "age": "abc"})["notes"]
        assert said == [
            "user_features: the model knows no country 'XX': it counts as unknown",
            "user_features: the model knows no age 'abc': it counts as unknown",
        ]
        for known in (KNOWN, {"country": None}, {}):
            assert "notes" not in asked(**given, user_features=known)


@pytest.mark.parametrize("field", ["allow", "deny"])
def test_unknown_items_of_a_filter_are_refused_or_left_out_by_choice(asked: Asked, model: ELCRec, field: str) -> None:
    user, some = model.users.ids[0], model.items.ids.to_list()[:40]
    with pytest.raises(UnknownIdError) as refused:
        asked(user_id=user, **{field: [*some, "sold long ago"]})
    assert str(refused.value).startswith(f"{field} names 'sold long ago'")
    assert '"unknown_items": "skip"' in str(refused.value)
    assert "unknown='skip'" not in str(refused.value)
    for items in ([*some, "sold long ago", "nor this"], ["sold long ago"]):
        answer = asked(user_id=user, unknown_items="skip", **{field: items})
        expected = model.recommend([user], unknown="skip", **{field: items})["item_id"].to_list()
        assert [one["item_id"] for one in answer["items"]] == expected
        assert answer["notes"][0].startswith(f"{field} leaves out {len(set(items) - set(some))} item")


def test_without_a_history_nothing_was_seen_however_it_is_asked(asked: Asked, run: Path, model: ELCRec) -> None:
    ways: list[dict[str, Any]] = [
        {"user_id": "nobody"},
        {"user_id": "nobody", "unknown_user": "intents", "intents": [2]},
        {"history": ["sold long ago"], "unknown_items": "skip"},
        {"history": []},
    ]
    for way in ways:
        assert asked(**way, k=1)["items"]
        assert asked(**way, k=1, only_seen=True)["items"] == []
    assert model.recommend(["nobody"], 1, unknown="skip", only_seen=True).is_empty()
    assert model.recommend_from_history([["sold long ago"]], 1, unknown="skip", only_seen=True).is_empty()
    for whom in (("--user", "nobody"), ("--history", "sold long ago")):
        done = run_cli("recommend", run, *whom, "-k", 1, "--only-seen", "--unknown", "skip", "--json")
        assert done.document() == []
