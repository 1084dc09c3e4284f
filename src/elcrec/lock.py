"""One writer at a time: a lock file that the system lets go when its process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from elcrec.errors import RunError

try:
    import fcntl
except ImportError:  # Windows: no lock, as nothing there is let go so surely
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the one that writes in a folder; readers do not wait.

    Raises:
        RunError: Another process writes there, or it cannot be written.
    """
    if fcntl is None:
        yield
        return
    path = folder / ".lock"
    try:
        file = _take(path)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}") from error
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _take(path: Path) -> IO[str]:
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip() or "?"
            file.close()
            raise RunError(f"{path.parent} is being written by process {holder}: wait until it ends") from None
        # Whoever held it before may have removed the file meanwhile: then another file is the lock.
        if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        file.close()
