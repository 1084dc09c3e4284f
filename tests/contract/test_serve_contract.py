"""What clients of the server rely on: a real process is asked over HTTP."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_runner import run_cli
from elcrec import ELCRec
from elcrec.serving.store import open_store
from served import Served, shop_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "shop"
    shop_run(path)
    return path


@pytest.fixture(scope="module")
def model(run: Path) -> ELCRec:
    return ELCRec.load(run, "cpu")


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    with Served(run) as server:
        yield server


def ids(answer: dict[str, Any]) -> list[Any]:
    assert [one["rank"] for one in answer["items"]] == list(range(1, len(answer["items"]) + 1))
    return [one["item_id"] for one in answer["items"]]


def event(user: str, item: str, number: object, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "event_id": f"{user}-{number}", **more}


# ---------------------------------------------------------------------- lists


WISHES: list[dict[str, Any]] = [
    {},
    {"intents": [2], "strength": 0.5},
    {"exclude_intents": [1, 3]},
    {"diversify": 0.4},
    {"exclude_seen": False},
]


@pytest.mark.parametrize("wishes", WISHES)
def test_server_batch_and_python_give_the_same_lists(served: Served, model: ELCRec, wishes: dict[str, Any]) -> None:
    users = model.users.ids.to_list()[:60]
    table = model.recommend(users, k=12, **wishes).partition_by("user_id", maintain_order=True)
    expected = [[(row["item_id"], row["score"]) for row in one.to_dicts()] for one in table]

    def pairs(answer: dict[str, Any]) -> list[Any]:
        return [(one["item_id"], one["score"]) for one in answer["items"]]

    def ask(user: str) -> list[Any]:
        return pairs(served.post("/v1/recommend", {"user_id": user, "k": 12, **wishes}))

    assert [ask(user) for user in users[:10]] == expected[:10]
    with ThreadPoolExecutor(8) as together:
        assert list(together.map(ask, users)) == expected
    requests = [{"user_id": user, "k": 12, **wishes} for user in users]
    results = served.post("/v1/recommend/batch", {"requests": requests})["results"]
    assert [pairs(result["answer"]) for result in results] == expected


def test_the_command_line_gives_the_same_lists(served: Served, run: Path, model: ELCRec) -> None:
    user, history = model.users.ids[3], model.items.ids.to_list()[4:9]
    by_user = run_cli("recommend", run, "--user", user, "-k", 15, "--json").document()
    assert ids(served.post("/v1/recommend", {"user_id": user, "k": 15})) == [row["item_id"] for row in by_user]
    by_history = run_cli("recommend", run, "--history", ",".join(history), "-k", 15, "--json").document()
    answer = served.post("/v1/recommend", {"history": history, "k": 15})
    assert ids(answer) == [row["item_id"] for row in by_history]
    assert answer["user_id"] is None
    assert answer["fallback"] is None
    assert answer["model"] == model.version


def test_reasons_come_when_asked_for(served: Served, model: ELCRec) -> None:
    user = model.users.ids[5]
    rows = model.recommend([user], k=4, explain=True).to_dicts()
    answer = served.post("/v1/recommend", {"user_id": user, "k": 4, "explain": True})
    for one, row in zip(answer["items"], rows, strict=True):
        reason = one["reason"]
        assert one["title"] == f"The {one['item_id']}"
        assert {name: reason[name] for name in ("intent", "because", "rank_without", "parts", "residual")} == {
            name: row[name] for name in ("intent", "because", "rank_without", "parts", "residual")
        }
        assert reason["intent_name"] == (None if row["intent"] is None else model.intent_names[row["intent"]])
    assert "reason" not in served.post("/v1/recommend", {"user_id": user})["items"][0]


def test_only_allowed_items_are_listed(served: Served, model: ELCRec) -> None:
    items, user = model.items.ids.to_list(), model.users.ids[0]
    wishes = {"user_id": user, "k": 1000, "exclude_seen": False}
    whole = ids(served.post("/v1/recommend", wishes))
    some = ids(served.post("/v1/recommend", {**wishes, "allow": items[:9], "deny": items[:2]}))
    assert some == [item for item in whole if item in items[2:9]]
    kind = ids(served.post("/v1/recommend", {**wishes, "attributes": ["kind 1"]}))
    assert kind == [item for item in whole if len(item) % 3 == 1]
    two = ["kind 1", "kind 2"]
    assert ids(served.post("/v1/recommend", {**wishes, "attributes": two})) == [i for i in whole if len(i) % 3 > 0]
    assert ids(served.post("/v1/recommend", {**wishes, "attributes": two, "all_attributes": two[:1]})) == kind
    assert ids(served.post("/v1/recommend", {**wishes, "all_attributes": two})) == []


def test_somebody_unknown_gets_what_the_policy_says(served: Served, model: ELCRec) -> None:
    popular = served.post("/v1/recommend", {"user_id": "nobody", "k": 5})
    assert popular["fallback"] == "popular"
    assert popular["items"][0]["score"] == model.log.frame["item_id"].value_counts()["count"].max()
    wishes = {"user_id": "nobody", "k": 5, "unknown_user": "intents"}
    typical = served.post("/v1/recommend", {**wishes, "intents": [2]})
    assert typical["fallback"] == "intents"
    assert ids(typical) == model.recommend_to_new_user([2], 5)["item_id"].to_list()
    assert "choose intents" in served.post("/v1/recommend", wishes, 422)
    assert "no history" in served.post("/v1/recommend", {**wishes, "unknown_user": "error"}, 422)
    skipped = {"history": ["no such thing"], "unknown_items": "skip"}
    assert served.post("/v1/recommend", skipped)["fallback"] == "popular"


def test_a_strength_without_intents_is_noted(served: Served, model: ELCRec) -> None:
    plain = {"user_id": model.users.ids[0]}
    steered = {**plain, "intents": [2]}
    for request in (plain, steered, {**steered, "strength": 0.8}, {**steered, "strength": 0.2}):
        assert "notes" not in served.post("/v1/recommend", request)
    assert served.post("/v1/recommend", steered) == served.post("/v1/recommend", {**steered, "strength": 0.8})
    idle = served.post("/v1/recommend", {**plain, "strength": 0.2})
    assert idle.pop("notes") == ["strength=0.2 has no effect: it weighs intents, and none is given"]
    assert idle == served.post("/v1/recommend", plain)


def test_an_event_of_the_future_is_stored_and_noted(served: Served) -> None:
    def sent(number: int, *days_ahead: float) -> dict[str, Any]:
        times = [time.time() + 86_400 * days for days in days_ahead]
        events = [event("ahead", "tent pegs", f"{number}-{at}", timestamp=at) for at in times]
        return dict(served.post("/v1/events", {"events": events}))

    assert sent(1, 0.5, -400) == {"stored": 2, "duplicates": []}
    for number, days in ((2, (1.5,)), (3, (0, 1825, 2))):
        answer = sent(number, *days)
        [note] = answer["notes"]
        assert answer["stored"] == len(days)
        assert note.startswith("1 event is" if len(days) == 1 else "2 events are")
        assert time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400 * max(days))) in note


def test_a_title_in_a_history_leads_to_its_id(served: Served) -> None:
    assert "/v1/items?q=TITLE" in served.post("/v1/recommend", {"history": ["a title"]}, 422)


def test_a_field_that_is_not_there_leads_to_those_that_are(served: Served) -> None:
    events = {"events": [{"user": "u", "item_id": "i"}]}
    bodies = {
        "recommend": {"users": ["u"]},
        "recommend/batch": {"requests": [{"user": "u"}]},
        "events": events,
        "intents/of-history": {"histories": []},
    }
    for path, body in bodies.items():
        said = served.post(f"/v1/{path}", body, 400)
        assert "unknown field" in said
        assert said.endswith("(/openapi/openapi.json lists the fields of each endpoint)")


def test_a_batch_answers_each_request_for_itself(served: Served, model: ELCRec) -> None:
    requests = [{"user_id": model.users.ids[0]}, {"history": ["no such thing"]}, {"user_id": "nobody"}, {}]
    good, unknown, popular, nobody = served.post("/v1/recommend/batch", {"requests": requests})["results"]
    assert good["answer"]["fallback"] is None
    assert "unknown item 'no such thing'" in unknown["error"]
    assert popular["answer"]["fallback"] == "popular"
    assert "say for whom" in nobody["error"]
    assert "1 to 256" in served.post("/v1/recommend/batch", {"requests": []}, 400)


# ---------------------------------------------------------------------- events and people


def test_the_next_recommendation_sees_an_event(served: Served, model: ELCRec) -> None:
    items = model.items.ids.to_list()
    for number, item in enumerate(items[10:14]):
        answer = served.post("/v1/events", {"events": [event("fresh", item, number)]})
        assert answer == {"stored": 1, "duplicates": []}
        expected = model.recommend_from_history([items[10 : 11 + number]], k=6)["item_id"].to_list()
        recommended = served.post("/v1/recommend", {"user_id": "fresh", "k": 6})
        assert ids(recommended) == expected
        assert recommended["fallback"] is None
    known = model.users.ids[20]
    served.post("/v1/events", {"events": [event(known, items[0], "more")]})
    whole = [*model.log.frame.filter(user_id=known)["item_id"].to_list(), items[0]]
    expected = model.recommend_from_history([whole], k=6)["item_id"].to_list()
    assert ids(served.post("/v1/recommend", {"user_id": known, "k": 6})) == expected
    assert [one["item_id"] for one in served.get(f"/v1/users/{known}/history")["events"]] == whole


def test_an_event_sent_twice_is_kept_once(served: Served, model: ELCRec) -> None:
    item = model.items.ids[0]
    twice = {"events": [event("twice", item, 1), event("twice", item, 1), event("twice", item, 2)]}
    assert served.post("/v1/events", twice) == {"stored": 2, "duplicates": ["twice-1"]}
    assert served.post("/v1/events", twice)["stored"] == 0
    assert served.get("/v1/users/twice/history")["total"] == 2


def test_events_of_two_kinds_are_two(served: Served, model: ELCRec) -> None:
    one = {"user_id": "kinds", "item_id": model.items.ids[0], "timestamp": 1_700_000_000}
    sent = {"events": [one, {**one, "event": "view"}, {**one, "event": "view"}, {**one, "event": None}]}
    answer = served.post("/v1/events", sent)
    assert (answer["stored"], len(answer["duplicates"])) == (2, 2)
    assert served.get("/v1/users/kinds/history")["total"] == 2
    for wrong in ("", " ", 7, ["view"], "a\u0000b"):
        assert "event" in served.post("/v1/events", {"events": [{**one, "event": wrong}]}, 400)


def test_events_are_ordered_by_time(served: Served, model: ELCRec) -> None:
    first, second, third = model.items.ids[:3]
    times = [(third, 3.5), (first, "1970-01-01T00:00:01Z"), (second, 2)]
    served.post("/v1/events", {"events": [event("late", item, item, timestamp=time) for item, time in times]})
    events = served.get("/v1/users/late/history")["events"]
    assert [(one["item_id"], one["timestamp"]) for one in events] == [(first, 1), (second, 2), (third, 3.5)]
    assert served.get("/v1/users/late/history", limit=1)["events"] == events[2:]


def test_a_moment_is_one_whatever_tells_it(served: Served, model: ELCRec) -> None:
    user, item = "told in many ways", model.items.ids[0]
    times = [1.8e9, 1_800_000_000_000, 1_800_000_000_000_000, 1_800_000_000_000_000_000, "2027-01-15T08:00:00Z"]
    answers = [served.post("/v1/events", {"events": [dict(user_id=user, item_id=item, timestamp=t)]}) for t in times]
    assert [answer["stored"] for answer in answers] == [1, 0, 0, 0, 0], "sent again without an id, it is the same event"
    other = {"events": [event(user, item, number, timestamp=times[0]) for number in range(2)]}
    assert served.post("/v1/events", other)["stored"] == 2, "ids tell two things taken at once from one told twice"
    assert {one["timestamp"] for one in served.get(f"/v1/users/{user}/history")["events"]} == {1.8e9}


@pytest.mark.parametrize("time", ["1600-01-01", "2200-01-01T00:00:00", 5e10, -1e10, 1e30, 10**25, "soon", "1800000000"])
def test_times_that_no_log_could_hold_are_refused(served: Served, model: ELCRec, time: float | str) -> None:
    good = event("refused", model.items.ids[0], 1)
    bad = event("refused", model.items.ids[0], 2, timestamp=time)
    assert "timestamp" in served.post("/v1/events", {"events": [good, bad]}, 422)
    served.get("/v1/users/refused/history", 404)


def test_ids_that_no_log_could_hold_are_refused(served: Served, model: ELCRec) -> None:
    for user in ("  ", "a\nb", "\x7f"):
        served.post("/v1/events", {"events": [event(user, model.items.ids[0], 1)]}, 400)
    for user in ("None", "NULL"):
        said = served.post("/v1/events", {"events": [event(user, model.items.ids[0], 1)]}, 422)
        assert said.startswith(f"user_id {user!r}: the log's ids are text that train would take")
    blank = {"events": [event("u", " ", 1)], "unknown_items": "keep"}
    assert "item_id" in served.post("/v1/events", blank, 400)


def test_events_that_the_model_learnt_from_do_not_count_twice(served: Served, model: ELCRec) -> None:
    user = model.users.ids[30]
    before = served.get(f"/v1/users/{user}/history")
    last = before["events"][-1]
    served.post("/v1/events", {"events": [event(user, last["item_id"], 1, timestamp=last["timestamp"])]})
    assert served.get(f"/v1/users/{user}/history") == before


def test_items_for_a_later_model_are_kept_on_demand(served: Served, model: ELCRec) -> None:
    events = [event("early", "a coming thing", 1), event("early", model.items.ids[0], 2)]
    assert "unknown item 'a coming thing'" in served.post("/v1/events", {"events": events}, 422)
    served.get("/v1/users/early/history", 404)
    assert served.post("/v1/events", {"events": events, "unknown_items": "keep"})["stored"] == 2
    assert served.get("/v1/users/early/history")["total"] == 1


def test_intents_of_a_user_and_of_a_history(served: Served, model: ELCRec) -> None:
    user = model.users.ids[2]
    mix = served.get(f"/v1/users/{user}/intents")
    rows = model.user_intents([user], top=5).to_dicts()
    assert [one["intent"] for one in mix["intents"]] == [row["intent"] for row in rows]
    timeline = model.intent_timeline(user)
    assert [one["intent"] for one in mix["timeline"]] == timeline["intent"].to_list()
    assert [one["item_id"] for one in mix["timeline"]] == timeline["item_id"].to_list()
    same = served.post("/v1/intents/of-history", {"history": timeline["item_id"].to_list()})
    assert same["intents"] == mix["intents"]
    newest = served.get(f"/v1/users/{user}/intents", limit=2)["timeline"]
    assert [one["position"] for one in newest] == [len(timeline) - 1, len(timeline)]
    assert [one["intent"] for one in newest] == timeline["intent"].tail(2).to_list()


def test_a_deleted_user_is_gone_everywhere(served: Served, model: ELCRec, run: Path) -> None:
    user = model.users.ids[40]
    served.post("/v1/events", {"events": [event(user, model.items.ids[0], 1)]})
    assert user in served.get("/v1/users", q=user)["users"]
    answer = served.client.delete(f"/v1/users/{user}").json()
    assert answer == {"user_id": user, "events": 1, "in_log": True}
    served.get(f"/v1/users/{user}/history", 404)
    served.get(f"/v1/users/{user}/intents", 404)
    assert served.post("/v1/recommend", {"user_id": user})["fallback"] == "popular"
    assert served.get("/v1/users", q=user)["users"] == []
    assert served.client.delete(f"/v1/users/{user}").status_code == 404
    for path in run.parent.glob("shop.events.sqlite*"):
        assert user.encode() not in path.read_bytes()
    served.post("/v1/events", {"events": [event(user, model.items.ids[1], 1)]})
    assert served.get(f"/v1/users/{user}/history")["total"] == 1


# ---------------------------------------------------------------------- intents, items, the model


def test_intents_and_their_names(served: Served, model: ELCRec, run: Path) -> None:
    answer = served.get("/v1/intents", items=3)
    table = model.intents(3).to_dicts()
    assert answer["n_intents"] == 8
    assert [line["intent"] for line in answer["intents"]] == [row["intent"] for row in table]
    assert [[item["item_id"] for item in line["items"]] for line in answer["intents"]] == [r["items"] for r in table]
    number = table[0]["intent"]
    renamed = served.client.patch(f"/v1/intents/{number}", json={"name": "  Warm   things "}).json()
    assert (renamed["name"], renamed["given"]) == ("Warm things", True)
    assert served.get(f"/v1/intents/{number}")["name"] == "Warm things"
    assert ELCRec.load(run).intent_names[number] == "Warm things"
    assert served.client.patch(f"/v1/intents/{number}", json={"name": ""}).json()["name"] == table[0]["name"]
    assert "no intent 8" in served.get("/v1/intents/8", 404)


def test_items_and_the_model(served: Served, model: ELCRec) -> None:
    found = served.get("/v1/items", q="the TENT peg")["items"]
    assert [one["item_id"] for one in found] == ["tent pegs"]
    near = served.get("/v1/items/tent pegs/similar", k=4)
    assert [one["item_id"] for one in near["items"]] == model.similar_items(["tent pegs"], 4)["item_id"].to_list()
    assert "unknown item" in served.get("/v1/items/no such thing/similar", 404)
    dots = served.get("/v1/map")
    assert dots["n"] == 300
    assert {place["intent"] for place in dots["places"]} == set(model.user_intents()["intent"])
    card = served.get("/v1/model")
    assert (card["version"], card["n_users"], card["n_items"]) == (model.version, 300, len(model.items))
    assert card["metrics"]["test"] == model.metrics["test"]
    assert card["exclude_seen"] is model.settings.exclude_seen


def test_ids_with_slashes_and_other_scripts_work_in_paths(served: Served, model: ELCRec) -> None:
    user = "Zoë/東京?#&%20 ' OR 1=1 --"
    served.post("/v1/events", {"events": [event(user, model.items.ids[0], 1)]})
    path = "/v1/users/" + "".join(f"%{byte:02X}" for byte in user.encode()) + "/history"
    assert served.get(path)["user_id"] == user


# ---------------------------------------------------------------------- operations


def test_health_metrics_and_the_log_of_requests(served: Served, model: ELCRec) -> None:
    assert served.get("/healthz") == {"status": "ok", "model": model.version}
    assert served.get("/readyz") == {"status": "ready", "model": model.version, "models": [model.version]}
    served.post("/v1/recommend", {"user_id": "secret-person"})
    assert served.client.get("/v1/users/secret-person/history").status_code == 404
    text = served.client.get("/metrics").text
    assert "elcrec_requests_total{" in text
    assert 'path="/v1/users/{user_id}/history",status="404"' in text
    assert 'path="/v1/recommend",le="+Inf"' in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rsplit(" ", 1)[1]) >= 0
    until = time.monotonic() + 30  # a line is written after its answer
    while True:
        requests = [line for line in served.lines() if line["event"] == "request"]
        if requests[-1]["path"] == "/metrics" or time.monotonic() > until:
            break
        time.sleep(0.05)
    assert requests[-1]["path"] == "/metrics"
    assert "secret-person" not in served.log.read_text()
    assert all(line["status"] < 500 for line in requests if line["path"] != "/readyz")  # 503 until it is ready


def test_each_worker_tells_of_all(run: Path, tmp_path: Path) -> None:
    with Served(run, "--workers", 2, "--store", tmp_path / "events.sqlite") as server:
        told: dict[str, int] = {}
        until = time.monotonic() + 60
        while (len(told) < 2 or sum(told.values()) < 20) and time.monotonic() < until:
            for _ in range(10):
                httpx.get(f"{server.url}/healthz", timeout=60)
            text = server.client.get("/metrics").text
            counts = re.findall(r'elcrec_requests_total{worker="(\d+)",method="GET",path="/healthz".*} (\d+)', text)
            told = {worker: int(number) for worker, number in counts}
            time.sleep(0.3)
        assert len(told) == 2
        assert sum(told.values()) >= 20
        heads = [line for line in text.splitlines() if line.startswith("# TYPE")]
        assert len(heads) == len(set(heads))
        assert len(re.findall(r"^elcrec_model{", text, re.MULTILINE)) == 2


def test_the_contract_describes_itself(served: Served) -> None:
    document = served.get("/openapi/openapi.json")
    assert {"/v1/recommend", "/v1/events", "/v1/users/{user_id}", "/metrics"} <= set(document["paths"])
    text = json.dumps(document)
    assert "http://" not in text
    assert "cdn" not in text


def test_other_sites_may_not_ask(served: Served) -> None:
    answer = served.client.get("/v1/model", headers={"origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    # What a page may send elsewhere without asking: a form, or text.
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"origin": "https://elsewhere.example", "content-type": kind}
        answer = served.client.post("/v1/events", content=b'{"events": []}', headers=headers)
        assert answer.status_code == 415
        assert "application/json" in answer.json()["error"]
    assert served.client.post("/v1/recommend", content=b'{"user_id": "a"}').status_code == 200


def test_somebody_never_known_is_not_marked_as_forgotten(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    with Served(run, "--store", path) as server:
        assert server.client.delete("/v1/users/of-tomorrow").status_code == 404
        assert open_store(str(path)).forgotten(["of-tomorrow"]) == [False]


def test_keys_rates_limits_and_reading_only(run: Path, model: ELCRec, tmp_path: Path) -> None:
    keys, key = tmp_path / "keys.txt", "correct-horse-battery"
    keys.write_text(f"# who may ask\n{key}\nanother-key-of-ours\n")
    options = [
        "--api-key-file",
        keys,
        "--read-only",
        "--store",
        tmp_path / "events.sqlite",
        "--cors",
        "https://a.example",
    ]
    limits = ["--max-k", 7, "--max-history", 3, "--max-body", 2000]
    with Served(run, *options, *limits) as server:
        assert "API key" in server.get("/v1/model", 401)
        assert "API key" in server.get("/metrics", 401)
        for path in ("//v1/model", "/v1//model", "///metrics", "/v1/model/", "/nothing", "/%76%31/model"):
            assert server.client.get(f"{server.url}{path}").status_code == 401, path
        assert server.client.delete(f"{server.url}//v1/users/{model.users.ids[0]}").status_code == 401
        refused = server.client.get("/v1/model", headers={"origin": "https://a.example"})
        assert refused.headers["access-control-allow-origin"] == "https://a.example"
        assert server.client.get("/openapi/openapi.json").status_code == 200
        assert server.client.get("/v1/model", headers={"x-api-key": key + "x"}).status_code == 401
        assert server.client.get("/v1/model", headers={"x-api-key": "another-key-of-ours"}).status_code == 200
        assert server.client.get("/").status_code == 200
        server.client.headers["authorization"] = f"Bearer {key}"
        assert "read-only" in server.post("/v1/events", {"events": [event("a", model.items.ids[0], 1)]}, 403)
        assert server.client.delete(f"/v1/users/{model.users.ids[0]}").status_code == 403
        assert server.client.patch("/v1/intents/0", json={"name": "x"}).status_code == 403
        assert "at most 7" in server.post("/v1/recommend", {"user_id": "a", "k": 8}, 400)
        assert "at most 3" in server.post("/v1/recommend", {"history": list(model.items.ids[:4]), "k": 5}, 400)
        assert "too large" in server.post("/v1/recommend", {"history": ["x" * 2100]}, 413)
        asked = server.client.get("/v1/model", headers={"origin": "https://a.example"})
        assert asked.headers["access-control-allow-origin"] == "https://a.example"
        assert server.stop() == 0
    with Served(run, "--rate", 2, "--store", tmp_path / "events.sqlite") as server:
        answers = [server.client.get("/v1/model") for _ in range(60)]
        assert 200 in {answer.status_code for answer in answers}
        slow = next(answer for answer in answers if answer.status_code == 429)
        assert slow.json() == {"error": "too many requests: wait a second"}
        assert slow.headers["retry-after"] == "1"


def test_what_cannot_be_served_is_said_in_a_line(run: Path, tmp_path: Path) -> None:
    assert "no run folder" in run_cli("serve", tmp_path / "nothing", "--port", 0).complaint().splitlines()[-1]
    short = tmp_path / "short.txt"
    short.write_text("short\n")
    assert "16 characters" in run_cli("serve", run, "--api-key-file", short).complaint()
    assert "--store" in run_cli("serve", run, "--store", "ftp://nowhere", "--port", 0).complaint()
    assert "--store" in run_cli("serve", run, "--store", tmp_path, "--port", 0).complaint()
    assert "--unknown-user" in run_cli("serve", run, "--unknown-user", "magic").complaint()
    assert "--allow-host" in run_cli("serve", run, "--allow-host", "https://shop.example", "--port", 0).complaint()
    assert "--cors" in run_cli("serve", run, "--cors", "https://shop.example/", "--port", 0).complaint()
