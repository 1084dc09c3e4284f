"""Section of docs/results.md about the server."""

import json
from typing import Any

from elcrec.experiments.summary import markdown, where


def serving(documents: list[dict[str, Any]]) -> list[str]:
    loads = [document for document in documents if "load" in document]
    rows = []
    for document in loads:
        load, latency = document["load"], document["load"]["latency_ms"]
        bad = sum(load[name] for name in ("not_2xx_or_3xx", "connect", "read", "write", "timeout"))
        rows.append(
            [
                document["mode"],
                f"{document['n_items']:,}",
                "; ".join(document["commands"]),
                f"{document['requests_a_second']:,.0f}",
                *(f"{latency[name]:.1f}" for name in ("p50", "p99")),
                f"{load['requests']:,} in {load['seconds']:.0f} s",
                str(bad),
                f"{document['memory']['ratio']:.3f}",
                where(document),
            ]
        )
    names = ["mode", "items", "commands", "requests a second", "p50, ms", "p99, ms", "requests", "failed", "memory"]
    lines = markdown([*names, "machine"], rows)
    kills = [
        [document["store"], f"{document['acknowledged']:,}", str(document["kills"]), str(document["missing"])]
        for document in documents
        if "kills" in document
    ]
    kept = ["", "Events acknowledged while the server (and Redis) was killed with `kill -9`:", ""]
    if kills:
        lines += [*kept, *markdown(["store", "acknowledged", "kills", "missing"], kills)]
    return [*lines, *_beside(documents), *_two_processes(documents), *_memory(documents)]


def _beside(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            ", ".join(f"{name}: {json.dumps(value)}" for name, value in document["wishes"].items()),
            document["versions"]["elcrec"] + f" ({document['commit']})",
            *(
                f"{document[part][name]:,.0f}"
                for part in ("plain_alone", "plain_beside")
                for name in ("p50_ms", "p99_ms")
            ),
            " / ".join(f"{seconds:.1f}" for seconds in document["batch_seconds"]),
            f"{document['load_average_before']:.1f}",
        ]
        for document in documents
        if document.get("mode") == "slow-lists"
    ]
    names = ["batches of 256", "version", "alone: p50, ms", "p99, ms", "with batches: p50, ms", "p99, ms", "batches, s"]
    about = "Latency of 40 plain requests a second, alone and with slow batches running (`serving_slow.py`):"
    return ["", about, "", *markdown([*names, "load of the machine before"], rows)] if rows else []


def _two_processes(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            str(document["clients"]),
            f"{sum(document['answers'].values()):,}",
            f"{document['acknowledged_events']:,}",
            str(document["lost"]),
            str(document["kept_twice"] + document["told_new_more_than_once"]),
            str(document["locked_in_the_logs"]),
        ]
        for document in documents
        if document.get("mode") == "two-processes"
    ]
    names = ["clients", "answers", "events acknowledged", "lost", "duplicated", "errors that the store is locked"]
    return ["", "Two servers on one SQLite file (`serving_two.py`):", "", *markdown(names, rows)] if rows else []


def _memory(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            f"{document['requests']:,}",
            f"{document['flatness']['after_the_first_tenth_bytes'] / 1e6:.0f} MB",
            f"{document['flatness']['end_bytes'] / 1e6:.0f} MB",
            f"{document['flatness']['ratio']:.4f}",
        ]
        for document in documents
        if document.get("mode") == "memory"
    ]
    names = ["different requests", "memory after the first tenth", "at the end", "ratio"]
    return (
        [
            "",
            "Memory under requests of different users, options and filters (`serving_memory.py`):",
            "",
            *markdown(names, rows),
        ]
        if rows
        else []
    )
