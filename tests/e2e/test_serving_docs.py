"""docs/serving.md and the clients in examples/ do what they say, as a reader would run them."""

import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import Served, shop_run

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- test -->\n```bash\n(.*?)```", re.DOTALL)


def free_port() -> int:
    # Below those that the system gives away: it is used later.
    for port in random.sample(range(20_000, 32_000), 50):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def environment(folder: Path) -> dict[str, str]:
    """A PATH on which ``elcrec`` and ``python`` are those of the tests."""
    folder.mkdir()
    for name, arguments in (("elcrec", "-m elcrec.cli "), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


def test_from_csv_to_a_running_service(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == 4
    script = "set -euxo pipefail\n" + "\n".join(blocks).replace("8000", str(free_port()))
    # Quicker, to the same end: as the reader would with a recipe of his own.
    script = script.replace("elcrec train", "elcrec train --set epochs=2")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment(tmp_path / "bin"),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    log = tmp_path / "serve.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    decoder, documents, rest = json.JSONDecoder(), [], re.sub("(valid|test) +hit_rate.*", "", done.stdout)
    while rest := rest.strip():
        document, end = decoder.raw_decode(rest)
        documents.append(document)
        rest = rest[end:]
    ready, before, stored, after, new, intents, reloaded = documents
    assert ready["status"] == "ready"
    assert len(before["items"]) == len(after["items"]) == len(new["items"]) == 5
    assert stored == {"stored": 1, "duplicates": []}
    assert [one["item_id"] for one in before["items"]] != [one["item_id"] for one in after["items"]]
    assert after["items"][0]["reason"]["parts"]
    assert intents["timeline"][-1]["item_id"] == "tent pegs"
    assert reloaded["changed"] is True
    assert reloaded["model"] != ready["model"]
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()][-1] == "stopped"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    run = tmp_path_factory.mktemp("clients") / "shop"
    shop_run(run)
    with Served(run) as server:
        yield server


def run_example(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_client(served: Served) -> None:
    client = ROOT / "examples" / "client.py"
    nobody = run_example(sys.executable, client, served.url, "--user", "a/b ☕")
    assert "nothing is known of a/b ☕: popular items" in nobody
    known = run_example(
        sys.executable, client, served.url, "--user", "a/b ☕", "--took", "tent pegs", "cool box", "-k", 3
    )
    assert "wants" in known
    assert "because of" in known
    assert len(known.splitlines()) == 6
    command = [sys.executable, client, served.url, "--user", "x", "--took", "no such thing"]
    refused = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert refused.returncode == 1
    assert "refused: unknown item 'no such thing'" in refused.stderr


def test_the_curl_client(served: Served) -> None:
    answers = run_example("bash", ROOT / "examples" / "client.sh", served.url, "somebody", "webcam").splitlines()
    documents = [json.loads(line) for line in answers]
    assert documents[0] == {"stored": 1, "duplicates": []}
    assert documents[1]["fallback"] is None
    assert documents[3]["items"][0]["item_id"] == "webcam"
    assert len(documents) == 5
