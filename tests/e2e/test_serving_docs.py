"""docs/serving.md and the clients in examples/ do what they say, as a reader would run them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doc_blocks import ROOT, run_page
from served import Served, shop_run


def test_from_csv_to_a_running_service(tmp_path: Path) -> None:
    printed = run_page(ROOT / "docs" / "serving.md", tmp_path)
    log = tmp_path / "serve.log"
    decoder, documents, at = json.JSONDecoder(), [], 0
    while (at := printed.find("{", at)) >= 0:  # the page's answers lie among the tables of training
        document, at = decoder.raw_decode(printed, at)
        documents.append(document)
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
