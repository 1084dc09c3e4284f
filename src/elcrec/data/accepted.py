"""Types of what callers pass: ids, tables, and where logs and metadata come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union

import polars as pl

if TYPE_CHECKING:
    from elcrec.data.catalogue import Catalogue
    from elcrec.data.interactions import Interactions
    from elcrec.data.user_table import UserTable


class ArrowTable(Protocol):
    """A table of pandas, PyArrow or another library that hands its columns over as Arrow streams."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:
        """The columns; see Arrow's PyCapsule interface."""


Id: TypeAlias = str | int
"""Of a user or an item, as the caller's log has it."""
Table: TypeAlias = pl.DataFrame | pl.LazyFrame | ArrowTable | Mapping[str, Sequence[Any]]
"""A pandas, Polars or Arrow table, or columns by name."""
LogSource: TypeAlias = Union[str, Path, Sequence[str | Path], Table, "Interactions"]
"""See :meth:`elcrec.data.interactions.Interactions.read`."""
ItemSource: TypeAlias = Union[str, Path, Table, "Catalogue"]
"""See :meth:`elcrec.data.catalogue.Catalogue.read`."""
UserSource: TypeAlias = Union[str, Path, Table, "UserTable"]
"""See :meth:`elcrec.data.user_table.UserTable.read`."""
UserFeatures: TypeAlias = Sequence[Mapping[str, Any]] | Table
"""``{column: value}`` of each user, or a table with a row for each."""
