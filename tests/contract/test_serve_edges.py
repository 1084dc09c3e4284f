"""What a server does not let near its endpoints: a real process is asked over sockets."""

import contextlib
import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_runner import contents, run_cli
from elcrec.serving.store import open_store
from served import Served, shop_run

PATIENCE = 60
ALWAYS = {"x-frame-options": "DENY", "x-content-type-options": "nosniff"}
CONNECTIONS = 24


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edges") / "shop"
    shop_run(path)
    return path


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    limits = ["--max-header", 4000, "--max-body", 5000, "--max-connections", CONNECTIONS, "--timeout", 3]
    with Served(run, *limits, "--max-work", 20_000, "--allow-host", "shop.example") as server:
        yield server


def connect(server: Served) -> socket.socket:
    where = httpx.URL(server.url)
    return socket.create_connection((where.host, where.port or 80), timeout=PATIENCE)


def ask(server: Served, request: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes as they are; gives status, headers and document of the answer, after which the server hangs up."""
    with connect(server) as asking:
        with contextlib.suppress(OSError):  # it may hang up before it has heard all
            asking.sendall(request)
        return parsed(everything(asking))


def everything(asking: socket.socket) -> bytes:
    answer = b""
    while part := asking.recv(65536):
        answer += part
    return answer


def parsed(answer: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body) if body else None


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]).encode() + body


def refused(answer: tuple[int, dict[str, str], Any], status: int, sentence: str) -> None:
    assert answer[0] == status, answer
    assert ALWAYS.items() <= answer[1].items()
    assert set(answer[2]) == {"error"}
    assert sentence in answer[2]["error"]


# ---------------------------------------------------------------------- how much, how many, how long


def test_a_head_without_end_is_refused(served: Served) -> None:
    long = "x" * 300_000
    for one in (request(f"GET /v1/users/{long}/history"), request("GET /v1/model", f"X-Long: {long}")):
        refused(ask(served, one), 431, "4,000 bytes (--max-header)")
    many = [f"X-{number}: {'x' * 50}" for number in range(100)]
    refused(ask(served, request("GET /v1/model", *many)), 431, "--max-header")
    assert ask(served, request("GET /v1/model", f"X-Long: {'x' * 3000}"))[0] == 200


@pytest.mark.parametrize("size", [400, 100_000])
def test_a_body_without_end_is_refused(served: Served, size: int) -> None:
    chunk = b"%x\r\n%s\r\n" % (size, b" " * size)
    endless = request("POST /v1/recommend", "Transfer-Encoding: chunked", body=chunk * 40)
    refused(ask(served, endless), 413, "--max-body")
    announced = request("POST /v1/recommend", "Content-Length: 5001", body=b" " * 5001)
    refused(ask(served, announced), 413, "--max-body")


def test_who_sends_on_after_a_refusal_reads_it(served: Served) -> None:
    chunk = b"%x\r\n%s\r\n" % (9000, b" " * 9000)
    with connect(served) as asking:
        asking.sendall(request("POST /v1/recommend", "Transfer-Encoding: chunked", body=chunk))
        for _ in range(5):
            time.sleep(0.05)
            asking.sendall(chunk)
        refused(parsed(everything(asking)), 413, "--max-body")


def test_a_body_in_parts_is_read_and_what_trails_it_is_no_header(served: Served) -> None:
    body = b'10\r\n{"user_id": "a"}\r\n0\r\nHost: evil.example\r\nX-Trailer: ' + b"x" * 9000 + b"\r\n\r\n"
    assert ask(served, request("POST /v1/recommend", "Transfer-Encoding: chunked", body=body))[0] == 200


def test_what_is_no_http_is_refused_in_a_sentence(served: Served) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01", b"GET /\xff HTTP/1.1\r\n\r\n", b"hello\r\n\r\n"):
        refused(ask(served, garbage), 400, "no HTTP request")
    refused(ask(served, request("POST /v1/recommend", "Content-Length: x")), 400, "no HTTP request")
    both = request("POST /v1/recommend", "Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    refused(ask(served, both), 400, "no HTTP request")
    upgrade = request("POST /v1/recommend", "Upgrade: h2c", "Content-Length: 16", body=b'{"user_id": "a"}')
    assert ask(served, upgrade.replace(b"Connection: close", b"Connection: Upgrade"))[0] in (200, 400)


def test_who_is_too_slow_is_let_go(served: Served) -> None:
    beginnings = {
        b"": None,
        b"\r\n\r\n": None,
        b"GET /v1/mod": "did not arrive within 3 s (--timeout)",
        b"GET /v1/model HTTP/1.1\r\nHost: localhost\r\nX-Slow: ": "did not arrive within 3 s (--timeout)",
        b'POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"us': "did not arrive",
    }
    waiting = [connect(served) for _ in beginnings]
    for asking, beginning in zip(waiting, beginnings, strict=True):
        asking.sendall(beginning)
    for asking, sentence in zip(waiting, beginnings.values(), strict=True):
        answer = everything(asking)
        asking.close()
        if sentence is not None:
            refused(parsed(answer), 408, sentence)


def test_who_goes_before_the_end_breaks_nothing(served: Served) -> None:
    for _ in range(3):
        with connect(served) as asking:
            asking.sendall(b'POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"us')
    assert served.post("/v1/recommend", {"user_id": "a"})["fallback"] == "popular"


def answers(told: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", told)]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (b"\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHo", 408),
        (b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", 408),
        (b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_was_asked_before_a_mistake_is_answered_first(served: Served, wrong: bytes, status: int) -> None:
    body = b'{"user_id": "a", "k": 1}'
    one = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with connect(served) as asking:
        asking.sendall(one + one + wrong)
        told = everything(asking)
    assert answers(told) == [200, 200, status]
    assert told.count(b'"fallback":"popular"') == 2


def test_so_many_requests_of_a_connection_wait_for_answers_and_no_more(served: Served) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(served) as asking:
        asking.sendall(one * 90)
        told = b""
        while told.count(b"HTTP/1.1 200") < 90:
            told += asking.recv(65536)
        with contextlib.suppress(OSError):
            asking.sendall(one * 3000)
        told = everything(asking)
    assert answers(told)[-1] == 503
    assert 100 <= len(answers(told)) < 200
    assert b"read their answers first" in told


def test_one_connection_too_many_is_refused(served: Served) -> None:
    with contextlib.ExitStack() as many:
        asking = [many.enter_context(connect(served)) for _ in range(CONNECTIONS + 1)]
        answer = parsed(everything(asking[-1]))
    refused(answer, 503, "too many connections")
    assert answer[1]["retry-after"] == "1"


def test_too_much_work_is_refused_with_the_limit_and_its_option(served: Served) -> None:
    assert "--max-work" in served.post("/v1/recommend", {"user_id": "a", "k": 500}, 413)
    assert "--max-work" in served.post("/v1/recommend", {"user_id": "a", "k": 20, "explain": True}, 413)
    many = {"requests": [{"user_id": "a", "k": 10}] * 50}
    assert "20,000" in served.post("/v1/recommend/batch", many, 413)
    assert served.post("/v1/recommend", {"user_id": "a", "k": 100})["items"]
    too_long, good = {"user_id": "a", "k": 2**31}, {"user_id": "a"}  # who is refused costs nothing
    refused, answered = served.post("/v1/recommend/batch", {"requests": [too_long, good]})["results"]
    assert "--max-k" in refused["error"]
    assert answered["answer"]["items"]


# ---------------------------------------------------------------------- who, from where


def test_a_name_that_somebody_points_here_is_not_answered_for(served: Served) -> None:
    for path in ("/", "/v1/model", "/healthz", "/metrics", "/nothing"):
        answer = served.client.get(path, headers={"host": "evil.example"})
        assert answer.status_code == 421
        assert "--allow-host" in answer.json()["error"]
    for host in ("localhost", "LOCALHOST:99", "[::1]:8000", "shop.example"):
        assert served.client.get("/v1/model", headers={"host": host}).status_code == 200
    refused(ask(served, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 400, "Host header")
    refused(ask(served, request("GET /", "Host: evil.example")), 400, "Host header")


def test_a_page_of_another_site_writes_nothing(served: Served) -> None:
    origin = {"origin": "https://evil.example"}
    assert served.client.post("/v1/recommend", json={"user_id": "a"}, headers=origin).status_code == 403
    assert served.client.delete("/v1/users/a", headers=origin).status_code == 403
    assert served.client.patch("/v1/intents/0", json={"name": "x"}, headers=origin).status_code == 403
    own = {"origin": served.url}
    assert served.client.post("/v1/recommend", json={"user_id": "a"}, headers=own).status_code == 200


def test_every_answer_says_how_it_may_be_used(served: Served) -> None:
    answers = [
        served.client.get("/"),
        served.client.get("/healthz"),
        served.client.head("/v1/model"),
        served.client.options("/v1/model"),
        served.client.get("/nothing"),
        served.client.put("/v1/model"),
        served.client.post("/v1/recommend", content=b"\xff"),
        served.client.post("/v1/recommend", content=b"", headers={"origin": "https://evil.example"}),
        served.client.get("/v1/model", headers={"host": "evil.example"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 204, 404, 405, 400, 415, 421]
    for answer in answers:
        assert ALWAYS.items() <= dict(answer.headers).items()


def test_head_is_a_get_without_a_body(served: Served) -> None:
    paths = ("/", "/healthz", "/readyz", "/v1/model", "/v1/items", "/openapi/openapi.json", "/v1/users/nobody/history")
    for path in paths:
        head, get = served.client.head(path), served.client.get(path)
        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers["content-length"] == str(len(get.content))
    assert served.client.head("/v1/recommend").status_code == 405
    assert "HEAD" in served.client.put("/v1/model").headers["allow"]
    assert "HEAD" in served.client.options("/v1/model").headers["allow"]
    assert "HEAD" not in served.client.put("/v1/recommend").headers["allow"]


def test_only_a_proxy_that_is_trusted_says_who_asks(run: Path, tmp_path: Path) -> None:
    def answers(server: Served) -> set[int]:
        return {
            server.client.get("/v1/model", headers={"x-forwarded-for": f"10.0.0.{number}"}).status_code
            for number in range(40)
        }

    store = ["--store", tmp_path / "events.sqlite"]
    with Served(run, *store, "--rate", 2) as server:
        assert 429 in answers(server)
        assert {server.client.get(path).status_code for path in ("/healthz", "/readyz") for _ in range(20)} == {200}
    with Served(run, *store, "--rate", 2, "--trust-proxy", "127.0.0.0/8") as server:
        assert answers(server) == {200}


# ---------------------------------------------------------------------- operations


def test_ready_is_only_who_can_keep_events(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    with Served(run, "--store", path) as server, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as it:
        it.execute("BEGIN IMMEDIATE")  # nobody else can write, everybody can read
        assert "no event would be kept" in server.get("/readyz", 503)
        assert server.get("/healthz")["status"] == "ok"
        it.execute("ROLLBACK")
        until = time.monotonic() + PATIENCE
        while server.client.get("/readyz").status_code != 200:
            assert time.monotonic() < until


def test_a_store_that_another_server_has_taken_over_gets_no_event(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "kept.sqlite"
    told = {"events": [{"user_id": "a", "item_id": "tent pegs"}]}
    with Served(run, "--store", place) as server:
        other = open_store(str(place))
        other.adopt("numbers")
        assert "no event would be kept" in server.get("/readyz", 503)
        assert "another server's" in server.post("/v1/events", told, 409)
        other.adopt("moments")
        other.close()
        server.get("/readyz")
        assert server.post("/v1/events", told)["stored"] == 1
        messages = [line["error"] for line in server.lines() if line["event"] == "store unusable"]
    assert all("keeps numbers as times, and the log of the run has moments" in error for error in messages)


def test_who_only_reads_an_empty_store_does_not_take_it_over(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "kept.sqlite"
    store = open_store(str(place))
    store.adopt("numbers")
    assert "holds no events" in run_cli("events", run, "--store", place, "--out", tmp_path / "new.csv").complaint()
    store.check()
    store.close()


def test_keys_are_read_again_when_the_run_is(run: Path, tmp_path: Path) -> None:
    keys, old, new = tmp_path / "keys", "the-old-key-of-ours", "the-new-key-of-ours"
    keys.write_text(old)
    with Served(run, "--api-key-file", keys, "--store", tmp_path / "events.sqlite", key=old) as server:
        assert server.post("/v1/reload", None)["changed"] is False
        keys.write_bytes(b"\xef\xbb\xbf# keys of the shop, by hand\r\n" + new.encode())
        assert server.post("/v1/reload", None)["changed"] is False
        assert "API key" in server.get("/v1/model", 401)
        server.client.headers["authorization"] = "Bearer # keys of the shop, by hand"
        assert "API key" in server.get("/v1/model", 401)
        server.client.headers["authorization"] = f"Bearer {new}"
        assert server.get("/v1/model")
        keys.write_text("short")
        sentence = server.post("/v1/reload", None, 409)
        assert "16 characters" in sentence
        assert "go on" in sentence
        assert server.get("/v1/model")
        assert [line["event"] for line in server.lines()].count("reload refused") == 1


def test_nothing_is_written_where_nothing_is_served(run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name, content in contents(run).items():
        (damaged / name).write_bytes(content[: len(content) // 2] if name == "model.safetensors" else content)
    before = contents(tmp_path)
    for missing in (tmp_path / "nosuch", damaged):
        run_cli("serve", missing, "--port", 0).complaint()
        run_cli("serve", missing, "--port", 0, "--store", tmp_path / "events.sqlite").complaint()
    assert "--trust-proxy" in run_cli("serve", run, "--port", 0, "--trust-proxy", "*").complaint()
    assert contents(tmp_path) == before


def test_nothing_broke(served: Served) -> None:
    lines = [line for line in served.lines() if line.get("path") != "/readyz"]  # 503 until it is ready
    assert not [line for line in lines if line["level"] == "error" or line.get("status", 200) >= 500]
    assert "evil.example" not in served.log.read_text()
