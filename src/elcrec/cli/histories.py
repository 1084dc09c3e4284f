"""Histories of people whom the model has not seen, as the command line is given them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elcrec.errors import DataError, decoding


def histories_of(texts: Sequence[str], path: Path | None) -> list[list[Any]]:
    """Histories of ``--history`` (ids between commas), then those of ``--history-file``.

    Raises:
        DataError: The file holds none.
    """
    asked: list[list[Any]] = [[part.strip() for part in text.split(",") if part.strip()] for text in texts]
    return asked if path is None else [*asked, *_of_file(path)]


def _of_file(path: Path) -> list[list[Any]]:
    """One history, an id a line; of a ``.json`` file a list of ids, or a list of such lists."""
    remedy = "give one id a line, or a .json file with a list of ids or a list of such lists"
    with decoding(lambda reason: DataError(f"cannot read {path} ({reason}): {remedy}")):
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text) if path.suffix == ".json" else [line.strip() for line in text.split("\n")]
    if path.suffix != ".json":
        return [[line for line in document if line]]
    found = document if isinstance(document, list) and document and isinstance(document[0], list) else [document]
    for history in found:
        if not isinstance(history, list) or not all(type(item) in (str, int) for item in history):
            raise DataError(f"{path} holds something else than item ids: {remedy}")
    return found
