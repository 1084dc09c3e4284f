"""JSON as frames: JSON Lines, arrays of events, and the layouts in which tables are written."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data.columns import roles_in
from elcrec.data.encodings import text_lines
from elcrec.errors import DataError
from elcrec.wording import argument, setting

_LOOKED_AT = 1000
_BLOCK, _HEAD = 1 << 24, 1 << 16
_PYTHON = (
    "a Python dictionary, no JSON: rewrite it with json.dumps(ast.literal_eval(line)), or as CSV or Parquet with "
    "the columns that count"
)


def json_lines(name: str, source: Path | io.BytesIO, marked: bool) -> pl.DataFrame:
    """JSON Lines: one object a line.

    Args:
        name: Of the file, for messages.
        source: A path or UTF-8 bytes.
        marked: Whether they begin with a byte-order mark.

    Raises:
        DataError: A line is no object.
    """
    if marked:
        content = source.read_bytes() if isinstance(source, Path) else source.getvalue()
        source = io.BytesIO(content.removeprefix(b"\xef\xbb\xbf"))
    try:
        frame = pl.read_ndjson(source, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _refuse_line(name, source)
        raise DataError(f"cannot read {name} as JSON Lines ({str(error).splitlines()[0]})") from error
    plain = _written_once(source, frame)
    _refuse_mixed(name, source, frame.drop(plain))
    _refuse_twice(name, source, frame.drop(plain).columns)
    return frame


def _written_once(source: Path | io.BytesIO, frame: pl.DataFrame) -> list[str]:
    """Columns that surely stand once in each line, ids of text always in quotes: no line needs a look."""
    head = _head(source)
    expected = {
        name: (_patterns(name, frame[name].dtype, head), frame.height - frame[name].null_count())
        for name in frame.columns
        if roles_in([name], ())
    }
    counts = _counts(source, [one for patterns, _ in expected.values() for one in patterns])
    return [name for name, (patterns, values) in expected.items() if all(counts[one] == values for one in patterns)]


def _patterns(name: str, kind: pl.DataType, head: bytes) -> list[bytes]:
    """What stands in each line that has a column: its name, and for ids of text a quote after it."""
    patterns = [f'"{name}"'.encode()]
    if kind == pl.String and _is_id(name):
        close, spaced = f'"{name}":"'.encode(), f'"{name}": "'.encode()
        patterns.append(spaced if spaced in head else close)
    return patterns


def _is_id(name: str) -> bool:
    """Whether a column of a name may hold users or items."""
    return bool(roles_in([name], ()) & {"user_id", "item_id"})


def _head(source: Path | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getbuffer()[:_HEAD].tobytes()
    with source.open("rb") as file:
        return file.read(_HEAD)


def _counts(source: Path | io.BytesIO, patterns: Sequence[bytes]) -> dict[bytes, int]:
    """How often patterns without line breaks occur."""
    counts = dict.fromkeys(patterns, 0)
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source.getbuffer()) as file:
        while block := file.read(_BLOCK) + file.readline():
            for one in patterns:
                counts[one] += block.count(one)
    return counts


def _objects(source: Path | io.BytesIO) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and text of each line that is not blank."""
    content = source.read_bytes() if isinstance(source, Path) else source.getvalue()
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield number, line


def object_line(source: Path | io.BytesIO, row: int) -> str:
    """Where a row of JSON Lines (from 0) stands."""
    number, _ = next(islice(_objects(source), row, None), (row + 1, b""))
    return f"line {number}"


def _refuse_line(name: str, source: Path | io.BytesIO) -> None:
    for number, line in _objects(source):
        try:
            document = json.loads(line, parse_constant=_no_constant)
        except UnicodeDecodeError as error:
            raise DataError(
                f"cannot read {name}, line {number}: it is not UTF-8: name its encoding with "
                f"{setting('encoding', 'NAME')}"
            ) from error
        except (ValueError, RecursionError) as error:
            if _is_python(line):
                raise DataError(f"cannot read {name}, line {number}: {_PYTHON}") from error
            raise DataError(
                f"cannot read {name}, line {number}: no JSON ({error}); correct or remove the line"
            ) from error
        if not isinstance(document, dict):
            raise DataError(f"cannot read {name}, line {number}: no JSON object; write one event a line")


def _is_python(text: bytes) -> bool:
    """Whether text begins as a Python dictionary does, with a name in single quotes."""
    return re.match(rb"\s*\[?\s*\{\s*u?'", text) is not None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value")


def _refuse_mixed(name: str, source: Path | io.BytesIO, frame: pl.DataFrame) -> None:
    """Raise DataError where an id is text in some lines and a number in others: Polars makes all of them text."""
    for column in frame.columns:
        number = _first_number(source, column) if frame[column].dtype == pl.String and _is_id(column) else None
        if number is not None:
            raise DataError(
                f"{name}, line {number}: {column} is no text, as it is in other lines: ids are integers or "
                f"strings, one type a column"
            )


def _refuse_twice(name: str, source: Path | io.BytesIO, columns: list[str]) -> None:
    """Raise DataError where an object names a column twice: Polars takes one of the two."""
    read = [re.escape(one) for one in columns if roles_in([one], ())]
    if not read:
        return
    twice = pl.any_horizontal(pl.col("line").str.count_matches(rf'"{one}"\s*:') > 1 for one in read)
    # Nested objects may have such a column, too.
    for number, line in text_lines(source).filter(twice).head(_LOOKED_AT).collect(engine="streaming").iter_rows():
        try:
            json.loads(line, object_pairs_hook=_once)
        except ValueError as error:
            raise DataError(f"{name}, line {number}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which no column that is read stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1 and roles_in([name], ())), None)
        if twice is not None:
            raise ValueError(f"an object has {twice!r} twice: keep one, or rename the other")
    return found


def _first_number(source: Path | io.BytesIO, column: str) -> int | None:
    """Line where a column, text elsewhere, holds a number or the like; None if nowhere."""
    pattern = rf'[{{,]\s*"{re.escape(column)}"\s*:\s*[-0-9tf\[{{]'
    found = text_lines(source).filter(pl.col("line").str.contains(pattern)).collect(engine="streaming")
    for number, line in found.iter_rows():  # nested objects may have such a column, too
        if not isinstance(json.loads(line).get(column), str | None):
            return int(number)
    return None


def read_json_document(name: str, content: bytes, columns: tuple[str, ...] | None) -> pl.DataFrame:
    """One JSON document: an array of events, or a table as an object.

    Args:
        name: Of the file, for messages.
        content: UTF-8.
        columns: Names by position, for arrays of arrays.

    Raises:
        DataError: It is no JSON, or no table.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error) and content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
            return json_lines(name, io.BytesIO(content), marked=True)
        if _is_python(content):
            raise DataError(f"cannot read {name}: {_PYTHON}") from error
        raise DataError(f"cannot read {name} as JSON ({error}): correct the file, or use JSON Lines") from error
    rows = _rows(name, document, columns)
    if not rows:
        raise DataError(f"{name} has no rows: nothing to train on")
    return _frame_of(name, rows)


def _frame_of(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    names = dict.fromkeys(key for row in rows for key in row)
    table = {key: [row.get(key) for row in rows] for key in names}
    _refuse_several_types(name, table)
    try:
        return pl.DataFrame(table, infer_schema_length=None, strict=True)
    except (pl.exceptions.PolarsError, TypeError, OverflowError, ValueError) as error:
        raise DataError(
            f"cannot read {name}: values of one column are of several types ({str(error).splitlines()[0]}); ids are "
            f"integers or strings, one type a column"
        ) from error


def _refuse_several_types(name: str, table: dict[str, list[Any]]) -> None:
    """Raise DataError where an id is of one type in some events and of another elsewhere."""
    for key, values in table.items():
        kinds = [type(value) for value in values]
        found = [kind for kind in dict.fromkeys(kinds) if kind is not type(None)]
        if len(found) > 1 and not {int, float}.issuperset(found) and _is_id(key):
            first, other = found[:2]
            raise DataError(
                f"{name}, event {kinds.index(other) + 1}: {key} is of type {other.__name__}, and of type "
                f"{first.__name__} in other events: ids are integers or strings, one type a column"
            )


def _rows(name: str, document: Any, columns: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """The events of a document, whichever of the usual shapes it has."""
    if isinstance(document, list):
        return _rows_of_array(name, document, columns)
    if not isinstance(document, dict):
        raise DataError(f"{name} is no table: write an array of objects, or JSON Lines")
    return _rows_of_object(name, document, columns)


def _rows_of_object(name: str, document: dict[str, Any], columns: tuple[str, ...] | None) -> list[dict[str, Any]]:
    if set(document) >= {"columns", "data"}:  # pandas, orient="split"
        return _rows_of_array(name, document["data"], tuple(map(str, document["columns"])))
    roles = roles_in(list(document), ())
    if len(roles) >= 2 and all(isinstance(value, list | dict) for value in document.values()):
        return _rows_of_columns(name, document)
    if roles:
        return [document]  # JSON Lines of one line
    inner = _only_array_of_objects(document)
    if inner is not None:
        return _rows_of_array(name, inner, columns)
    if all(map(_is_list_of_values, document.values())):
        return [{"user_id": user, "items": items} for user, items in document.items()]
    raise DataError(f"{name} is no table of events: write an array of objects, or JSON Lines")


def _only_array_of_objects(document: dict[str, Any]) -> list[Any] | None:
    """The array within an object (``{"data": [{...}, ...]}``); None where there is none, or are several."""
    arrays = [value for value in document.values() if isinstance(value, list)]
    if len(arrays) != 1 or not arrays[0]:
        return None
    return arrays[0] if all(isinstance(one, dict) for one in arrays[0]) else None


def _is_list_of_values(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(one, dict | list) for one in value)


def _rows_of_array(name: str, rows: Any, columns: tuple[str, ...] | None) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        raise DataError(f"{name} is no table of events: write an array of objects")
    if rows and all(isinstance(row, list) for row in rows):
        return _rows_of_arrays(name, rows, columns)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(f"cannot read {name}, event {number}: no object; write an array of objects")
    return rows


def _rows_of_arrays(name: str, rows: list[list[Any]], columns: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """Rows whose values are named by position."""
    if columns is None:
        raise DataError(f"{name} holds rows without names: name them, {argument('columns', 'user_id,item_id,...')}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise DataError(f"{name}, event {number}: {len(row)} values instead of {len(columns)}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _rows_of_columns(name: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    """A table by columns: lists, or (pandas) objects from row to value."""
    columns = {key: list(value.values()) if isinstance(value, dict) else value for key, value in document.items()}
    keys = {tuple(value) for value in document.values() if isinstance(value, dict)}
    if len({len(values) for values in columns.values()}) > 1 or len(keys) > 1:
        raise DataError(f"{name}: its columns have other lengths: write one value a row in each")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
