"""Whatever a log holds can be asked for over HTTP: every endpoint that names an id takes all that `nameable` allows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.data.ids import MOST_ID_CHARACTERS, nameable
from served import Served

ODD: list[Any] = [
    "x" * 300,
    "y" * MOST_ID_CHARACTERS,
    "東" * MOST_ID_CHARACTERS,
    "a/b",
    "/",
    "//",
    "/v1/users/a",
    "a,b;c|d",
    "what?limit=1",
    "#1",
    "50%",
    "%2F",
    "%252f",
    "..",
    ".",
    "../..",
    "a\\b",
    "a b",
    "a+b",
    "a&q=b",
    "\ue000",
    "a\ue000b",
    "\ufffd",
    "É\u0301",
    "😀",
    "-7",
    "0",
    "'\"<>{}$(id)",
]
UNSIGNED = [0, 1, 7, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
SIGNED = [-1, -7, -(2**63), 2**63 - 1, 0]


def run_of(path: Path, ids: list[Any], kind: Any) -> None:
    """A shop's log in which the first users and items have these ids."""
    log = shop_log(120)
    for column in ("user_id", "item_id"):
        known = log[column].unique(maintain_order=True).to_list()
        spare = [name if kind == pl.String else 1000 + number for number, name in enumerate(known[len(ids) :])]
        named = pl.Series([*ids, *spare], dtype=kind)
        places = pl.Series(range(len(known)))
        index = log[column].replace_strict(known, places)
        log = log.with_columns(named.gather(index).alias(column))
    ELCRec(seed=1, **{**SMALL, "epochs": 1, "min_user_count": 1, "min_item_count": 1}).fit(log, path, progress=False)


CASES = {"text": (ODD, pl.String), "unsigned": (UNSIGNED, pl.UInt64), "signed": (SIGNED, pl.Int64)}


@pytest.fixture(scope="module", params=CASES)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, list[Any]]]:
    ids, kind = CASES[request.param]
    run = tmp_path_factory.mktemp(request.param) / "run"
    run_of(run, ids, kind)
    with Served(run) as server:
        yield server, ids


def escaped(one: object) -> str:
    """An id in a path: every byte percent-encoded, so that no client reads a meaning into it."""
    return "".join(f"%{byte:02X}" for byte in str(one).encode())


def get(served: Served, path: str) -> Any:
    """Ask for a path as it is: clients would take out ``..``."""
    address = httpx.URL(served.url).copy_with(raw_path=path.encode())
    answer = served.client.send(httpx.Request("GET", address, headers={"host": "localhost"}))
    assert answer.status_code == 200, (path[:80], answer.text)
    return answer.json()


def test_every_id_of_a_log_can_be_asked_for(asked: tuple[Served, list[Any]]) -> None:
    served, ids = asked
    assert not any(nameable(str(one)) for one in ids)
    for one in ids:
        listed = served.post("/v1/recommend", {"user_id": one, "k": 200, "exclude_seen": False})
        assert listed["fallback"] is None, one
        assert listed["user_id"] == one
        assert one in [item["item_id"] for item in listed["items"]]
        only = served.post("/v1/recommend", {"history": [one], "allow": ids, "deny": [one], "exclude_seen": False})
        assert {item["item_id"] for item in only["items"]} == set(ids) - {one} or len(only["items"]) == 10
        assert served.post("/v1/intents/of-history", {"history": [one]})["timeline"][0]["item_id"] == one
        before = get(served, f"/v1/users/{escaped(one)}/history")
        assert before["user_id"] == str(one)
        assert get(served, f"/v1/users/{escaped(one)}/intents")["timeline"]
        assert get(served, f"/v1/items/{escaped(one)}/similar")["item_id"] == one
        event = {"user_id": one, "item_id": one, "event_id": f"of {one}"[:MOST_ID_CHARACTERS]}
        assert served.post("/v1/events", {"events": [event]})["stored"] == 1
        assert get(served, f"/v1/users/{escaped(one)}/history")["total"] == before["total"] + 1
        assert one in served.get("/v1/users", q=str(one), limit=50)["users"]
        assert one in [item["item_id"] for item in served.get("/v1/items", q=str(one), limit=50)["items"]]


def test_every_id_can_be_forgotten_and_no_other_is(asked: tuple[Served, list[Any]]) -> None:
    served, ids = asked
    one, other = ids[3], ids[4]
    address = httpx.URL(served.url).copy_with(raw_path=f"/v1/users/{escaped(one)}".encode())
    answer = served.client.send(httpx.Request("DELETE", address, headers={"host": "localhost"}))
    assert answer.json()["user_id"] == str(one)
    assert served.post("/v1/recommend", {"user_id": one})["fallback"] == "popular"
    assert served.post("/v1/recommend", {"user_id": other})["fallback"] is None


UNNAMEABLE = ["", " ", "\u3000", "a\u0000", "a\nb", "\u007f", "x" * (MOST_ID_CHARACTERS + 1), 10**MOST_ID_CHARACTERS]


@pytest.mark.parametrize("one", UNNAMEABLE, ids=lambda one: repr(one)[:12])
def test_an_id_that_no_log_holds_is_refused_wherever_it_is_sent(asked: tuple[Served, list[Any]], one: Any) -> None:
    served, ids = asked
    good = ids[0]
    for path, document in (
        ("/v1/recommend", {"user_id": one}),
        ("/v1/recommend", {"history": [good, one]}),
        ("/v1/recommend", {"user_id": good, "allow": [one]}),
        ("/v1/recommend", {"user_id": good, "deny": [one]}),
        ("/v1/recommend/batch", {"requests": [{"user_id": good}, {"user_id": one}]}),
        ("/v1/intents/of-history", {"history": [one]}),
        ("/v1/events", {"events": [{"user_id": one, "item_id": good}]}),
        ("/v1/events", {"events": [{"user_id": good, "item_id": one}], "unknown_items": "keep"}),
    ):
        assert len(served.post(path, document, 400)) < 300


def test_blanks_around_an_id_make_no_difference(asked: tuple[Served, list[Any]]) -> None:
    """As in the log that was learnt from: none of its ids has any."""
    served, ids = asked
    one = f"\u200b {ids[0]}\t"
    plain = served.post("/v1/recommend", {"user_id": ids[0], "k": 3})
    assert served.post("/v1/recommend", {"user_id": one, "k": 3})["items"] == plain["items"]
    assert served.post("/v1/recommend", {"history": [one], "deny": [one], "allow": [one, ids[2]]})
    before = get(served, f"/v1/users/{escaped(ids[0])}/history")["total"]
    event = {"user_id": one, "item_id": one, "event_id": "blanks"}
    assert served.post("/v1/events", {"events": [event]})["stored"] == 1
    assert get(served, f"/v1/users/{escaped(ids[0])}/history")["total"] == before + 1
    assert get(served, f"/v1/users/{escaped(one)}/history")["total"] == before + 1
    assert get(served, f"/v1/items/{escaped(one)}/similar")["item_id"] == ids[0]
