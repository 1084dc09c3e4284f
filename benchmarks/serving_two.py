"""Two servers on one SQLite file under load: no event lost or doubled, no answer that the store is locked.

    python benchmarks/serving_two.py runs/shop --seconds 30

Starts `elcrec serve RUN` twice on one store. Clients of each send events, every second one with an id that the other's
clients send, too, and request recommendations in between; now and then a user is forgotten. Then the store is compared
with what was acknowledged. Writes benchmarks/results/serving/two-processes.json.
"""

import argparse
import collections
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from elcrec import ELCRec
from elcrec.experiments.provenance import provenance
from elcrec.serving.store import open_store
from elcrec.storage import make_folder, write_json

RESULTS = Path(__file__).parent / "results" / "serving"
CLIENTS = 8


class Client(threading.Thread):
    """Sends events and requests recommendations until it is stopped."""

    def __init__(self, url: str, name: str, place: int, items: list[Any], stop: threading.Event) -> None:
        super().__init__()
        self.url, self.name_, self.place, self.items, self.stop = url, name, place, items, stop
        self.statuses: collections.Counter[str] = collections.Counter()
        self.new: list[str] = []
        self.sent: set[str] = set()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=120) as client:
            for number in itertools.count():
                if self.stop.is_set():
                    return
                events = [self.event(f"shared-{self.place}-{number}", number), self.event(self.own(number), number)]
                answer = client.post("/v1/events", json={"events": events})
                self.statuses[f"events {answer.status_code}"] += 1
                if answer.status_code == 200:
                    ids = [event["event_id"] for event in events]
                    self.sent.update(ids)
                    self.new += [one for one in ids if one not in answer.json()["duplicates"]]
                asked = client.post("/v1/recommend", json={"user_id": events[0]["user_id"], "k": 5})
                self.statuses[f"lists {asked.status_code}"] += 1
                if number % 50 == 49:  # a user of no other client
                    user = f"gone-{self.own(number)}"
                    gone = {**events[0], "event_id": user, "user_id": user}
                    client.post("/v1/events", json={"events": [gone]}).raise_for_status()
                    self.statuses[f"forget {client.delete(f'/v1/users/{user}').status_code}"] += 1

    def own(self, number: int) -> str:
        return f"{self.name_}-{self.place}-{number}"

    def event(self, event_id: str, number: int) -> dict[str, Any]:
        item = self.items[number % len(self.items)]
        return {"event_id": event_id, "user_id": f"u{number % 500}", "item_id": item, "timestamp": number}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    items = ELCRec.load(asked.run, "cpu").items.ids.to_list()
    with tempfile.TemporaryDirectory() as scratch:
        store, logs = Path(scratch) / "events.sqlite", [Path(scratch) / f"{name}.log" for name in ("one", "two")]
        command = [sys.executable, "-m", "elcrec.cli", "serve", str(asked.run), "--port", "0", "--json", "--store"]
        servers = [
            subprocess.Popen([*command, str(store)], stdout=subprocess.PIPE, stderr=log.open("w"), text=True)
            for log in logs
        ]
        stop, clients = threading.Event(), []
        for name, server in zip(("one", "two"), servers, strict=True):
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            clients += [Client(url, name, place, items, stop) for place in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(asked.seconds)
        stop.set()
        for client in clients:
            client.join()
        for server in servers:
            server.terminate()
            server.wait(60)
        kept = collections.Counter(event.event_id for event in open_store(str(store)).everything())
        locked = sum(log.read_text().count("locked") for log in logs)
    acknowledged = set().union(*(client.sent for client in clients))
    told_new = collections.Counter(one for client in clients for one in client.new)
    document = {
        "suite": "serving",
        "mode": "two-processes",
        "command": f"python benchmarks/serving_two.py runs/{asked.run.name} --seconds {asked.seconds:g}",
        "clients": len(clients),
        "answers": dict(sorted(sum((client.statuses for client in clients), collections.Counter()).items())),
        "acknowledged_events": len(acknowledged),
        "kept_events": len(kept),
        "lost": len(acknowledged - set(kept)),
        "kept_twice": sum(number > 1 for number in kept.values()),
        "told_new_more_than_once": sum(number > 1 for number in told_new.values()),
        "never_told_new": len(acknowledged - set(told_new)),
        "locked_in_the_logs": locked,
        "exits": [server.returncode for server in servers],
        "cores": len(os.sched_getaffinity(0)),
        **provenance(),
    }
    make_folder(asked.out)
    write_json(asked.out / "two-processes.json", document)
    print(json.dumps(document))


if __name__ == "__main__":
    main()
