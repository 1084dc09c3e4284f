"""Ctrl-C: what an interrupted command says, also while it still imports."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code."""
_GIVEN: list[str] = []
_KEPT: list[Callable[[], str | None]] = []


def begin(arguments: Sequence[str]) -> None:
    """A command begins: so far it would leave nothing where it is interrupted."""
    _GIVEN[:] = arguments
    _KEPT.clear()


def keeps(kept: Callable[[], str | None]) -> None:
    """From now on the command may leave something where it is interrupted.

    Args:
        kept: Says what is kept then, and the command to go on with; None: nothing yet.
    """
    _KEPT[:] = [kept]


def what_is_kept() -> str:
    """What an interrupted command has left."""
    return next((text for kept in _KEPT if (text := kept())), "nothing was written")


def again(*more: str, without: Sequence[str] = ()) -> str:
    """The command that was given, to be given again.

    Args:
        more: Options to add, unless they were given.
        without: Flags to leave out.
    """
    given = [part for part in _GIVEN if part not in without]
    return shlex.join(["elcrec", *given, *(part for part in more if part not in given)])


def interrupted() -> str:
    """What an interrupted command says."""
    return f"elcrec: interrupted; {what_is_kept()}"


@contextmanager
def imports_interrupted() -> Iterator[None]:
    """Let Ctrl-C end this process at once where it imports.

    Extensions that are being loaded do not survive an exception: some abort, some hide it.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(_: int, frame: FrameType | None) -> None:
    while frame is not None and frame.f_globals.get("__name__") != "importlib._bootstrap":
        frame = frame.f_back
    if frame is not None:
        sys.stderr.write(f"{interrupted()}\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt
