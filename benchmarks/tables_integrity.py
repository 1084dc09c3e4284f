"""Sections of docs/results.md about damage, kills and reading."""

from collections import Counter
from typing import Any

from elcrec.experiments.summary import markdown, where

# Names in results of earlier versions.
RENAMED = {"learn on, overwrite": "partial_fit, overwrite"}


def integrity(documents: list[dict[str, Any]]) -> list[str]:
    parts = {document["part"]: document for document in documents}
    lines: list[str] = []
    for name, section in {"kills": _kills, "outputs": _outputs, "flips": _flips, "writers": _writers}.items():
        if name in parts:
            lines += [*section(parts[name]), "", f"`{parts[name]['command']}`; {where(parts[name])}", ""]
    if "log-fuzz" in parts:
        found = parts["log-fuzz"]
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found["outcomes"].items()))
        lines += [f"{found['cases']:,} random logs in all formats and dialects, read back: {counts}.", ""]
        lines += [f"`{found['command']}`; {where(found)}", ""]
    return lines[:-1]


def _kills(document: dict[str, Any]) -> list[str]:
    rows = [
        [
            RENAMED.get(name, name),
            *(f"{found.get(state, 0)}" for state in ("kills", "old", "new", "unchanged", "other")),
        ]
        for name, found in document["writers"].items()
    ]
    names = ["writer of a run", "kills", "left the old run", "the new run", "either (they are the same)", "another"]
    return ["Processes killed before and after every change of the disk:", "", *markdown(names, rows)]


def _outputs(document: dict[str, Any]) -> list[str]:
    rows = []
    for name, found in document["verbs"].items():
        states: Counter[str] = Counter({state: n for state, n in found.items() if state not in ("kills", "changes")})
        shown = "; ".join(f"{state}: {count}" for state, count in sorted(states.items()))
        rows.append([f"`{name}`", str(found["kills"]), shown])
    about = (
        "Commands that write other files, killed in the same way, with nothing or an older file in place before. Each "
        "was run again afterwards:"
    )
    return [about, "", *markdown(["command", "kills", "in place after the kill"], rows)]


def _flips(document: dict[str, Any]) -> list[str]:
    rows = [
        [f"`{name}`", "; ".join(f"{outcome}: {count}" for outcome, count in found.items())]
        for name, found in document["files"].items()
    ]
    return [f"{document['flips_a_file']} single bits flipped in each file:", "", *markdown(["file", "outcome"], rows)]


def _writers(document: dict[str, Any]) -> list[str]:
    rows = [[RENAMED.get(name, name), said] for name, said in document["second_writer"].items()]
    return ["A second writer while a first one writes:", "", *markdown(["second writer", "outcome"], rows)]


def reading(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            document["kind"],
            f"{document['rows']:,}",
            f"{document['this']['seconds']:.1f}",
            f"{document['seconds_ratio']:.2f}",
            f"{document['least_seconds_ratio']:.2f}",
            f"{document['this']['peak_memory_bytes'] / 1e6:,.0f}",
            f"{document['peak_memory_bytes_ratio']:.2f}",
            str(document["runs"]),
            where(document),
        ]
        for document in documents
    ]
    names = ["file", "rows", "median, s", "ratio to 0.1.0", "ratio of minima", "peak MB", "ratio to 0.1.0", "runs"]
    return markdown([*names, "machine"], rows)
