"""Keys of results: a hash of the data, the settings and the version, independent of file names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from elcrec.data.files import ROWS_AT_ONCE
from elcrec.data.interactions import Interactions
from elcrec.runs.run_files import package_version

DIGITS = 8
"""Digits of a hash that tell results apart in file names and tables."""


def content_hash(log: Interactions) -> str:
    """Hash of a log's columns, values and order, in whatever format they came: 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for column in log.frame.get_columns():
        kind = _kind(column.dtype)
        digest.update(f"{column.name} {kind} {len(column)}\n".encode())
        for first in range(0, len(column), ROWS_AT_ONCE):
            _add(digest, column.slice(first, ROWS_AT_ONCE).cast(kind))
    return digest.hexdigest()[:32]


def _kind(kind: pl.DataType) -> pl.DataType:
    """One type for those that hold the same values in different widths."""
    if kind in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32):
        return pl.Int64()
    if isinstance(kind, pl.Datetime) and kind.time_unit == "ms":
        return pl.Datetime("us", kind.time_zone)
    return pl.String() if kind in (pl.Categorical, pl.Enum) else kind


def _add(digest: Any, values: pl.Series) -> None:
    if values.dtype == pl.String:
        digest.update(values.str.len_bytes().to_numpy().tobytes())  # so that "ab", "c" is not "a", "bc"
        digest.update(values.str.join("").item().encode())
    else:
        digest.update(values.to_physical().to_numpy().tobytes())


def result_key(data: str, recipe: str, settings: Mapping[str, Any], noise: float) -> str:
    """Key of a result: 32 hexadecimal digits.

    Args:
        data: See :func:`content_hash`.
        recipe: The baseline that was counted, or ``trained``: a recipe is known by the settings it gives.
        settings: All resolved settings, the seed among them; of a baseline, those it takes.
        noise: See :class:`elcrec.experiments.plan.PlannedRun`.
    """
    what = {
        "data": data,
        "recipe": recipe,
        "settings": dict(settings),
        "noise": noise,
        "elcrec": package_version(),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
