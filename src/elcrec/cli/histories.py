"""Histories of new users, as options and files give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elcrec.errors import DataError, decoding

FORMS = "write a JSON array of item ids (or an array of such arrays), or one item id per line; oldest first"

ID_FORMS = "write a JSON array of item ids, or one item id per line"


def histories_of(texts: Sequence[str], path: Path | None) -> list[list[Any]]:
    """Histories of ``--history`` (ids between commas), then those of ``--history-file``.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    given: list[list[Any]] = [[part.strip() for part in text.split(",") if part.strip()] for text in texts]
    return given if path is None else [*given, *read_histories(path)]


def read_histories(path: Path) -> list[list[Any]]:
    """Histories of a file, where ids may contain commas.

    Args:
        path: A JSON array of ids, an array of such arrays, or one id per line.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    with decoding(lambda reason: DataError(f"cannot read {path} ({reason}): {FORMS}")):
        document = _parsed(path.read_text(encoding="utf-8-sig").strip())
    histories = document if document and all(isinstance(entry, list) for entry in document) else [document]
    for number, history in enumerate(histories, start=1):
        if (fault := _fault(history)) is not None:
            raise DataError(f"{path}, history {number}{fault}: {FORMS}")
    return histories


def read_ids(path: Path) -> list[Any]:
    """Item ids of a file: a JSON array, or one id per line.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    with decoding(lambda reason: DataError(f"cannot read {path} ({reason}): {ID_FORMS}")):
        ids = _parsed(path.read_text(encoding="utf-8-sig").strip())
    if (fault := _fault(ids)) is not None:
        raise DataError(f"{path}{fault}: {ID_FORMS}")
    return ids


def _parsed(text: str) -> list[Any]:
    """The JSON array, or the lines that are not blank."""
    if text.startswith("[") and text.endswith("]"):
        array: list[Any] = json.loads(text)
        return array
    return [line for line in text.split("\n") if line.strip()]


def _fault(history: list[Any]) -> str | None:
    """Why something is not a history; None for one that is."""
    if not history:
        return " is empty"
    odd = [item for item in history if isinstance(item, bool) or not isinstance(item, str | int)]
    return f": {str(odd[0])[:40]!r} is not an item id (text or an integer)" if odd else None
