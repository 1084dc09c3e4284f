"""Runs after kills, bit flips and concurrent writers: what is left of them.

    python benchmarks/run_integrity.py kills      # os._exit before and after every change of every writer of runs
    python benchmarks/run_integrity.py outputs    # the same for every verb that writes something else
    python benchmarks/run_integrity.py flips      # 40 flipped bits in every file
    python benchmarks/run_integrity.py writers    # every writer while another writes

Each writes benchmarks/results/integrity/PART.json.
"""

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from elcrec import ELCRec
from elcrec.cli import main as main_verb
from elcrec.data.synthetic import make_shop
from elcrec.errors import ElcrecError, RunError
from elcrec.experiments.provenance import provenance
from elcrec.runs.run_folder import RunFolder
from elcrec.serving.store import Event, open_store
from elcrec.storage import make_folder, write_json
from elcrec.training.report import SilentReporter

RESULTS = Path(__file__).parent / "results" / "integrity"
SMALL: dict[str, Any] = {"epochs": 2, "n_layers": 1, "embedding_dim": 16, "n_intents": 8, "batch_size": 64}
CHANGES = ("replace", "rename", "unlink", "remove", "rmdir")
KILLED = 9
FLIPS = 40


def apart(work: Callable[[], Any]) -> tuple[int, Any]:
    """Exit code of a process of its own that does some work, and what it found.

    This process has not used any library by then, so a copy of it may.
    """
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            found = json.dumps(work())
            os.write(into, found.encode())
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(into)
    with os.fdopen(out) as answer:
        text = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, json.loads(text) if code == 0 else None


def log_of(seed: int) -> pl.DataFrame:
    return make_shop(40 + 5 * seed, 0.2, seed).log.frame


def titles_of(seed: int) -> pl.DataFrame:
    return log_of(seed).select("item_id", title=pl.format("{} of {}", "item_id", pl.lit(seed))).unique("item_id")


def learn(run: Path, seed: int, progress: Any = False, **more: Any) -> None:
    ELCRec(seed=seed, **SMALL).fit(log_of(seed), run, progress=progress, **more)


class Stop(SilentReporter):
    def epoch(self, *_: Any) -> None:
        raise KeyboardInterrupt


def unfinished(run: Path) -> None:
    """A training that was broken off over the run that is there."""
    try:
        learn(run, 2, Stop(), overwrite=True, items=titles_of(2), names_from=run)
    except KeyboardInterrupt:
        return


def prepare(folder: Path) -> None:
    """Runs to start from and to save."""
    for seed in (1, 2):
        learn(folder / f"{seed}", seed, items=titles_of(seed))
        ELCRec.load(folder / f"{seed}").write_names(folder / f"{seed}", {0: f"named {seed}"})
    shutil.copytree(folder / "1", folder / "unfinished")
    unfinished(folder / "unfinished")


def answer(run: Path) -> Any:
    """All that a run answers; None where none is there."""
    try:
        model = ELCRec.load(run)
    except RunError as error:
        return None if "no run" in str(error) or "not" in str(error).split(":")[0] else str(error)
    titles = None if model.catalogue is None else sorted(model.catalogue.titles().items())
    lists = [[str(value) for value in row] for row in model.recommend(k=5).rows()]
    return [lists, titles, sorted(model.given_names.items()), model.metrics["test"], model.settings.seed]


def writers(folder: Path) -> dict[str, tuple[str | None, Callable[[Path], object]]]:
    """By name: the run that is there before, and what writes to it."""
    return {
        "save, new": (None, lambda run: ELCRec.load(folder / "2").save(run)),
        "save, overwrite": ("1", lambda run: ELCRec.load(folder / "2").save(run, overwrite=True)),
        "fit, new": (None, lambda run: learn(run, 2, items=titles_of(2))),
        "fit, overwrite": ("1", lambda run: learn(run, 2, overwrite=True, items=titles_of(2))),
        "fit, resume": ("unfinished", lambda run: learn(run, 2, resume=True)),
        "partial_fit, overwrite": ("1", partially_fit),
        "names": ("1", lambda run: ELCRec.load(run).write_names(run, {0: "", 3: "another"})),
        "index": ("1", index),
        "report": ("1", report),
    }


def partially_fit(run: Path) -> None:
    later = log_of(1).head(5).with_columns(pl.col("timestamp") + pl.duration(days=400), item_id=pl.lit("brand new"))
    ELCRec.load(run).partial_fit(later, epochs=1, progress=False).save(run, overwrite=True)


def index(run: Path) -> None:
    model = ELCRec.load(run)
    model.write_item_search(run, model.make_item_search())


def report(run: Path) -> None:
    with RunFolder(run).locked():
        RunFolder(run).write_report("<html>")


def dying(write: Callable[[Path], object], run: Path, at: int, after: bool) -> int:
    """Let a writer end its process at its Nth change of the disk; how many it made, if it came to its end."""
    count = 0

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def one(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == at and not after:
                os._exit(KILLED)
            try:
                return call(*arguments, **more)
            finally:
                if count == at:
                    os._exit(KILLED)

        return one

    for name in CHANGES:
        setattr(os, name, watched(getattr(os, name)))
    write(run)
    return count


def kills() -> dict[str, Any]:
    found: dict[str, Any] = {}
    known: dict[str, Any] = {}

    def left_in(run: Path) -> Any:
        """What a run answers; computed once for the same files."""
        files = sorted(path for path in run.rglob("*") if path.is_file() and path.suffix != ".tmp")
        content = hashlib.sha256()
        for path in files:
            content.update(f"{path.relative_to(run)} {path.stat().st_size} ".encode() + path.read_bytes())
        if content.hexdigest() not in known:
            known[content.hexdigest()] = apart(partial(answer, run))[1]
        return known[content.hexdigest()]

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        apart(lambda: prepare(folder))
        for name, (start, write) in writers(folder).items():
            run = folder / "run"

            def fresh(start: str | None = start, run: Path = run) -> None:
                shutil.rmtree(run, ignore_errors=True)
                if start is not None:
                    shutil.copytree(folder / start, run)

            fresh()
            before = left_in(run)
            code, changes = apart(partial(dying, write, run, 0, False))
            assert code == 0, name
            new = left_in(run)
            counts: Counter[str] = Counter()
            for at in range(1, changes + 1):
                for after in (False, True):
                    fresh()
                    code, _ = apart(partial(dying, write, run, at, after))
                    assert code == KILLED, name
                    left = left_in(run)
                    state = "old" if left == before else "new" if left == new else "other"
                    counts["unchanged" if before == new and state == "old" else state] += 1
            found[name] = {"changes": changes, "kills": 2 * changes, **counts}
            print(name, found[name], file=sys.stderr)
    return {"writers": found, "kills": sum(one["kills"] for one in found.values())}


def verbs(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """By name: what a verb writes (a name in the working folder), and its arguments."""
    run, log = str(folder / "1"), str(folder / "log.csv")
    small = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    sized = ["--users", "500", "--items", "300", "--interactions", "4000"]
    return {
        "data prepare": ("prepared.parquet", ["data", "prepare", log, "--out", "prepared.parquet"]),
        "data generate": (
            "made.parquet",
            ["data", "generate", *sized, "--out", "made.parquet"],
        ),
        "recommend --all": ("lists.parquet", ["recommend", run, "--all", "--out", "lists.parquet"]),
        "audience": ("people.parquet", ["audience", run, "--intent", "1", "--out", "people.parquet"]),
        "report": ("page.html", ["report", run, "--out", "page.html"]),
        "events": ("events.parquet", ["events", run, "--store", "sqlite:///events.sqlite", "--out", "events.parquet"]),
        "export": ("graph", ["export", run, "--out", "graph"]),
        "tune": ("tuned", ["tune", log, "--out", "tuned", "--trials", "2", *small]),
        "benchmark": ("study", ["benchmark", str(folder / "suite.toml"), "--out", "study"]),
    }


def written(path: Path) -> Any:
    """What lies at a path, but for seconds and dates (trials are full of them); None where nothing does."""
    if path.is_dir():
        files = [one for one in sorted(path.rglob("[!.]*")) if one.is_file() and ".sqlite" not in one.name]
        # Tables and pages of a study tell seconds.
        inside = {str(one.relative_to(path)): one.suffix in (".md", ".html") or written(one) for one in files}
        return inside or None
    if not path.exists():
        return None
    if path.suffix == ".json":
        return without_times(json.loads(path.read_bytes()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def without_times(document: Any) -> Any:
    if isinstance(document, list):
        return [without_times(one) for one in document]
    if not isinstance(document, dict):
        return document
    passing = ("seconds", "date", "memory", "datetime")
    return {name: without_times(one) for name, one in document.items() if not any(word in name for word in passing)}


def outputs() -> dict[str, Any]:
    """Killed, a verb has written nothing, what was there before, or all; called again, it writes all."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        apart(lambda: prepare_verbs(folder))
        for name, (target, arguments) in verbs(folder).items():
            found[name] = killed_verb(folder, target, partial(call, folder, arguments))
            print(name, found[name], file=sys.stderr)
    return {"verbs": found, "kills": sum(one["kills"] for one in found.values())}


def prepare_verbs(folder: Path) -> None:
    prepare(folder)
    log_of(1).write_csv(folder / "log.csv")
    store = open_store(f"sqlite:///{folder / 'events.sqlite'}")
    store.adopt("moments")
    store.write([Event(str(number), "u", "i", 10**18 + number) for number in range(9)])
    store.close()
    recipe = folder / "small.toml"
    recipe.write_text("".join(f"{name} = {value}\n" for name, value in SMALL.items()))
    suite = f'name = "small"\ndata = ["{folder / "log.csv"}"]\nseeds = [1, 2]\n[[rows]]\nrecipe = "{recipe}"\n'
    (folder / "suite.toml").write_text(suite)


def killed_verb(folder: Path, target: str, write: Callable[[Path], object]) -> dict[str, Any]:
    """Kills of one verb, where nothing was there before and, where it writes a file, where one was."""
    work = folder / "work"

    def fresh(earlier: bytes | None) -> None:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        if earlier is not None:
            (work / target).write_bytes(earlier)

    fresh(None)
    code, changes = apart(partial(dying, write, work, 0, False))
    assert code == 0, target
    whole, a_file = written(work / target), (work / target).is_file()
    counts: Counter[str] = Counter()
    for at, after, earlier in itertools.product(range(1, changes + 1), (False, True), (None, b"old")[: 1 + a_file]):
        fresh(earlier)
        before = written(work / target)
        code, _ = apart(partial(dying, write, work, at, after))
        assert code == KILLED, target
        left = written(work / target)
        state = "all" if left == whole else "part" if left != before else "nothing" if left is None else "old"
        if state != "all" or a_file:
            code, _ = apart(partial(dying, write, work, 0, False))
            state += "" if code == 0 and written(work / target) == whole else ", then not all"
        counts[state] += 1
    return {"changes": changes, "kills": counts.total(), **counts}


def call(folder: Path, arguments: list[str], work: Path) -> None:
    shutil.copy(folder / "events.sqlite", work)
    os.chdir(work)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main_verb(arguments)
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(said.getvalue()) from None


def flips() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        apart(lambda: prepare(folder))
        run = folder / "2"
        apart(partial(index, run))
        right, rng = answer(run), random.Random(1)
        found: dict[str, Any] = {}
        for name in sorted(path.name for path in run.iterdir()):
            whole = (run / name).read_bytes()
            counts: Counter[str] = Counter()
            for _ in range(FLIPS):
                at, bit = rng.randrange(len(whole)), rng.randrange(8)
                (run / name).write_bytes(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
                counts[outcome(run, name == "items.faiss", right)] += 1
            (run / name).write_bytes(whole)
            found[name] = dict(counts)
            print(name, found[name], file=sys.stderr)
        return {"flips_a_file": FLIPS, "files": found}


def outcome(run: Path, approximate: bool, right: Any) -> str:
    try:
        model = ELCRec.load(run)
        if approximate:
            model.recommend(k=5, approximate=True)
    except ElcrecError as error:
        return "refused in one line" if "\n" not in str(error) else "refused in more lines"
    except Exception as error:
        return f"traceback: {type(error).__name__}"
    return "the same answers" if answer(run) == right else "other answers"


def two_writers() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        apart(lambda: prepare(folder))
        before, found = answer(folder / "1"), {}
        run = folder / "run"
        shutil.copytree(folder / "unfinished", run)
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            with RunFolder(run).locked():
                os.write(told, b"1")
                time.sleep(600)
        os.read(ready, 1)
        for name, (start, write) in writers(folder).items():
            if start is None:
                continue
            try:
                write(run)
                found[name] = "written"
            except RunError as error:
                found[name] = (
                    str(error).replace(str(run), "RUN").replace(str(child), "PID").replace(os.uname()[1], "HOST")
                )
        same = answer(run) == before
        os.kill(child, 9)
        os.waitpid(child, 0)
        ELCRec.load(folder / "2").save(run, overwrite=True)
        return {"second_writer": found, "run_unchanged": same, "written_after_the_first_was_killed": True}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "kills": kills,
    "outputs": outputs,
    "flips": flips,
    "writers": two_writers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    part = parser.parse_args().part
    make_folder(RESULTS)
    document = {"suite": "integrity", "part": part, "command": f"python benchmarks/run_integrity.py {part}"}
    write_json(RESULTS / f"{part}.json", {**document, **PARTS[part](), **provenance()})


if __name__ == "__main__":
    main()
