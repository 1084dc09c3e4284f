"""Histories of new users, as options and files give them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elcrec.data.columns import candidates
from elcrec.errors import DataError, SettingsError, UnknownIdError, decoding

if TYPE_CHECKING:
    from elcrec.data.titles import ItemTitles

FORMS = "write a JSON array of item ids (or an array of such arrays), or one item id per line, no header; oldest first"
MOST_PARTS = 20
"""A title has fewer commas than this."""

COLUMN_MARKS = ",;\t|"
ID_FORMS = "write a JSON array of item ids, or one item id per line"


def histories_of(texts: Sequence[str] | None, path: Path | None, titles: ItemTitles) -> list[list[Any]]:
    """Histories of ``--history`` (ids or titles between commas), then those of ``--history-file``.

    Args:
        texts: Of ``--history``; None: not given.
        path: Of ``--history-file``; None: not given.
        titles: Of the model; they distinguish a comma within a title from one between two items.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    given: list[list[Any]] = [split_history(text, titles) for text in texts or ()]
    return given if path is None else [*given, *read_histories(path)]


def user_features_of(texts: Sequence[str] | None) -> dict[str, Any] | None:
    """What ``--user-feature`` tells about the user: a value for each name, several as a list; None: nothing.

    Raises:
        SettingsError: One is not written as NAME=VALUE.
    """
    given: dict[str, list[str]] = {}
    for text in texts or ():
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name and sign and value):
            raise SettingsError(f"--user-feature {text}: write it as NAME=VALUE, for example country=DE")
        given.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in given.items()} or None


def split_history(text: str, titles: ItemTitles) -> list[str]:
    """The items of a history with commas between them.

    The longest text that is a whole title (``Godfather, The``) is one item, unless all that stands between its commas
    are ids. Elsewhere a comma stands between two items.
    """
    parts, found = text.split(","), []
    while parts:
        n_parts = _parts_of_first(parts, titles)
        found.append(",".join(parts[:n_parts]).strip())
        parts = parts[n_parts:]
    return [item for item in found if item]


def _parts_of_first(parts: list[str], titles: ItemTitles) -> int:
    """Number of parts of the first item."""
    longest = min(len(parts), MOST_PARTS) if len(titles) else 1
    known = [titles.items.find(part.strip()) >= 0 for part in parts[:longest]]
    texts = {n: ",".join(parts[:n]) for n in range(longest, 1, -1) if not all(known[:n])}
    return next((n for n, text in texts.items() if titles.named(text)), 1)


def read_histories(path: Path) -> list[list[Any]]:
    """Histories of a file, where ids may contain commas.

    Args:
        path: A JSON array of ids, an array of such arrays, or one id per line.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    with decoding(lambda reason: DataError(f"cannot read {path} ({reason}): {FORMS}")):
        document = _parsed(path)
    histories = document if document and all(isinstance(entry, list) for entry in document) else [document]
    for number, history in enumerate(histories, start=1):
        if (fault := _fault(history)) is not None:
            raise DataError(f"{path}, history {number}{fault}: {FORMS}")
    return histories


def read_ids(path: Path) -> list[Any]:
    """Item ids of a file, perhaps none: a JSON array, or one id per line.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    with decoding(lambda reason: DataError(f"cannot read {path} ({reason}): {ID_FORMS}")):
        ids = _parsed(path)
    if ids and (fault := _fault(ids)) is not None:
        raise DataError(f"{path}{fault}: {ID_FORMS}")
    return ids


@contextmanager
def one_id_a_line(*paths: Path | None) -> Iterator[None]:
    """Where a line of one of these files is an unknown id, and columns stand in it, the message says so.

    Raises:
        UnknownIdError: As within.
    """
    try:
        yield
    except UnknownIdError as error:
        for path in paths:
            if path is not None and _unknown_row(path, str(error)):
                raise UnknownIdError(f"{path} seems to hold several columns: {ID_FORMS} ({error})") from error
        raise


def _unknown_row(path: Path, error: str) -> bool:
    """Whether an error names the first line of a file whose lines all have as many commas, or other marks."""
    lines = [] if _text(path).startswith("[") else _parsed(path)
    tables = (mark for mark in COLUMN_MARKS if len({line.count(mark) for line in lines}) == 1)
    return len(lines) > 1 and any(mark in lines[0] and repr(lines[0])[1:-1] in error for mark in tables)


def has_header(path: Path, name: str | None) -> bool:
    """Whether the first line of a file of ids may be the name of their column.

    Args:
        path: See :func:`read_ids`.
        name: The caller's name of the item column; the usual names are known.
    """
    lines = _text(path).split("\n", 1)
    return lines[0].strip() == name or bool(candidates("item_id", [lines[0].strip()]))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig").strip()


def _parsed(path: Path) -> list[Any]:
    """The JSON array of a file, or its lines that are not blank.

    Raises:
        ValueError: It is an array that cannot be read, or holds JSON objects.
    """
    text = _text(path)
    if text.startswith("[") and text.endswith("]"):
        array: list[Any] = json.loads(text)
        return array
    lines = [line for line in text.split("\n") if line.strip()]
    if _is_object(text) or (lines and _is_object(lines[0])):
        raise ValueError("it holds a JSON object")
    return lines


def _is_object(text: str) -> bool:
    """Whether a text is a JSON object; one that only begins like it may be a title."""
    try:
        return text.startswith("{") and isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _fault(history: list[Any]) -> str | None:
    """Why something is not a history; None for one that is."""
    if not history:
        return " is empty"
    odd = [item for item in history if isinstance(item, bool) or not isinstance(item, str | int)]
    return f": {str(odd[0])[:40]!r} is not an item id (text or an integer)" if odd else None
