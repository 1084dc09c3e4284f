"""Runs a suite: the runs without a result, then the tables of all results."""

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

from elcrec.errors import AccuracyWarning, DataWarning, RunError, SettingsError, TrainingError, out_of_memory
from elcrec.experiments.page import html_page
from elcrec.experiments.plan import PlannedRun, unread_runs
from elcrec.experiments.plots import Plot
from elcrec.experiments.results import Document, SavedResults, current, outdated, planned, read_results, row_of
from elcrec.experiments.run import execute, take_over
from elcrec.experiments.suite import Suite, row_names
from elcrec.experiments.summary import Line, accuracy_table, effort_table, lines_of, markdown
from elcrec.model.devices import resolve_device
from elcrec.process.wording import counted
from elcrec.storage import make_folder, write_text

PAGES = ("summary.md", "summary.html")


# reason: public signature
def run_suite(
    suite: Suite,
    runs: list[PlannedRun],
    folder: Path,
    work: Path,
    say: Callable[[str], None],
    progress: bool = True,
    device: str = "auto",
) -> dict[str, str]:
    """Execute the runs without a result, one after the other; an interrupted suite can be resumed.

    Each run has a process of its own, so that its peak memory is measured alone. A run that diverges, does not fit
    into memory or is killed has no result; the other runs are executed all the same.

    Args:
        suite: The suite.
        runs: Its runs; see :func:`elcrec.experiments.plan.planned_runs`.
        folder: Folder of the results; those of the suites it may reuse lie in the same parent folder.
        work: Folder of the run folders, from which an interrupted training resumes.
        say: Receives progress messages.
        progress: See :meth:`elcrec.recommender.ELCRec.fit`.
        device: See :class:`elcrec.recommender.ELCRec`.

    Returns:
        The reason of each run without a result, by name of the run.

    Raises:
        RunError: A result in the folder is damaged or ambiguous.
        SettingsError: There is no such device.
    """
    resolve_device(device)
    make_folder(folder)
    make_folder(work)
    others = [SavedResults.of(folder.parent / name) for name in suite.reuse]
    names = [run.name for run in runs]
    ours = SavedResults.of(folder, names, say)
    current(ours.of_suite(suite.name), planned(unread_runs(suite)))  # better now than after the last run
    failed: dict[str, str] = {}
    for number, run in enumerate(runs, start=1):
        begun = f"{number}/{len(runs)} {run.name}"
        if ours.done(run, suite.name):
            say(f"{begun}: done already")
            continue
        # A result of this suite, made by now, may be that of a later row under another name.
        source = _take_over(run, suite.name, [SavedResults.of(folder, names), *others], folder)
        if source is not None:
            say(f"{begun}: result reused from {source.name}")
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


def _take_over(run: PlannedRun, suite: str, sources: list[SavedResults], folder: Path) -> Path | None:
    """Take a result of the same run over from the first folder that has one; that folder, or None."""
    for saved in sources:
        same = saved.same(run)
        if same is not None:
            take_over(run, suite, same, saved.folder, folder)
            return saved.folder
    return None


def _why_it_ended(error: Exception) -> str:
    """Why a run has no result, in words; errors of this package are raised again."""
    if isinstance(error, TrainingError):
        return str(error)
    if isinstance(error, BrokenProcessPool):
        return "its process was killed, perhaps for lack of memory"
    if out_of_memory(error):
        return "out of memory"
    raise error


def failure(failed: dict[str, str], of: int) -> RunError:
    """The error at the end of a suite whose runs did not all give a result."""
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
    """Prepare the process of a run."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    end_with_parent(parent)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """A line, as the command line shows it in its own process."""
    if issubclass(category, AccuracyWarning | DataWarning):
        sys.stderr.write(f"warning: {message}\n")


def end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, killed or not: two trainings must not share a run folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def suite_lines(
    suite: Suite,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
) -> list[Line]:
    """The results there are, by data set and row, in the order of the suite.

    Args:
        suite: The suite.
        folder: Folder of its results.
        say: Receives notes about results that are left out, or have other settings than the suite has now.

    Raises:
        RunError: There is none, one is damaged, or it is ambiguous which ones are meant.
    """
    documents = read_results(folder)
    ours = [each for each in documents if each["suite"] == suite.name]
    if foreign := len(documents) - len(ours):
        say(f"left out of the tables: {counted(foreign, 'result')} in {folder} of another suite")
    wanted = _planned(suite, say)
    kept, older = current(ours, wanted)
    if older:
        results = counted(len(older), "result")
        say(f"left out of the tables: {results} of other settings or versions ({older[0]['name']}, ...)")
    if not kept:
        raise RunError(f"{folder} holds no results of {suite.name}: run the suite")
    if wanted and (stale := outdated(kept, wanted)):
        results = counted(len(stale), "result")
        say(f"in the tables: {results} of other settings than the suite has now ({stale[0]}, ...): run it")
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


def suite_markdown(about: str, lines: list[Line]) -> list[str]:
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


def write_pages(suite: Suite, folder: Path, lines: list[Line], plots: list[Plot]) -> list[Path]:
    """Write ``summary.md`` and ``summary.html`` into the folder of results."""
    text = "\n".join([f"# {suite.name}", "", *suite_markdown(suite.about, lines), ""])
    page = html_page(suite.name, suite.about, lines, plots)
    paths = [folder / name for name in PAGES]
    for path, content in zip(paths, (text, page), strict=True):
        write_text(path, content)
    return paths
