"""Servers that are killed, fed nonsense, or given another run under load."""

import itertools
import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from elcrec import ELCRec
from redis_server import RedisServer
from served import Served, shop_run

EVENTS = 240


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "shop"
    shop_run(path)
    return path


class Sender:
    """Sends events one after the other, and remembers those that were acknowledged."""

    def __init__(self, name: str, items: list[str]) -> None:
        self.name, self.items, self.acknowledged = name, items, []
        self.numbers = itertools.count()
        self.wrong: list[str] = []

    def send(self, server: Served, most: int) -> None:
        """Until there are ``most`` in all, or the server dies."""
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while len(self.acknowledged) < most:
                number = next(self.numbers)
                event = {"event_id": f"{self.name}-{number}", "user_id": f"{self.name}-{number % 5}"}
                event |= {"item_id": self.items[number % len(self.items)], "timestamp": number}
                try:
                    answer = client.post("/v1/events", json={"events": [event]})
                except httpx.TransportError:
                    return
                if answer.status_code == 503:  # Redis died first
                    return
                if answer.json() != {"stored": 1, "duplicates": []}:
                    self.wrong.append(answer.text)
                    return
                self.acknowledged.append((event["user_id"], event["timestamp"]))


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_acknowledged_events_survive_a_kill(run: Path, tmp_path: Path, kind: str) -> None:
    redis = None
    place = str(tmp_path / "events.sqlite")
    if kind == "redis":
        if shutil.which("redis-server") is None:
            pytest.skip("no redis-server on the PATH: apt-get install redis-server")
        redis = RedisServer(tmp_path)
        place = redis.url
    senders = [Sender(f"sender{number}", ELCRec.load(run).items.ids.to_list()) for number in range(4)]
    rng = random.Random(5)
    while sum(len(sender.acknowledged) for sender in senders) < EVENTS:
        server = Served(run, "--store", place)
        threads = [threading.Thread(target=sender.send, args=(server, EVENTS // 4)) for sender in senders]
        for thread in threads:
            thread.start()
        wanted = min(EVENTS, sum(len(sender.acknowledged) for sender in senders) + rng.randint(20, 80))
        wait_until(lambda wanted=wanted: sum(len(sender.acknowledged) for sender in senders) >= wanted)
        if redis is not None and rng.random() < 0.5:
            redis.kill()
            server.kill()
            redis.start()
        server.kill()
        for thread in threads:
            thread.join()
        server.__exit__(None, None, None)
    assert not any(sender.wrong for sender in senders)
    with Served(run, "--store", place) as server:
        for sender in senders:
            for user in {user for user, _ in sender.acknowledged}:
                kept = server.get(f"/v1/users/{user}/history", limit=1000)["events"]
                times = [one["timestamp"] for one in kept]
                assert len(times) == len(set(times))
                assert {when for who, when in sender.acknowledged if who == user} <= set(times)
    if redis is not None:
        redis.kill()


def test_a_store_that_is_gone_is_said_and_found_again(run: Path, tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on the PATH: apt-get install redis-server")
    with RedisServer(tmp_path) as redis, Served(run, "--store", redis.url) as server:
        event = {"event_id": "1", "user_id": "a", "item_id": server.get("/v1/items")["items"][0]["item_id"]}
        assert server.post("/v1/events", {"events": [event]})["stored"] == 1
        redis.kill()
        request = {"user_id": "a"}
        for path, document in (
            ("/v1/events", {"events": [event]}),
            ("/v1/recommend", request),
            ("/v1/recommend/batch", {"requests": [request]}),
        ):
            assert "store cannot be reached" in server.post(path, document, 503)
        assert "store cannot be reached" in server.get("/readyz", 503)
        assert server.get("/healthz")["status"] == "ok"
        redis.start()
        assert server.get("/v1/users/a/history")["total"] == 1
        assert server.post("/v1/events", {"events": [event]})["duplicates"] == ["1"]


# ---------------------------------------------------------------------- another run


def wait_until(reached: Callable[[], bool], patience: float = 300) -> None:
    until = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < until, "it did not come to this"
        time.sleep(0.1)


def asking(server: Served, users: list[str], stop: threading.Event, answers: list[Any]) -> None:
    with httpx.Client(base_url=server.url, headers=server.client.headers, timeout=60) as client:
        while not stop.is_set():
            user = random.choice(users)
            answers.append(client.post("/v1/recommend", json={"user_id": user, "k": 5, "intents": [1]}))


@pytest.fixture(scope="module")
def new_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "new"
    shop_run(path, seed=2)
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_a_new_run_is_taken_over_under_load_and_a_bad_one_is_not(
    run: Path, new_run: Path, tmp_path: Path, workers: int
) -> None:
    shutil.copytree(run, tmp_path / "old")
    shutil.copytree(new_run, tmp_path / "new")
    old, new = ELCRec.load(run, "cpu"), ELCRec.load(new_run, "cpu")
    link = tmp_path / "live"
    link.symlink_to(tmp_path / "old")
    key = "a-key-for-the-tests"
    (tmp_path / "keys.txt").write_text(key)
    stop, answers = threading.Event(), []

    def turn(target: str) -> None:
        beside = tmp_path / "beside"
        beside.symlink_to(tmp_path / target)
        beside.replace(link)

    with Served(link, "--workers", workers, "--api-key-file", tmp_path / "keys.txt", key=key) as server:
        threads = [
            threading.Thread(target=asking, args=(server, old.users.ids.to_list(), stop, answers)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 20)
        assert server.post("/v1/reload", None) == {"model": old.version, "changed": False, "against": None}
        shutil.copytree(tmp_path / "new", tmp_path / "bad")
        weights = (tmp_path / "bad" / "model.safetensors").read_bytes()
        (tmp_path / "bad" / "model.safetensors").write_bytes(weights[: len(weights) // 2])
        turn("bad")
        assert "the model from before goes on" in server.post("/v1/reload", None, 409)
        assert server.get("/v1/model")["version"] == old.version
        turn("new")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: {answer.json()["model"] for answer in answers[-20:]} == {new.version})
        turn("old")
        assert server.post("/v1/reload", None)["model"] == old.version
        wait_until(lambda: {answer.json()["model"] for answer in answers[-20:]} == {old.version})
        stop.set()
        for thread in threads:
            thread.join()
        assert server.stop() == 0
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["model"] for answer in answers} == {old.version, new.version}
    expected = {old.version: old, new.version: new}
    for answer in random.sample(answers, 12):
        document = answer.json()
        listed = expected[document["model"]].recommend([document["user_id"]], k=5, intents=[1])
        assert [one["item_id"] for one in document["items"]] == listed["item_id"].to_list()


def version_of_any_worker(server: Served) -> str:
    """What the worker of a new connection serves; a connection stays at its worker."""
    server.client.close()
    server.client = httpx.Client(base_url=server.url, headers=server.client.headers, timeout=60)
    return str(server.get("/v1/model")["version"])


def test_a_reload_reaches_all_workers_whoever_gets_it(run: Path, new_run: Path, tmp_path: Path) -> None:
    new, link, key = ELCRec.load(new_run, "cpu").version, tmp_path / "live", "a-key-for-the-tests"
    link.symlink_to(run)
    (tmp_path / "keys.txt").write_text(key)
    with Served(link, "--workers", 2, "--api-key-file", tmp_path / "keys.txt", key=key) as server:
        wait_until(lambda: [line["event"] for line in server.lines()].count("serving") == 2)
        link.unlink()
        link.symlink_to(new_run)
        first = next(line["pid"] for line in server.lines() if line["event"] == "serving")
        os.kill(first, signal.SIGHUP)  # as if the other had refused the run
        wait_until(lambda: "reloaded" in [line["event"] for line in server.lines()])
        wait_until(lambda: len(server.get("/readyz")["models"]) == 2)
        wait_until(lambda: version_of_any_worker(server) == new)
        assert server.post("/v1/reload", None) == {"model": new, "changed": False, "against": None}
        wait_until(lambda: server.get("/readyz")["models"] == [new], patience=60)
        assert server.stop() == 0


def test_a_worker_that_dies_is_replaced_and_stopping_loses_nothing(run: Path, tmp_path: Path) -> None:
    with Served(run, "--workers", 2, "--store", tmp_path / "events.sqlite") as server:
        wait_until(lambda: [line["event"] for line in server.lines()].count("serving") == 2)
        pids = {line["pid"] for line in server.lines() if line["event"] == "serving"}
        os.kill(pids.pop(), signal.SIGKILL)
        wait_until(lambda: [line["event"] for line in server.lines()].count("serving") == 3)
        server.get("/healthz")
        assert server.stop() == 0


class HungUpOn(Served):
    """Is told to reload while its workers load the run."""

    def wait(self) -> None:
        for _ in range(40):
            self.process.send_signal(signal.SIGHUP)
            time.sleep(0.1)
        super().wait()


def test_a_hangup_while_the_run_is_loaded_waits(run: Path, tmp_path: Path) -> None:
    with HungUpOn(run, "--workers", 2, "--store", tmp_path / "events.sqlite") as server:
        wait_until(lambda: [line["event"] for line in server.lines()].count("serving") == 2)
        wait_until(lambda: "reloaded" in [line["event"] for line in server.lines()])
        assert "a worker died: another takes its place" not in [line["event"] for line in server.lines()]
        assert server.stop() == 0


def test_a_worker_that_cannot_start_does_not_stop_the_others(run: Path, tmp_path: Path) -> None:
    link = tmp_path / "live"
    link.symlink_to(run)
    with Served(link, "--workers", 2, "--store", tmp_path / "events.sqlite") as server:
        wait_until(lambda: [line["event"] for line in server.lines()].count("serving") == 2)
        pids = {line["pid"] for line in server.lines() if line["event"] == "serving"}
        link.unlink()
        link.symlink_to(tmp_path / "nothing")
        os.kill(pids.pop(), signal.SIGKILL)
        wait_until(lambda: "cannot serve" in [line["event"] for line in server.lines()])
        for _ in range(5):
            assert server.client.post("/v1/recommend", json={"user_id": "a"}).status_code == 200
        link.unlink()
        link.symlink_to(run)
        wait_until(lambda: [line["event"] for line in server.lines()].count("serving") == 3)
        assert server.stop() == 0


# ---------------------------------------------------------------------- nonsense


@pytest.fixture(scope="module")
def served(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(run, "--store", tmp_path_factory.mktemp("store") / "events.sqlite") as server:
        yield server


BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"7",
    b"{}",
    b'{"user_id": null}',
    b'{"user_id": true}',
    b'{"user_id": 1.5}',
    b'{"user_id": ""}',
    b'{"user_id": ["a"]}',
    b'{"user_id": "a", "history": ["b"]}',
    b'{"user_id": "a", "k": 0}',
    b'{"user_id": "a", "k": -3}',
    b'{"user_id": "a", "k": "ten"}',
    b'{"user_id": "a", "k": 1e9}',
    b'{"user_id": "a", "k": 99999999999999999999}',
    b'{"user_id": "a", "k": 1001}',
    b'{"user_id": "a", "strength": 2}',
    b'{"user_id": "a", "strength": NaN}',
    b'{"user_id": "a", "intents": [-1]}',
    b'{"user_id": "a", "intents": [8]}',
    b'{"user_id": "a", "exclude_intents": [99]}',
    b'{"user_id": "a", "attributes": ["none such"]}',
    b'{"user_id": "a", "allow": ["none such"]}',
    b'{"user_id": "a", "surprise": 1}',
    b'{"history": []}' + b" " * 0 + b"x",
    b'{"history": "tent pegs"}',
    b'{"history": ["no such thing"]}',
    b'{"history": [{"item_id": "tent pegs"}]}',
    b'{"history": ["\\ud800"]}',
    b"\xff\xfe\x00",
    b'{"user_id": "a"' + b" " * 10,
    b"[" * 5000 + b"]" * 5000,
    b'{"user_id": "a", "deny": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    json.dumps({"history": ["tent pegs"] * 1001}).encode(),
    json.dumps({"history": ["tent pegs" * 10] * 12_000}).encode(),
    json.dumps({"user_id": "u" * 1001}).encode(),
    b'{"user_id": "\xff"}',
    b'{"\xff": 1}',
    b'{"history": ["tent pegs\xc3"]}',
    b'{"requests": [{"user_id": "\xed\xa0\x80"}]}',
    b'{"events": [{"user_id": "\xff", "item_id": "tent pegs"}]}',
    b'{"events": [{"user_id": "a", "item_id": "tent pegs", "event_id": "\\u0000"}]}',
    b'{"events": [{"user_id": "a", "item_id": "tent pegs", "timestamp": Infinity}]}',
    b'{"events": [{"user_id": "a", "item_id": "tent pegs", "timestamp": 1e400}]}',
    b'{"user_id": "\\ud800"}',
    b'{"user_id": "a\\u0000b"}',
    b'{"user_id": "   "}',
    b'{"user_id": "a\\nb"}',
    b'{"user_id": -Infinity}',
    b'{"user_id": ' + b"9" * 2000 + b"}",
    b'{"user_id": ' + b"9" * 9000 + b"}",
    b'\xef\xbb\xbf{"user_id": "a"}',
    '{"user_id": "a"}'.encode("utf-16"),
    b'{"user_id": "a", "k": ' + b'{"k": ' * 5000 + b"1" + b"}" * 5000 + b"}",
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:40].decode("latin-1"))
@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/recommend/batch", "/v1/events", "/v1/intents/of-history"])
def test_nonsense_is_refused_in_a_sentence(served: Served, path: str, body: bytes) -> None:
    answer = served.client.post(path, content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    sentence = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert 8 < len(sentence) < 500
    assert "Traceback" not in sentence


NAMES = [
    "'; DROP TABLE event; --",
    "' OR '1'='1",
    "../../etc/passwd",
    "東京 ☕ עברית",
    "{{7*7}}",
    "<script>",
    "%00",
]


@pytest.mark.parametrize("name", NAMES)
def test_ids_that_look_like_something_else_are_ids(served: Served, name: str) -> None:
    item = served.get("/v1/items", q="")["items"][0]["item_id"]
    event = {"event_id": name, "user_id": name, "item_id": item}
    assert served.post("/v1/events", {"events": [event]})["stored"] == 1
    assert served.post("/v1/recommend", {"user_id": name, "k": 2})["fallback"] is None
    path = "".join(f"%{byte:02X}" for byte in name.encode())
    assert served.get(f"/v1/users/{path}/history")["total"] == 1
    assert "unknown item" in served.post("/v1/recommend", {"history": [name]}, 422)
    assert "unknown item" in served.get(f"/v1/items/{path}/similar", 404)
    assert served.client.delete(f"/v1/users/{path}").json()["events"] == 1
    assert served.get("/v1/users", q=name)["users"] == []


NOWHERE = [
    "/v1/users/nobody/history?limit=0",
    "/v1/users/a/intents?limit=x",
    "/v1/items?limit=1000",
    "/v1/items?limti=5",
    "/v1/items?q=a&q=b",
    "/v1/intents/1?intent=2",
    "/v1/model?request=1",
    "/v1/intents/x",
    "/v1/intents/-1",
    "/v1/intents/99999999999999999999999",
    "/v1/items/a/similar?k=0",
    "/nothing",
    "/v1/",
    "/.env",
    "/v1/users/%FF/history",
    "/v1/users/a%ED%A0%80/intents",
    "/v1/items/%C3/similar",
    "/v1/users?q=%FF",
    "/v1/users/%00/history",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_paths_that_lead_nowhere_are_refused_in_a_sentence(served: Served, path: str) -> None:
    answer = served.client.get(path)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) > 8


def test_nothing_was_lost_and_nothing_broke(served: Served) -> None:
    lines = [line for line in served.lines() if line.get("path") != "/readyz"]  # 503 until it is ready
    assert all(line.get("status", 200) < 500 for line in lines)
    assert not [line for line in served.lines() if line["level"] == "error"]
