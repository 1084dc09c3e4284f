"""Progress of long work on standard error: a bar in a terminal, and elsewhere (a log file) a line a minute."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 60.0
"""Seconds between two lines in a log file."""


class ProgressBar:
    """Shows how much of some work is done, and the time left; a bar of 80 columns has room for a short text.

    Examples:
        >>> with ProgressBar("users", 2) as bar:
        ...     bar.update(1)
        ...     bar.update(2)
    """

    def __init__(self, what: str, total: int, console: Console | None = None, done: int = 0) -> None:
        """Count from ``done`` to ``total`` on a console (default: standard error)."""
        self.console = console or Console(stderr=True, highlight=False)
        self.what, self.total, self.done, self.text = what, total, done, ""
        self._begun_at, self._began = done, time.monotonic()
        self._said = self._began
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}", markup=False),
        )
        # Without a terminal a bar would be an empty line.
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task(what, total=total, completed=done, text="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        self._bar.stop()

    def update(self, done: int, text: str | None = None) -> None:
        """Show that ``done`` things are done, and a text; None: the text of before."""
        self.done, self.text = done, self.text if text is None else text
        self._bar.update(self._task, completed=done, text=self.text)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._said >= EVERY:
            self._said = now
            self.console.print(self._line(now - self._began), soft_wrap=True, markup=False)

    def _line(self, seconds: float) -> str:
        """What a log file shows."""
        left = seconds * (self.total - self.done) / max(self.done - self._begun_at, 1)
        minutes, rest = divmod(round(left), 60)
        hours, minutes = divmod(minutes, 60)
        parts = [f"{self.what} {self.done:,}/{self.total:,}", f"{hours}:{minutes:02}:{rest:02} left", self.text]
        return " · ".join(part for part in parts if part)
