"""Warnings that name the line of the caller."""

from __future__ import annotations

import inspect
import warnings

PACKAGE = __name__.partition(".")[0]


def warn(message: str, category: type[Warning]) -> None:
    """Warn, and name the line that called elcrec, however deep in it the warning is given.

    Python shows a warning once for each such line, and filters go by its module.
    """
    level, outermost, frame = 1, 1, inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        level += 1
        if frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
            outermost = level
        frame = frame.f_back
    warnings.warn(message, category, stacklevel=outermost)
