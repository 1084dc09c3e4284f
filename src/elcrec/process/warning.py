"""Warnings that name the line of the caller."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path

PACKAGE = f"{Path(__file__).resolve().parents[1]}/"


def warn(message: str, category: type[Warning]) -> None:
    """Warn, and name the line that called elcrec, however deep in it the warning is given.

    Python shows a warning once for each such line, and filters go by its module.
    """
    level, outermost, frame = 1, 1, inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        level += 1
        if frame.f_code.co_filename.startswith(PACKAGE):
            outermost = level
        frame = frame.f_back
    warnings.warn(message, category, stacklevel=outermost)
