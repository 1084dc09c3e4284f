"""A lock that lets one process write in a folder; the system releases it when the process ends."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elcrec.errors import RunError, RunWarning
from elcrec.process.warning import warn

LOCK = ".lock"
_TRY_EVERY = 0.05


@contextmanager
def locked(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of a folder; those who read need none.

    Args:
        folder: It must be there.
        wait: Seconds to wait for another writer.

    Raises:
        RunError: Another process writes there, or the folder cannot be written.
    """
    path, until = folder / LOCK, time.monotonic() + wait
    while (file := _taken(path)) is None:
        if time.monotonic() >= until:
            raise RunError(f"{folder} is being written by {_holder(path)}: wait until it is done")
        time.sleep(_TRY_EVERY)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(file)


def _taken(path: Path) -> int | None:
    """The open file of the lock, held; None where another process holds it."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise RunError(f"cannot write in {path.parent}: {error.strerror}") from error
        try:
            _lock(file)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError as error:
            note = f"cannot lock {path.parent} ({error.strerror}): make sure that no other process writes there"
            warn(note, RunWarning)
        if _same(file, path):
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
            return file
        os.close(file)  # who held it before has just removed it


def _same(file: int, path: Path) -> bool:
    """Whether a file still has its name: who held it before removes it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except (OSError, ValueError):
        return "another process"


if sys.platform == "win32":
    import msvcrt

    _BEYOND = 1 << 30  # beyond what is read: locked bytes cannot be read

    def _lock(file: int) -> None:
        os.lseek(file, _BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
