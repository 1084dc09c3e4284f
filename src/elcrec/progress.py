"""Progress of long work on standard error: a bar in a terminal, and elsewhere (a log file) a line a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

EVERY = 60.0
"""Seconds between two lines in a log file."""
_SHOWN = threading.Event()
_OPEN: list[ProgressBar] = []


def show_steps(shown: bool) -> None:
    """Let every :func:`step` be shown, as the command line does, or none: so it is at first."""
    if shown:
        _SHOWN.set()
    else:
        _SHOWN.clear()


@contextmanager
def step(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a part of some work, where steps are shown; within a bar it is a text next to the bar.

    Args:
        what: What is done, in few words.
        total: How many things there are to do; None: that is unknown.

    Yields:
        A function that takes how many are done.

    Examples:
        >>> with step("maps", 2) as done:
        ...     done(1)
        ...     done(2)
    """
    if _OPEN:
        outer, before = _OPEN[-1], _OPEN[-1].text
        outer.update(outer.done, what)
        try:
            yield lambda done: None
        finally:
            outer.update(outer.done, before)
    elif _SHOWN.is_set():
        with ProgressBar(what, total) as bar:
            yield bar.update
    else:
        yield lambda done: None


class ProgressBar:
    """Shows how much of some work is done, and the time left; a bar of 80 columns has room for a short text.

    Examples:
        >>> with ProgressBar("users", 2) as bar:
        ...     bar.update(1)
        ...     bar.update(2)
    """

    def __init__(self, what: str, total: int | None, console: Console | None = None, done: int = 0) -> None:
        """Count from ``done`` to ``total`` (None: unknown) on a console (default: standard error)."""
        from rich.console import Console
        from rich.progress import Progress

        self.console = console or Console(stderr=True, highlight=False)
        self.what, self.total, self.done, self.text = what, total, done, ""
        self._begun_at, self._began = done, time.monotonic()
        self._bar = Progress(*_columns(total), console=self.console, transient=True)
        self._task = self._bar.add_task(what, total=total, completed=done, text="")
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        """Show the bar; without a terminal it would be an empty line, and there are lines instead."""
        _OPEN.append(self)
        if self.console.is_terminal:
            self._bar.start()
        else:
            threading.Thread(target=self._say_lines, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        _OPEN.remove(self)
        self._ended.set()
        if self.console.is_terminal:
            self._bar.stop()

    def update(self, done: int, text: str | None = None) -> None:
        """Show that ``done`` things are done, and a text; None: the text of before."""
        self.done, self.text = done, self.text if text is None else text
        self._bar.update(self._task, completed=done, text=self.text)

    def _say_lines(self) -> None:
        while not self._ended.wait(EVERY):
            self.console.print(self.line(time.monotonic() - self._began), soft_wrap=True, markup=False)

    def line(self, seconds: float) -> str:
        """What a log file shows after so many seconds."""
        done = self.done - self._begun_at
        if self.total is None:
            parts = [self.what, f"{_clock(seconds)} so far", self.text]
        else:
            left = f"{_clock(seconds * (self.total - self.done) / done)} left" if done else ""
            parts = [f"{self.what} {self.done:,}/{self.total:,}", left, self.text]
        return " · ".join(part for part in parts if part)


def _columns(total: int | None) -> list[ProgressColumn]:
    """Of a bar: how much is done and the time left; of unknown work, the time so far."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    counts = [TimeElapsedColumn()] if total is None else [MofNCompleteColumn(), TimeRemainingColumn()]
    text = TextColumn("{task.fields[text]}", markup=False)
    return [TextColumn("{task.description}", markup=False), BarColumn(bar_width=12), *counts, text]


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
