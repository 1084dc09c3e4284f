"""The files of a run as one generation: a manifest of them all, and one rename that puts the next in its place.

A generation is written to ``.new`` within the folder, with its manifest, and synced. Renaming ``.new`` to ``.next``
is the switch: from then on a reader takes a file in ``.next`` before the one of its name outside. Then the files go to
their places, the manifest last. A reader that finds ``.next`` after a kill reads the new generation all the same, and
the next writer puts it in place. See docs/decisions/0016-a-run-is-one-generation.md.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from elcrec.errors import RunError
from elcrec.runs.manifest import MANIFEST, Entry, Manifest
from elcrec.storage import make_folder, sync, write_text

MODEL, INDEX = "model.safetensors", "items.faiss"
FILES = (
    "config.json",
    "checkpoint.safetensors",
    MODEL,
    "metrics.json",
    "history.jsonl",
    "interactions.parquet",
    "vocabulary.parquet",
    "items.parquet",
    "features.json",
    "users.parquet",
    "user_features.json",
    "intents.json",
    "earlier.safetensors",
    INDEX,
    "report.html",
    "README.md",
    MANIFEST,
)
# Pages for readers, which no code reads; the index has a checksum of its own, and can be made again.
NOT_CHECKED = ("README.md", "report.html", INDEX)
NEW, NEXT, OLD = ".new", ".next", ".old"
TRIES = 5
Found = TypeVar("Found")


def place(folder: Path, name: str) -> Path:
    """Where a file of a folder's generation lies, or would lie: there is none of that name if nothing is there.

    Raises:
        RunError: A generation is being put in place and its manifest is damaged.
    """
    switched = folder / NEXT
    if not (switched / MANIFEST).exists():  # goes to its place last
        return folder / name
    if (switched / name).exists():
        return switched / name
    try:
        listed = name in Manifest.read(switched / MANIFEST).files
    except RunError:
        if (switched / MANIFEST).exists():
            raise
        return folder / name
    return folder / name if listed else switched / name


def manifest_of(folder: Path) -> Manifest | None:
    """The manifest of a folder's generation; None where it has none.

    Raises:
        RunError: It is damaged.
    """
    path = place(folder, MANIFEST)
    return Manifest.read(path) if path.exists() else None


def check(folder: Path, manifest: Manifest) -> None:
    """See that every file is what was written.

    Raises:
        RunError: One is missing or damaged.
    """
    for name, entry in manifest.files.items():
        if name in NOT_CHECKED:
            continue
        path = place(folder, name)
        if Entry.of(path) != entry:
            remedy = "restore the run from a copy, or train it again"
            raise RunError(f"{path} is damaged: its size or hash is not that of {MANIFEST}; {remedy}")


def stable(folder: Path, read: Callable[[], Found]) -> Found:
    """What ``read`` makes of a folder, all of one generation: read again where a writer put another in place meanwhile.

    Raises:
        RunError: As ``read`` raises it, with nothing changed meanwhile.
    """
    for _ in range(TRIES):
        before = _state(folder)
        try:
            found = read()
        except RunError:
            if _state(folder) == before:
                raise
            continue
        if _state(folder)[0] == before[0]:
            return found
    raise RunError(f"{folder} is being written all the time: wait until no process writes there")


def _state(folder: Path) -> tuple[bytes | None, list[str]]:
    """The manifest, and what is not yet in its place."""
    content, waiting = None, []
    with contextlib.suppress(OSError):
        waiting = sorted(os.listdir(folder / NEXT))
    for path in (folder / NEXT / MANIFEST, folder / MANIFEST):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            break
    return content, waiting


@contextmanager
def next_generation(folder: Path, keep: Collection[str] = ()) -> Iterator[Path]:
    """A folder to write files to; afterwards they and those kept are the generation, by one rename.

    Whatever is raised or killed before that leaves everything as it was. The index is kept only where the weights are.

    Args:
        folder: It must be there, and its lock be held.
        keep: Names of files that stay if they are there.

    Raises:
        RunError: The folder cannot be written.
    """
    finish_switch(folder)
    fresh = folder / NEW
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        make_folder(fresh)
        yield fresh
        before = _entries(folder, {*keep, MODEL}) if keep else {}
        written = {path.name: Entry.of(path) for path in sorted(fresh.iterdir())}
        files = {name: entry for name, entry in before.items() if name in keep} | written
        if INDEX not in written and before.get(MODEL) != files.get(MODEL):
            files.pop(INDEX, None)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        write_text(fresh / MANIFEST, Manifest(now, files).text())
        fresh.rename(folder / NEXT)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}; what was there is kept") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    sync(folder)
    finish_switch(folder)


def finish_switch(folder: Path) -> None:
    """Put the files of a switch in their places, and remove what killed writers left; the lock must be held.

    Raises:
        RunError: The folder cannot be written.
    """
    try:
        for left in folder.glob(".*.tmp"):
            left.unlink(missing_ok=True)
        if (folder / NEXT / MANIFEST).exists():
            _move_to_places(folder)
        for done in (folder / NEXT, folder / OLD):
            if done.exists():
                shutil.rmtree(done)
                sync(folder)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}") from error


def _move_to_places(folder: Path) -> None:
    """Remove what the next generation does not list, move what it does, and its manifest last."""
    switched = folder / NEXT
    listed = Manifest.read(switched / MANIFEST).files
    for name in FILES:
        if name not in listed and name != MANIFEST:
            (folder / name).unlink(missing_ok=True)
    for name in listed:
        if (switched / name).exists():
            os.replace(switched / name, folder / name)
    sync(folder)
    os.replace(switched / MANIFEST, folder / MANIFEST)


def put_in_place(folder: Path, fresh: Path) -> None:
    """Make the generation of a folder within another that one's, by one rename; the lock must be held.

    Raises:
        RunError: The folder cannot be written.
    """
    finish_switch(fresh)
    finish_switch(folder)
    try:
        fresh.rename(folder / NEXT)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}; what was there is kept") from error
    sync(folder)
    finish_switch(folder)


def discard(folder: Path) -> None:
    """Remove a folder with all its files, or none; nothing where there is none.

    Raises:
        RunError: It cannot be removed.
    """
    try:
        if folder.exists():
            folder.rename(folder.parent / OLD)
            shutil.rmtree(folder.parent / OLD)
    except OSError as error:
        raise RunError(f"cannot remove {folder}: {error.strerror or error}") from error


def _entries(folder: Path, names: Collection[str]) -> dict[str, Entry]:
    """Files of a generation as they were written; as they are, where no manifest says it."""
    manifest = manifest_of(folder)
    if manifest is not None:
        return {name: entry for name, entry in manifest.files.items() if name in names}
    return {name: Entry.of(folder / name) for name in FILES if name in names and (folder / name).exists()}
