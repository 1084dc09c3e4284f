"""A study's result files as tables: mean and spread over seeds, and tests over users."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import polars as pl

from elcrec.benchmark.run import ranks_path
from elcrec.benchmark.suite import changes
from elcrec.errors import RunError
from elcrec.evaluation.significance import Difference, gains, holm, paired_difference
from elcrec.storage import read_json

SHOWN = ("hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20")
TESTED, TESTED_K = "ndcg@20", 20
SURE = 0.05


@dataclass(frozen=True)
class Line:
    """A row on a data set, over its seeds.

    Attributes:
        dataset: File name.
        row: Recipe and changes.
        documents: Result files, by seed.
        difference: From the row that all are tested against; None for that row, and where ranks are missing.
        corrected_p: Its p-value after Holm's correction over the rows of the data set.
    """

    dataset: str
    row: str
    documents: list[dict[str, Any]]
    difference: Difference | None = None
    corrected_p: float | None = None

    def values(self, metric: str, part: str = "test") -> list[float]:
        """A metric of each seed."""
        return [document["metrics"][part][metric] for document in self.documents]


def row_of(document: dict[str, Any]) -> str:
    """Name of a result's row; results from before rows had names are called by recipe and changes."""
    return str(document.get("row") or " ".join([document["recipe"], *changes(document["overrides"])]))


def read_results(folder: Path) -> list[dict[str, Any]]:
    """All result files of a study, with the name of each file under ``name``.

    Raises:
        RunError: There is none, or one is damaged.
    """
    documents = [{**read_json(path), "name": path.stem} for path in sorted(folder.glob("*.json"))]
    if not documents:
        raise RunError(f"{folder} holds no results: run  elcrec benchmark SUITE.toml")
    return documents


def lines_of(folder: Path, documents: Iterable[dict[str, Any]], against: str | None = None) -> list[Line]:
    """Results by data set and row, each row tested against one of them.

    The test is over users: NDCG@20 of each user, averaged over the seeds that both rows have.

    Args:
        folder: Where the ranks are.
        documents: See :func:`read_results`.
        against: Name of the row; default: that of the first result of the data set.
    """
    grouped: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for document in documents:
        grouped[document["dataset"]][row_of(document)].append(document)
    lines = []
    for dataset, rows in grouped.items():
        reference = against if against in rows else next(iter(rows))
        found = {
            row: _difference(folder, runs, rows[reference]) if row != reference else None for row, runs in rows.items()
        }
        asked = [row for row, difference in found.items() if difference is not None]
        corrected = dict(zip(asked, holm([found[row].p for row in asked]), strict=True))  # type: ignore[union-attr]
        lines += [Line(dataset, row, runs, found[row], corrected.get(row)) for row, runs in rows.items()]
    return lines


def _difference(folder: Path, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Difference | None:
    """Of per-user means over common seeds; a baseline without seeds is compared with all of the other's."""
    seeds = {document["seed"] for document in ours} & {document["seed"] for document in theirs}
    sides = []
    for documents in (ours, theirs):
        shared = [each for each in documents if each["seed"] in seeds] or documents
        paths = [ranks_path(folder, each["name"]) for each in shared]
        if not all(path.exists() for path in paths):
            return None
        sides.append(np.mean([_gains(path) for path in paths], axis=0))
    if sides[0].shape != sides[1].shape:
        return None
    return paired_difference(sides[0], sides[1])


def _gains(path: Path) -> Any:
    ranks = pl.read_parquet(path).filter(pl.col("test").ne_missing(0))["test"]
    return gains(ranks.cast(pl.Float64).fill_null(float("nan")).to_numpy(), TESTED_K)


def accuracy_table(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: test metrics as mean ± sd over seeds, and the difference in NDCG@20."""
    head = ["data", "row", "seeds", *SHOWN, f"valid {TESTED}", f"difference in {TESTED} (95%)", "p (Holm)"]
    rows = [
        [
            Path(line.dataset).stem,
            line.row,
            str(len(line.documents)),
            *(spread(line.values(metric)) for metric in SHOWN),
            spread(line.values(TESTED, "valid")),
            *_tested(line),
        ]
        for line in lines
    ]
    return head, rows


def short_table(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of what fits into a terminal."""
    head, rows = accuracy_table(lines)
    kept = [head.index(name) for name in ("data", "row", "seeds", "hit_rate@5", TESTED)] + [
        len(head) - 2,
        len(head) - 1,
    ]
    return [head[at] for at in kept], [[row[at] for at in kept] for row in rows]


def effort_table(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: epochs, seconds, memory, intents and where it ran."""
    head = ["data", "row", "best epoch", "seconds", "seconds an epoch", "peak memory"]
    head += ["intents effective / used / largest", "machine"]
    rows = []
    for line in lines:
        first = line.documents[0]
        trained = [each for each in line.documents if each["epochs"]]
        intents = first["intents"]
        shown = f"{intents['effective']:.0f} / {intents['used']} / {intents['largest_share']:.1%}" if intents else "–"
        rows.append(
            [
                Path(line.dataset).stem,
                line.row,
                ", ".join(f"{each['best_epoch']} of {each['epochs']}" for each in trained) or "–",
                f"{mean(each['train_seconds'] for each in line.documents):.0f}",
                f"{mean(each['train_seconds'] / each['epochs'] for each in trained):.1f}" if trained else "–",
                f"{max(each['peak_memory_bytes'] for each in line.documents) / 1e6:,.0f} MB",
                shown,
                where(first),
            ]
        )
    return head, rows


def where(document: dict[str, Any]) -> str:
    """Machine, date and commit of a result."""
    machine = document["machine"]
    processor = machine["gpu"] or machine["processor"]
    return f"{processor}, {machine['threads']} threads, {document['date']}, {document['commit']}"


def spread(values: list[float]) -> str:
    """Mean ± sd, or the one value."""
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _tested(line: Line) -> list[str]:
    difference = line.difference
    if difference is None or line.corrected_p is None:
        return ["–", "–"]
    sign = "" if line.corrected_p >= SURE else " *"
    return [
        f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})",
        f"{line.corrected_p:.2g}{sign}",
    ]


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table, line by line."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["-"] * len(head), *rows)]


def html_page(title: str, about: str, tables: list[tuple[list[str], list[list[str]]]], pictures: list[str]) -> str:
    """A page that needs nothing else: tables, then pictures (SVG)."""

    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(
        "<table>" + row(head, "th") + "".join(row(cells, "td") for cells in rows) + "</table>" for head, rows in tables
    )
    style = (
        "body{font:14px system-ui,sans-serif;margin:2rem;color:#222;background:#fff}table{border-collapse:collapse;"
        "margin:1rem 0}td,th{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left;"
        "font-variant-numeric:tabular-nums}figure{margin:1.5rem 0}"
    )
    figures = "".join(f"<figure>{picture}</figure>" for picture in pictures)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{style}</style>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(about)}</p>{body}{figures}"
    )


def line_document(line: Line) -> dict[str, Any]:
    """A line as plain values."""
    return {
        "dataset": line.dataset,
        "row": line.row,
        "seeds": [document["seed"] for document in line.documents],
        "test": {metric: mean(line.values(metric)) for metric in SHOWN},
        "valid": {metric: mean(line.values(metric, "valid")) for metric in SHOWN},
        "difference": None if line.difference is None else line.difference._asdict(),
        "corrected_p": line.corrected_p,
    }
