"""Public data sets by name, against a real HTTP server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli_runner import run_cli
from elcrec.data import named
from elcrec.data.interactions import Interactions
from elcrec.data.named import NAMED, NamedData, fetch

TEXT = b"".join(b"%d %d %d %d\n" % (user, user, user + 1, user + 2) for user in range(1, 20000))


class Handler(BaseHTTPRequestHandler):
    """Serves the file whole, cut off, changed, too long, or not at all."""

    def do_GET(self) -> None:
        kind = self.path.strip("/")
        if kind == "broken":
            self.send_error(500)
            return
        body = {"changed": TEXT.replace(b"1", b"2", 1), "endless": TEXT + TEXT}.get(kind, TEXT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body[: len(body) // 2] if kind == "cut" else body)
        except OSError:  # the client has seen enough
            assert kind == "endless"

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("ELCREC_DATA", str(tmp_path / "cache"))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{httpd.server_port}/"
    data = NamedData("tiny", "Tiny.txt", address + "whole", hashlib.sha256(TEXT).hexdigest(), len(TEXT), "A note.")
    monkeypatch.setitem(NAMED, "tiny", data)
    yield address
    httpd.shutdown()
    httpd.server_close()


def test_a_fetched_name_stands_for_its_file(server: str) -> None:
    outcome = run_cli("data", "fetch", "tiny", "--json")
    path = Path(outcome.document()["tiny"])
    assert path.read_bytes() == TEXT
    assert "A note." in outcome.err
    assert len(Interactions.read("tiny")) == 3 * 19999
    described = run_cli("data", "describe", "tiny", "--json").document()
    assert (described["users"], described["rows"], described["note"]) == (19999, 59997, "A note.")
    listed = {row["name"]: row["here"] for row in run_cli("data", "list", "--json").document()}
    assert listed["tiny"] == str(path)
    assert not listed["beauty"]


def test_what_is_there_is_not_fetched_again(server: str) -> None:
    fetch("tiny")
    assert fetch("tiny", server + "broken").read_bytes() == TEXT


def test_the_bar_is_told_of_all_bytes(server: str) -> None:
    told: list[tuple[int, int]] = []
    fetch("tiny", on_bytes=lambda done, whole: told.append((done, whole)))
    assert told[-1] == (len(TEXT), len(TEXT))
    assert [done for done, _ in told] == sorted({done for done, _ in told})


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("cut", "not the published"),
        ("changed", "another checksum"),
        ("endless", "not the published"),
        ("broken", "Internal Server Error"),
    ],
)
def test_a_bad_download_is_refused_and_leaves_nothing(server: str, kind: str, says: str) -> None:
    complaint = run_cli("data", "fetch", "tiny", "--from", server + kind).complaint()
    assert says in complaint
    assert "--from" in complaint
    assert not list(named.cache_folder().iterdir())
    assert "elcrec data fetch tiny" in run_cli("data", "describe", "tiny").complaint()


def test_a_damaged_copy_is_replaced(server: str) -> None:
    path = fetch("tiny")
    path.write_bytes(b"x" + TEXT[1:])
    assert fetch("tiny").read_bytes() == TEXT


def test_nobody_answers(server: str) -> None:
    assert "cannot fetch tiny" in run_cli("data", "fetch", "tiny", "--from", "http://127.0.0.1:9/Tiny.txt").complaint()


def test_a_local_file_will_do(server: str, tmp_path: Path) -> None:
    copy = tmp_path / "a copy.txt"
    copy.write_bytes(TEXT)
    assert fetch("tiny", str(copy)).read_bytes() == TEXT


def test_a_local_file_that_is_not_there(server: str, tmp_path: Path) -> None:
    assert "cannot fetch tiny" in run_cli("data", "fetch", "tiny", "--from", str(tmp_path / "none.txt")).complaint()


def test_unknown_names_are_the_callers_mistake(server: str) -> None:
    assert "use beauty, sports, toys, yelp" in run_cli("data", "fetch", "tiny", "books").complaint()
    assert not named.cache_folder().exists()


def test_a_file_called_like_a_data_set_is_that_file(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").write_text("1 1 2 3\n")
    assert len(Interactions.read("tiny")) == 3


@pytest.mark.parametrize("name", ["beauty", "sports", "toys", "yelp"])
def test_checksums_are_those_of_the_published_files(name: str, beauty: Path) -> None:
    content = (beauty.parent / NAMED[name].file).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (NAMED[name].size, NAMED[name].sha256)
