"""Types of what callers pass: ids, tables and features; :class:`elcrec.Interactions` and the like add their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import polars as pl


class ArrowTable(Protocol):
    """A table of pandas, PyArrow or another library that hands its columns over as Arrow streams."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:
        """The columns; see Arrow's PyCapsule interface."""


Id: TypeAlias = str | int
"""Of a user or an item, as the caller's log has it."""
Table: TypeAlias = pl.DataFrame | pl.LazyFrame | ArrowTable | Mapping[str, Sequence[Any]]
"""A pandas, Polars or Arrow table, or columns by name."""
UserFeatures: TypeAlias = Sequence[Mapping[str, Any]] | Table
"""``{column: value}`` of each user, or a table with a row for each."""
