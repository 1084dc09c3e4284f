"""Acknowledged events and `kill -9`: a server is killed again and again while events are sent; none may be missing.

    python benchmarks/serving_kill.py runs/beauty --events 10000
    python benchmarks/serving_kill.py runs/beauty --events 10000 --redis    # the Redis server is killed, too

Writes benchmarks/results/serving/kill-sqlite.json or kill-redis.json.
"""

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from elcrec import ELCRec
from elcrec.experiments.provenance import provenance
from elcrec.storage import make_folder, write_text

RESULTS = Path(__file__).parent / "results" / "serving"
SENDERS = 8
USERS = 40


def ask(url: str, document: Any = None) -> Any:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def start(run: Path, place: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "elcrec.cli", "serve", str(run), "--port", "0", "--store", place, "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    return server, json.loads(server.stdout.readline())["url"]


def start_redis(folder: str, port: int) -> subprocess.Popen[bytes]:
    command = ["redis-server", "--port", str(port), "--dir", folder, "--save", "", "--appendonly", "yes"]
    server = subprocess.Popen([*command, "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server
        except OSError:
            time.sleep(0.05)
    raise SystemExit("redis-server does not answer")


def send(name: int, url: str, items: list[Any], acknowledged: list[tuple[str, float]], most: int) -> None:
    """One event after the other until there are enough or the server dies."""
    while len(acknowledged) < most:
        number = round(len(acknowledged) * SENDERS + name + random.random() / 2, 6)
        user_id = str(10**9 * (name + 1) + len(acknowledged) % USERS)
        event = {"event_id": f"{name}-{number}", "user_id": user_id, "timestamp": number}
        event["item_id"] = random.choice(items)
        try:
            if ask(f"{url}/v1/events", {"events": [event]})["stored"] == 1:
                acknowledged.append((user_id, number))
        except (OSError, ValueError):
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    items = ELCRec.load(asked.run, "cpu").items.ids.to_list()
    acknowledged: list[list[tuple[str, float]]] = [[] for _ in range(SENDERS)]
    kills, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        place, redis, port = f"{scratch}/events.sqlite", None, 0
        if asked.redis:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            place, redis = f"redis://127.0.0.1:{port}/0", start_redis(scratch, port)
        while sum(map(len, acknowledged)) < asked.events:
            server, url = start(asked.run, place)
            share = -(-asked.events // SENDERS)
            threads = [
                threading.Thread(target=send, args=(name, url, items, sent, share))
                for name, sent in enumerate(acknowledged)
            ]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.5, 3.0))
            if redis is not None:
                redis.kill()
                redis.wait()
            server.kill()
            server.wait()
            kills += 1
            for thread in threads:
                thread.join()
            if redis is not None:
                redis = start_redis(scratch, port)
        server, url = start(asked.run, place)
        wanted = {pair for sent in acknowledged for pair in sent}
        kept = {
            (user, one["timestamp"])
            for user in {user for user, _ in wanted}
            for one in ask(f"{url}/v1/users/{user}/history?limit=1000")["events"]
        }
        server.terminate()
        server.wait(60)
        if redis is not None:
            redis.kill()
            redis.wait()
    document = {
        "suite": "serving",
        "mode": "kill",
        "store": "redis" if asked.redis else "sqlite",
        "acknowledged": len(wanted),
        "kills": kills,
        "missing": len(wanted - kept),
        "seconds": round(time.monotonic() - begun, 1),
        **provenance(),
    }
    make_folder(asked.out)
    write_text(asked.out / f"kill-{document['store']}.json", json.dumps(document, indent=1) + "\n")
    print(json.dumps({name: document[name] for name in ("store", "acknowledged", "kills", "missing", "seconds")}))
    if document["missing"]:
        raise SystemExit("acknowledged events are missing")


if __name__ == "__main__":
    main()
