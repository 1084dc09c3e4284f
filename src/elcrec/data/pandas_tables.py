"""Tables from pandas and to pandas, without PyArrow, which Polars itself needs for both."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import polars as pl

from elcrec.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd


def is_pandas(table: Any) -> bool:
    """Whether a table is one of pandas; it is not imported to know."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(table, pandas.DataFrame)


def from_pandas(table: pd.DataFrame) -> pl.DataFrame:
    """The columns of a table of pandas; its index is left out."""
    if find_spec("pyarrow") is not None:
        return pl.DataFrame(table)
    return pl.DataFrame([_from_pandas(str(name), column) for name, column in table.items()])


def _from_pandas(name: str, column: pd.Series[Any]) -> pl.Series:
    kind = column.dtype.kind
    if kind == "M":
        zone = getattr(column.dtype, "tz", None)
        moments = pl.Series(name, column.dt.tz_convert(None).to_numpy() if zone is not None else column.to_numpy())
        return moments if zone is None else moments.dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone))
    known = column.notna()
    if kind in "iufb" and known.all():
        return pl.Series(name, column.to_numpy(dtype=getattr(column.dtype, "numpy_dtype", None)))
    if kind == "f":
        return pl.Series(name, column.to_numpy(dtype="float64", na_value=float("nan"))).fill_nan(None)
    return pl.Series(name, [value if there else None for value, there in zip(column, known, strict=True)])


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """A table as one of pandas; PyArrow is not needed.

    Examples:
        >>> to_pandas(pl.DataFrame({"item_id": ["a", "b"], "rank": [1, 2]})).columns.to_list()
        ['item_id', 'rank']

    Args:
        frame: What a method of :class:`elcrec.ELCRec` returned, or any other table of Polars.

    Returns:
        The same columns: numbers, truth values and times in the types of NumPy, integers with gaps in pandas' own
        (``Int64``), lists and structs as lists and dictionaries.

    Raises:
        SettingsError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise SettingsError("pandas is not installed: pip install pandas") from error
    return pd.DataFrame({column.name: _to_pandas(column) for column in frame.get_columns()})


def _to_pandas(column: pl.Series) -> Any:
    import pandas as pd

    if column.dtype.is_integer() and column.has_nulls():
        return pd.array(column.to_list(), dtype="UInt64" if column.dtype == pl.UInt64 else "Int64")
    if column.dtype == pl.Boolean and column.has_nulls():
        return pd.array(column.to_list(), dtype="boolean")
    if isinstance(column.dtype, pl.Datetime):
        return _moments(column, column.dtype.time_zone)
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.to_numpy()
    return column.to_list()


def _moments(column: pl.Series, zone: str | None) -> pd.Series[Any]:
    import pandas as pd

    if zone is None:
        return pd.Series(column.to_numpy())
    moments = pd.Series(column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy())
    return moments.dt.tz_localize("UTC").dt.tz_convert(zone)
