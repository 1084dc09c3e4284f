"""A whole study: run what is missing, then tables of all there is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from elcrec.benchmark.run import execute, result_path, take_over
from elcrec.benchmark.suite import Run, Suite, row_names
from elcrec.benchmark.summary import (
    Line,
    accuracy_table,
    effort_table,
    html_page,
    lines_of,
    markdown,
    read_results,
    row_of,
)
from elcrec.storage import write_text

PAGES = ("summary.md", "summary.html")


def run_study(
    suite: Suite,
    runs: list[Run],
    folder: Path,
    work: Path,
    say: Callable[[str], None],
    progress: bool = True,
    device: str = "auto",
) -> None:
    """Do the runs whose result is not there, one after the other; interrupt it whenever you like.

    Each has a process of its own, so that its peak memory is its own.

    Args:
        suite: The study.
        runs: Its runs; see :func:`elcrec.benchmark.suite.planned_runs`.
        folder: Where results go; those of the studies it may reuse lie beside it.
        work: Where run folders are kept, so that an interrupted training goes on.
        say: Told what is begun and what came out.
        progress: See :meth:`elcrec.recommender.ELCRec.fit`.
        device: See :class:`elcrec.recommender.ELCRec`.
    """
    for number, run in enumerate(runs, start=1):
        if result_path(folder, run).exists():
            say(f"{number}/{len(runs)} {run.name}: there already")
            continue
        source = next((name for name in suite.reuse if result_path(folder.parent / name, run).exists()), None)
        if source is not None:
            take_over(run, suite.name, folder.parent / source, folder)
            say(f"{number}/{len(runs)} {run.name}: taken over from {source}")
            continue
        say(f"{number}/{len(runs)} {run.name}")
        with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent, (os.getpid(),)) as process:
            document = process.submit(execute, run, suite.name, folder, work, progress, device).result()
        say(f"{number}/{len(runs)} {run.name}: test ndcg@20 {document['metrics']['test']['ndcg@20']:.4f}")


def end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, killed or not: two trainings must not share a run folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def study_lines(suite: Suite, folder: Path) -> list[Line]:
    """All results there are, by data set and row, in the order of the suite."""
    place = {row: number for number, row in enumerate(row_names(suite))}
    documents = read_results(folder)
    documents.sort(key=lambda each: (each["dataset"], place.get(row_of(each), len(place)), each["seed"]))
    return lines_of(folder, documents, suite.against)


def study_markdown(about: str, lines: list[Line]) -> list[str]:
    """Text and both tables, line by line."""
    note = (
        "Test metrics: mean ± standard deviation over seeds. Differences are over users, against the row without one; "
        "p-values are Wilcoxon's, corrected after Holm; * below .05. Seconds and memory are those of machines that may "
        "have had other work to do."
    )
    return [about, "", *markdown(*accuracy_table(lines)), "", note, "", *markdown(*effort_table(lines))]


def missing_rows(suite: Suite, lines: list[Line]) -> list[str]:
    """Rows of a suite that have no result on any data set yet."""
    return [name for name in row_names(suite) if name not in {line.row for line in lines}]


def write_pages(suite: Suite, folder: Path, lines: list[Line], pictures: list[str]) -> list[Path]:
    """``summary.md`` and ``summary.html`` beside the results."""
    text = "\n".join([f"# {suite.name}", "", *study_markdown(suite.about, lines), ""])
    page = html_page(suite.name, suite.about, [accuracy_table(lines), effort_table(lines)], pictures)
    paths = [folder / name for name in PAGES]
    for path, content in zip(paths, (text, page), strict=True):
        write_text(path, content)
    return paths
