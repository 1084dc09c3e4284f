"""Latency of plain requests, alone and while batches of explained requests run, as a client sees it.

    python benchmarks/serving_slow.py runs/beauty
    python benchmarks/serving_slow.py runs/beauty --diversify   # diversified instead of explained

Starts `elcrec serve RUN` on a free port with a fresh store and sends 40 plain requests a second: alone, then while
another client sends batches of 256 explained requests, one after the other. Writes
benchmarks/results/serving/NAME.json.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from elcrec import ELCRec
from elcrec.experiments.provenance import provenance
from elcrec.storage import make_folder, write_json

RESULTS = Path(__file__).parent / "results" / "serving"
BATCH = 256
EVERY = 0.025


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--name", default="slow-lists")
    parser.add_argument(
        "--seconds", type=float, default=20, help="Seconds of plain requests alone, and at least with batches."
    )
    parser.add_argument("--batches", type=int, default=2, help="Number of batches of 256 slow requests.")
    parser.add_argument("--diversify", action="store_true", help="Diversified instead of explained requests.")
    asked = parser.parse_args()
    load = os.getloadavg()[0]  # what else the machine does
    model = ELCRec.load(asked.run, "cpu")
    users = random.Random(1).sample(model.users.ids.to_list(), BATCH)
    facts = {"n_items": len(model.items), "n_users": len(model.users), "model": model.version}
    del model
    wishes: dict[str, Any] = {"diversify": 0.5} if asked.diversify else {"explain": True}
    batch = {"requests": [{"user_id": user, "k": 10, **wishes} for user in users]}
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "elcrec.cli", "serve", str(asked.run), "--port", "0", "--json"]
        store = ["--store", f"{scratch}/events.sqlite"]
        server = subprocess.Popen([*command, *store], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            httpx.get(f"{url}/v1/intents", timeout=600)  # everything is worked out now
            httpx.post(f"{url}/v1/recommend", json=batch["requests"][0], timeout=600)
            alone = plain(url, users, lambda since: since > asked.seconds)
            batches: list[float] = []
            beside = threading.Thread(target=slow, args=(url, batch, asked.batches, batches))
            beside.start()
            time.sleep(0.1)
            during = plain(url, users, lambda _: not beside.is_alive())
            beside.join()
        finally:
            server.terminate()
            server.wait(60)
    document = {
        "suite": "serving",
        "mode": "slow-lists",
        "command": f"python benchmarks/serving_slow.py runs/{asked.run.name} {'--diversify' * asked.diversify}".strip(),
        **facts,
        "wishes": wishes,
        "batch": BATCH,
        "plain_lists_a_second": 1 / EVERY,
        "batch_seconds": [round(seconds, 2) for seconds in batches],
        "plain_alone": summary(alone),
        "plain_beside": summary(during),
        "ratio": {name: round(summary(during)[name] / summary(alone)[name], 2) for name in ("p50_ms", "p99_ms")},
        "cores": len(os.sched_getaffinity(0)),
        "load_average_before": load,
        **provenance(),
    }
    make_folder(asked.out)
    write_json(asked.out / f"{asked.name}.json", document)
    print(json.dumps({name: document[name] for name in ("batch_seconds", "plain_alone", "plain_beside", "ratio")}))


def plain(url: str, users: list[Any], enough: Callable[[float], bool]) -> list[float]:
    """Seconds of each plain request, sent at fixed times, however long those before take, until it is enough."""
    return asyncio.run(_plain(url, users, enough))


async def _plain(url: str, users: list[Any], enough: Callable[[float], bool]) -> list[float]:
    limits = httpx.Limits(max_connections=400, keepalive_expiry=1.0)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:

        async def one(due: float) -> float:
            answer = await client.post("/v1/recommend", json={"user_id": random.choice(users), "k": 10})
            answer.raise_for_status()
            return time.perf_counter() - due

        began, asked = time.perf_counter(), list[asyncio.Task[float]]()
        while not (asked and enough(time.perf_counter() - began)):
            due = began + len(asked) * EVERY
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(one(due)))
        return list(await asyncio.gather(*asked))


def slow(url: str, batch: Any, number: int, times: list[float]) -> None:
    """Batches one after the other, and the seconds of each."""
    for _ in range(number):
        begun = time.perf_counter()
        answer = httpx.post(f"{url}/v1/recommend/batch", json=batch, timeout=600).raise_for_status()
        assert all(result["error"] is None for result in answer.json()["results"])
        times.append(time.perf_counter() - begun)


def summary(times: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    at = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else [times[0]] * 99
    return {
        "requests": len(times),
        "p50_ms": round(1000 * at[49], 2),
        "p99_ms": round(1000 * at[98], 2),
        "max_ms": round(1000 * max(times), 2),
    }


if __name__ == "__main__":
    main()
