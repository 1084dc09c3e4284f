"""A server under load, by wrk (apt-get install wrk) on the same machine: requests a second, latency, memory.

    python benchmarks/serving.py runs/beauty                              # as fast as 16 connections go, top 20
    python benchmarks/serving.py runs/big --connections 30 --delay 0.97   # about 30 a second
    python benchmarks/serving.py runs/beauty --soak --seconds 1800        # reads, explanations and writes mixed; memory

Starts `elcrec serve RUN` on a free port with a fresh store, warms it up, measures. Requests are of random users of the
run's log. Writes benchmarks/results/serving/NAME.json with the commands, percentiles, errors and memory over time.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

from elcrec import ELCRec
from elcrec.experiments.provenance import provenance
from elcrec.storage import make_folder, write_text

RESULTS = Path(__file__).parent / "results" / "serving"
REQUESTS = 20_000
SAMPLE_SECONDS = 5.0
PERCENTILES = (50, 75, 90, 95, 99, 99.9)
WRK = """
local lines = {}
for line in io.lines("REQUESTS") do lines[#lines + 1] = line end
local headers = {["content-type"] = "application/json"}
local number = 0
function init(args) number = math.random(#lines) end
function request()
  number = number % #lines + 1
  local path, body = lines[number]:match("^(%S+)\\t(.*)$")
  if body == "" then return wrk.format("GET", path, headers) end
  return wrk.format("POST", path, headers, (body:gsub("EVENT", tostring(math.random(1, 2^52)))))
end
DELAY
function done(summary, latency, requests)
  local shown = {}
  for _, p in ipairs({PERCENTILES}) do
    shown[#shown + 1] = string.format('"p%s": %.3f', p, latency:percentile(p) / 1000)
  end
  local errors = summary.errors
  io.write(string.format('JSON {"requests": %d, "seconds": %.3f, "latency_ms": {%s}, "max_ms": %.3f, ' ..
    '"not_2xx_or_3xx": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\\n', summary.requests,
    summary.duration / 1e6, table.concat(shown, ", "), latency.max / 1000, errors.status, errors.connect, errors.read,
    errors.write, errors.timeout))
end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--name", help="Of the result; default: run, mode.")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--delay", type=float, default=0.0, help="Seconds each connection waits between requests.")
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--approximate", action="store_true", help="Use the approximate index.")
    parser.add_argument("--soak", action="store_true", help="Mixed reads and writes, memory sampled.")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("this needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as scratch:
        document = measured(asked, Path(scratch))
    name = asked.name or f"{asked.run.name}-{'soak' if asked.soak else 'load'}"
    make_folder(asked.out)
    write_text(asked.out / f"{name}.json", json.dumps(document, indent=1) + "\n")
    print(json.dumps({key: document[key] for key in ("requests_a_second", "load", "memory")}, indent=1))


def measured(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Start, warm up, measure, stop."""
    model = ELCRec.load(asked.run, "cpu")
    lines = mixed(model, asked.k) if asked.soak else plain(model, asked.k)
    (scratch / "requests").write_text("".join(f"{path}\t{body}\n" for path, body in lines))
    facts = {"n_items": len(model.items), "n_users": len(model.users), "model": model.version}
    del model
    script = WRK.replace("REQUESTS", str(scratch / "requests")).replace("PERCENTILES", ", ".join(map(str, PERCENTILES)))
    delay = f"function delay() return {1000 * asked.delay:.0f} end" if asked.delay else ""
    (scratch / "script.lua").write_text(script.replace("DELAY", delay))
    serve = [
        "serve",
        asked.run,
        "--port",
        0,
        "--store",
        scratch / "events.sqlite",
        "--workers",
        asked.workers,
        "--json",
        *(["--approximate"] if asked.approximate else []),
    ]
    command = [sys.executable, "-m", "elcrec.cli", *map(str, serve)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=(scratch / "log").open("w"), text=True)
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        urllib.request.urlopen(f"{url}/v1/intents", timeout=600).read()  # everything is worked out now
        wrk = ["wrk", "-t1", f"-c{asked.connections}", "--timeout", "30s", "-s", str(scratch / "script.lua"), url]
        subprocess.run([*wrk[:3], "-d5s", *wrk[3:]], capture_output=True, check=True)
        memory, stop = [resident(server.pid)], threading.Event()
        watcher = threading.Thread(target=watch, args=(server.pid, memory, stop))
        watcher.start()
        done = subprocess.run([*wrk[:3], f"-d{asked.seconds}s", *wrk[3:]], capture_output=True, text=True, check=True)
        stop.set()
        watcher.join()
        text = urllib.request.urlopen(f"{url}/metrics", timeout=60).read().decode()
    finally:
        server.terminate()
        server.wait(60)
    load = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("JSON "))[5:])
    failures = [line for line in text.splitlines() if line.startswith("elcrec_requests_total") and 'status="5' in line]
    return {
        "suite": "serving",
        "mode": "soak" if asked.soak else "load",
        "commands": [
            " ".join(["elcrec", "serve", f"runs/{asked.run.name}", "--workers", str(asked.workers), *serve[9:]]),
            " ".join([*wrk[:3], f"-d{asked.seconds}s"]),
        ],
        "k": asked.k,
        "delay": asked.delay,
        **facts,
        "requests_a_second": round(load["requests"] / load["seconds"], 1),
        "load": load,
        "failures_5xx": failures,
        "exit": server.returncode,
        "memory": flatness(memory),
        "memory_bytes": memory,
        "cores": len(os.sched_getaffinity(0)),
        **provenance(),
    }


def plain(model: ELCRec, k: int) -> list[tuple[str, str]]:
    """Lists for random users."""
    users = random.Random(1).choices(model.users.ids.to_list(), k=REQUESTS)
    return [("/v1/recommend", json.dumps({"user_id": user, "k": k})) for user in users]


def mixed(model: ELCRec, k: int) -> list[tuple[str, str]]:
    """Of twenty requests twelve lists, two with reasons, four events, a history and a search."""
    rng = random.Random(2)
    users, items = model.users.ids.to_list(), model.items.ids.to_list()
    lines = []
    for _ in range(REQUESTS // 20):
        lines += [("/v1/recommend", json.dumps({"user_id": rng.choice(users), "k": k})) for _ in range(12)]
        lines += [
            ("/v1/recommend", json.dumps({"history": rng.choices(items, k=5), "k": 5, "explain": True}))
            for _ in range(2)
        ]
        # A bounded crowd: histories, and with them the work for each list, would grow without end otherwise.
        event = {"event_id": "EVENT", "user_id": f"visitor-{rng.randrange(5000)}"}
        lines += [("/v1/events", json.dumps({"events": [{**event, "item_id": rng.choice(items)}]})) for _ in range(4)]
        lines += [(f"/v1/users/{rng.choice(users)}/history", ""), ("/v1/items?q=12", "")]
    rng.shuffle(lines)
    return lines


def resident(pid: int) -> int:
    """Bytes in memory of a process and its children."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children)


def watch(pid: int, memory: list[int], stop: threading.Event) -> None:
    """Sample until stopped."""
    while not stop.wait(SAMPLE_SECONDS):
        memory.append(resident(pid))


def flatness(memory: list[int]) -> dict[str, float]:
    """Memory at the end over memory after the first tenth, each the mean of a tenth of the time."""
    tenth = max(1, len(memory) // 10)
    early = statistics.mean(memory[tenth : 2 * tenth] or memory[:1])
    late = statistics.mean(memory[-tenth:])
    return {"after_warm_up_bytes": early, "end_bytes": late, "ratio": round(late / early, 4)}


if __name__ == "__main__":
    main()
