"""A whole experiment suite: execute the missing runs, then write tables of all results."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from elcrec.errors import DataWarning, RunError, SettingsError, TrainingError, out_of_memory
from elcrec.experiments.plan import PlannedRun, unread_runs
from elcrec.experiments.results import Document, Shelf, current, outdated, planned, read_results, row_of
from elcrec.experiments.run import execute, take_over
from elcrec.experiments.suite import Suite, row_names
from elcrec.experiments.summary import Line, accuracy_table, effort_table, html_page, lines_of, markdown
from elcrec.recommender import resolve_device
from elcrec.storage import make_folder, write_text

PAGES = ("summary.md", "summary.html")


# reason: what a suite needs; each is a thing of its own
def run_study(
    suite: Suite,
    runs: list[PlannedRun],
    folder: Path,
    work: Path,
    say: Callable[[str], None],
    progress: bool = True,
    device: str = "auto",
) -> dict[str, str]:
    """Execute the runs without a result, one after the other; an interrupted suite can be resumed.

    Each has a process of its own, so that its peak memory is its own. One that diverges, does not fit into memory or
    is killed is left without a result; the others are done all the same.

    Args:
        suite: The suite.
        runs: Its runs; see :func:`elcrec.experiments.plan.planned_runs`.
        folder: Folder of its results; the folders of suites to reuse have the same parent.
        work: Where run folders are kept, so that an interrupted training goes on.
        say: Receives a line when a run starts and when it ends.
        progress: See :meth:`elcrec.recommender.ELCRec.fit`.
        device: See :class:`elcrec.recommender.ELCRec`.

    Returns:
        Why a run has no result, by its name.

    Raises:
        RunError: A result in the folder is damaged or ambiguous.
        SettingsError: There is no such device.
    """
    resolve_device(device)
    make_folder(folder)
    make_folder(work)
    others = [Shelf.of(folder.parent / name) for name in suite.reuse]
    ours = Shelf.of(folder, [run.name for run in runs], say)
    there = [each for each in (*ours.documents, *ours.uncounted) if each["suite"] == suite.name]
    current(there, planned(unread_runs(suite)))  # better now than after the last run
    failed: dict[str, str] = {}
    for number, run in enumerate(runs, start=1):
        begun = f"{number}/{len(runs)} {run.name}"
        if ours.done(run, suite.name):
            say(f"{begun}: done already")
            continue
        # A result of this suite may be that of a later row under another name.
        shelves = [Shelf.of(folder, [run.name for run in runs]), *others]
        source = next(((shelf, same) for shelf in shelves if (same := shelf.same(run)) is not None), None)
        if source is not None:
            take_over(run, suite.name, source[1], source[0].folder, folder)
            say(f"{begun}: result reused from {source[0].folder.name}")
            continue
        say(begun)
        if instead := ours.instead(run, suite.name):
            say(f"  cannot reuse the result {instead}")
        try:
            document = _in_a_process(run, suite.name, folder, work, progress, device)
        except (TrainingError, MemoryError, RuntimeError) as error:
            failed[run.name] = _why_it_ended(error)
            say(f"{begun}: failed: {failed[run.name]}")
        else:
            say(f"{begun}: test ndcg@20 {document['metrics']['test']['ndcg@20']:.4f}")
    return failed


def _why_it_ended(error: Exception) -> str:
    """What an outcome of a run is called; other errors are raised again."""
    if isinstance(error, TrainingError):
        return str(error)
    if isinstance(error, BrokenProcessPool):
        return "its process was killed, perhaps for lack of memory"
    if out_of_memory(error):
        return "out of memory"
    raise error


def failure(failed: dict[str, str], of: int) -> RunError:
    """What to say at the end of a suite whose runs did not all give a result."""
    name, reason = next(iter(failed.items()))
    more = "" if len(failed) == 1 else f", and {len(failed) - 1} more"
    return RunError(
        f"{len(failed)} of {of} runs failed ({name}: {reason}{more}): the other results are kept; "
        "run the suite again for the missing results, or change these rows"
    )


def _in_a_process(run: PlannedRun, suite: str, folder: Path, work: Path, progress: bool, device: str) -> Document:
    with ProcessPoolExecutor(1, get_context("spawn"), _begin, (os.getpid(),)) as process:
        return process.submit(execute, run, suite, folder, work, progress, device).result()


def _begin(parent: int) -> None:
    """What a run's process does first."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    end_with_parent(parent)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """A line, as the command line shows it in its own process."""
    if issubclass(category, DataWarning):
        sys.stderr.write(f"warning: {message}\n")


def end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, killed or not: two trainings must not share a run folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def study_lines(
    suite: Suite,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
) -> list[Line]:
    """The results there are, by data set and row, in the order of the suite.

    Args:
        suite: The suite.
        folder: Where its results are.
        say: Receives a line about results that are left out, or are not of the suite as it is now.

    Raises:
        RunError: There is none, one is damaged, or it is ambiguous which ones are meant.
    """
    documents = read_results(folder)
    ours = [each for each in documents if each["suite"] == suite.name]
    if foreign := len(documents) - len(ours):
        say(f"left out of the tables: {foreign} results in {folder} of another suite")
    wanted = _planned(suite, say)
    kept, older = current(ours, wanted)
    if older:
        say(f"left out of the tables: {len(older)} results of other settings or versions ({older[0]['name']}, ...)")
    if not kept:
        raise RunError(f"{folder} holds no results of {suite.name}: run the suite")
    if wanted and (stale := outdated(kept, wanted)):
        say(f"in the tables: {len(stale)} results of other settings than the suite has now ({stale[0]}, ...): run it")
    place = {row: number for number, row in enumerate(row_names(suite))}
    kept.sort(key=lambda each: (each["dataset"], place.get(row_of(each), len(place)), each["seed"]))
    return lines_of(folder, kept, suite.against)


def _planned(suite: Suite, say: Callable[[str], None]) -> set[str]:
    """The rows as they are; nothing where they are of another version, whose results are shown all the same."""
    try:
        return planned(unread_runs(suite))
    except SettingsError as error:
        say(f"the suite cannot be run ({error}): where a row has several results, the tables show the newest version")
        return set()


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
    """Write ``summary.md`` and ``summary.html`` into the folder of results."""
    text = "\n".join([f"# {suite.name}", "", *study_markdown(suite.about, lines), ""])
    page = html_page(suite.name, suite.about, [accuracy_table(lines), effort_table(lines)], pictures)
    paths = [folder / name for name in PAGES]
    for path, content in zip(paths, (text, page), strict=True):
        write_text(path, content)
    return paths
