"""Memory of a server under a million requests, no two of which are the same.

    python benchmarks/serving_memory.py runs/shop
    python benchmarks/serving_memory.py runs/shop --requests 100000

The application of `elcrec serve` in this process, called as the web server calls it, without sockets: every request has
another user, another address, and other options, filters or history. Samples the process's memory; writes
benchmarks/results/serving/memory.json, whatever has been reached, whenever a sample is taken.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from elcrec.experiments.provenance import provenance
from elcrec.serving.app import make_app
from elcrec.serving.middleware.keys import Keys
from elcrec.serving.options import Options
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import open_store
from elcrec.storage import make_folder, write_json

MADE_BY = provenance()  # as it starts: the checkout may move on while this runs
RESULTS = Path(__file__).parent / "results" / "serving"
SAMPLES = 40
AT_ONCE = 32


def wishes(number: int, users: list[Any], items: list[Any], n_intents: int) -> dict[str, Any]:
    """A request that no other number makes."""
    share = number % 1_000_003 / 1_000_003
    known = {"user_id": users[number % len(users)], "strength": share}
    some = [items[(number * step) % len(items)] for step in (1, 7, 31, 101)]
    if number % 200 == 0:
        return {**known, "diversify": share, "k": 5}
    if number % 200 == 100:
        return {**known, "explain": True, "intents": [number % n_intents], "k": 3}
    kinds: dict[int, dict[str, Any]] = {
        1: {"history": [*some, items[number // len(items) % len(items)]], "k": 1 + number % 100, "strength": share},
        2: {**known, "intents": [number % n_intents]},
        3: {**known, "intents": [number % n_intents, number // n_intents % n_intents], "k": 5},
        4: {**known, "exclude_intents": [number % n_intents, number // n_intents % n_intents], "k": 1 + number % 50},
        5: {**known, "deny": some, "k": 1 + number // 7 % 50},
        6: {**known, "allow": [*some, *items[number % len(items) :]][:40], "k": 4},
        7: {**known, "k": 1 + number % 100, "exclude_seen": bool(number % 2)},
    }
    return kinds.get(number % 20, {"user_id": f"visitor-{number}", "k": 1 + number % 100, "strength": share})


class Asgi:
    """Asks an application as a web server would."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def __aenter__(self) -> "Asgi":
        self._life = asyncio.create_task(self._app({"type": "lifespan"}, self._told.get, self._said.put))
        await self._step("startup")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._step("shutdown")
        await self._life

    async def _step(self, name: str) -> None:
        await self._told.put({"type": f"lifespan.{name}"})
        assert (await self._said.get())["type"] == f"lifespan.{name}.complete"

    async def ask(self, method: str, path: str, client: str, document: Any = None) -> int:
        body = b"" if document is None else json.dumps(document).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
            "client": (client, 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await self._app(scope, receive, send)
        return status


async def measured(asked: argparse.Namespace, scratch: str) -> None:
    """Ask, sample, write."""
    options = Options(asked.run, f"{scratch}/events.sqlite", rate=1e9)
    snapshot = Snapshot.load(options)
    users, items = snapshot.model.users.ids.to_list(), snapshot.model.items.ids.to_list()
    n_intents = snapshot.model.settings.n_intents
    app = make_app(options, snapshot, open_store(options.store), Keys(None))
    del snapshot
    statuses: dict[int, int] = {}
    samples: list[dict[str, float]] = []
    numbers, began = iter(range(asked.requests)), time.perf_counter()
    every = max(1, asked.requests // SAMPLES)

    async def client(server: Asgi) -> None:
        for number in numbers:
            address = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
            status = await server.ask("POST", "/v1/recommend", address, wishes(number, users, items, n_intents))
            statuses[status] = statuses.get(status, 0) + 1
            if number % 10 == 0:
                await server.ask("GET", f"/v1/users/visitor-{number}/history", address)
            if number % 50 == 7:
                await server.ask("GET", f"/nowhere/{number}", address)
            if number % every == every - 1:
                samples.append(
                    {"requests": number + 1, "seconds": time.perf_counter() - began, "rss_bytes": resident()}
                )
                write(asked, samples, statuses)

    async with Asgi(app) as server:
        await asyncio.gather(*(client(server) for _ in range(AT_ONCE)))
    print(json.dumps(flatness(samples)))


def write(asked: argparse.Namespace, samples: list[dict[str, float]], statuses: dict[int, int]) -> None:
    document = {
        "suite": "serving",
        "mode": "memory",
        "command": f"python benchmarks/serving_memory.py runs/{asked.run.name} --requests {asked.requests}",
        "requests": samples[-1]["requests"],
        "seconds": round(samples[-1]["seconds"], 1),
        "statuses": statuses,
        "flatness": flatness(samples),
        "samples": samples,
        "cores": len(os.sched_getaffinity(0)),
        **MADE_BY,
    }
    make_folder(asked.out)
    write_json(asked.out / "memory.json", document)


def flatness(samples: list[dict[str, float]]) -> dict[str, float]:
    """Memory at the end over memory after the first tenth: means of a tenth of the samples each."""
    memory = [sample["rss_bytes"] for sample in samples]
    tenth = max(1, len(memory) // 10)
    early, late = statistics.mean(memory[tenth : 2 * tenth] or memory), statistics.mean(memory[-tenth:])
    return {"after_the_first_tenth_bytes": early, "end_bytes": late, "ratio": round(late / early, 4)}


def resident() -> int:
    """Bytes in memory that are in use: what Python and the allocator merely hold back is given up first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--requests", type=int, default=1_000_000)
    asked = parser.parse_args()
    logging.getLogger("elcrec.serve").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measured(asked, scratch))


if __name__ == "__main__":
    main()
