"""SIGHUP, which would end a process that does not listen yet: it waits until somebody does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

HANGUP = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []


def hold() -> None:
    """From here on this thread, its threads and its processes are not ended by it; it stays pending."""
    if HANGUP:
        signal.pthread_sigmask(signal.SIG_BLOCK, HANGUP)


def listen() -> None:
    """A handler is there: take what is pending, and what comes."""
    if HANGUP:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANGUP)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """:func:`hold` within."""
    hold()
    try:
        yield
    finally:
        listen()
