"""SIGHUP: reloads the run. It would end a process without a handler, so it is blocked until there is one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

SIGHUP = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []


def block() -> None:
    """Keep SIGHUP pending for this thread and the threads and processes it starts."""
    if SIGHUP:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGHUP)


def unblock() -> None:
    """Deliver a pending SIGHUP and later ones: there is a handler."""
    if SIGHUP:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGHUP)


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """:func:`block` within."""
    block()
    try:
        yield
    finally:
        unblock()


def on_sighup(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``act`` in this event loop at every SIGHUP, where this thread may handle signals."""
    if threading.current_thread() is not threading.main_thread() or not SIGHUP:
        return
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    def handle() -> None:
        task = loop.create_task(act())
        running.add(task)
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, handle)
    unblock()
