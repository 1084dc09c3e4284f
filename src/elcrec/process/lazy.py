"""Modules that are loaded when they are first used."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Stands for a module, which is imported when one of its names is first used.

    Type checkers are given the module itself, and see all its names and types::

        if TYPE_CHECKING:
            from elcrec import components
        else:
            components = LazyModule("elcrec.components")
    """

    def __init__(self, name: str) -> None:
        """Stand for the module of this full name."""
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)
