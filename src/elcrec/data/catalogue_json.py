"""Item metadata in a JSON object: ``{item: [attribute, ...]}`` or ``{item: {column: value, ...}}``."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data.attribute_columns import TEXTS
from elcrec.data.columns import candidates
from elcrec.data.feature_columns import is_vector
from elcrec.errors import DataError, decoding


def read_json_object(path: Path) -> pl.DataFrame:
    """A JSON object from item to what describes it, as a frame of text, numbers and lists.

    Raises:
        DataError: It is none, or an entry is neither text nor a number.
    """
    with decoding(
        lambda reason: DataError(f"cannot read {path} as JSON ({reason}): correct the file, or use .jsonl or .csv")
    ):
        document = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_distinct)
        if not isinstance(document, dict) or not document:
            raise DataError(f"{path} is no object with items in it: use {{item: [attribute, ...]}}, or .jsonl or .csv")
        return _frame(document)


def _frame(document: dict[str, Any]) -> pl.DataFrame:
    items, columns = list(document), _columns(list(document.values()))
    series = [_column(name, values, items) for name, values in columns.items()]
    return pl.DataFrame([pl.Series("item_id", items, dtype=pl.String), *series])


def _columns(entries: list[Any]) -> dict[str, list[Any]]:
    """The values of each column, None where an entry has none; numbers that no column names are left out."""
    if not any(isinstance(entry, dict) for entry in entries):
        return {"attributes": entries} if _holds_text(entries) else {}
    rows = [entry if isinstance(entry, dict) else {"attributes": entry} for entry in entries]
    names = dict.fromkeys(name for name in chain.from_iterable(rows) if not candidates("item_id", [name]))
    return {name: [row.get(name) for row in rows] for name in names}


def _holds_text(values: list[Any]) -> bool:
    """Whether values may be attributes: numbers and truth values alone are none."""
    return any(isinstance(value, str | list) for value in values)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    name, count = Counter(name for name, _ in pairs).most_common(1)[0] if pairs else ("", 1)
    if count > 1:
        raise DataError(f"the JSON object has {name!r} {count} times: keep one entry an item")
    return dict(pairs)


def _numbers(name: str, values: list[Any]) -> pl.Series:
    """Numbers, or truth values."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known):
        return pl.Series(name, values, dtype=pl.Boolean)
    numbers = [value if isinstance(value, int | float) and not isinstance(value, bool) else None for value in values]
    return pl.Series(name, numbers, dtype=pl.Float64, strict=False)


def _column(name: str, values: list[Any], items: list[str]) -> pl.Series:
    """Numbers, vectors, or text and lists of text where a value is a list."""
    if not _holds_text(values):
        return _numbers(name, values)
    vectors = _vectors(name, values)
    if vectors is not None:
        return vectors
    if any(isinstance(value, list) for value in values):
        lists = [[_entry(each, item) for each in _listed(value)] for value, item in zip(values, items, strict=True)]
        return pl.Series(name, lists, dtype=TEXTS)
    return pl.Series(name, [_entry(value, item) for value, item in zip(values, items, strict=True)], dtype=pl.String)


def _vectors(name: str, values: list[Any]) -> pl.Series | None:
    """Lists of numbers, where most values are such; the others count as missing."""
    lists = [value if _is_of_numbers(value) else None for value in values]
    n_known, n_lists = (len(some) - some.count(None) for some in (values, lists))
    if 2 * n_lists <= n_known or not any(type(one) is float for value in lists for one in value or ()):
        return None
    vectors = pl.Series(name, lists, dtype=pl.List(pl.Float64), strict=False)
    return vectors if is_vector(vectors) else None


def _is_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(one is None or type(one) in (int, float) for one in value)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return list(value.split("|"))
    return value if isinstance(value, list) else [value]


def _entry(value: Any, item: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        kind = type(value).__name__
        raise DataError(f"item {item!r} has an attribute of type {kind}: attributes are texts or numbers")
    return None if value is None else str(value)
