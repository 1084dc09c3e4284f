"""What a run consists of, and that it is whole: one document with the hash of every file, written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elcrec.errors import RunError
from elcrec.storage import read_json, write_json

MANIFEST = "manifest.json"
_PIECE = 1 << 20


def hash_of(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        RunError: It is missing or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise RunError(f"{path} is missing or cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def write_manifest(folder: Path, names: Iterable[str]) -> None:
    """Write the hashes of files of a folder, and of the document itself."""
    files = {name: hash_of(folder / name) for name in sorted(names) if (folder / name).exists()}
    write_json(folder / MANIFEST, {"files": files, "generation": _generation(files)})


def _generation(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def read_manifest(path: Path) -> dict[str, Any]:
    """``files`` (hash by name) and ``generation``, which follows from them.

    Raises:
        RunError: Missing or damaged.
    """
    document = read_json(path)
    fine = isinstance(document, dict) and set(document) == {"files", "generation"}
    fine = fine and isinstance(document["files"], dict) and document["generation"] == _generation(document["files"])
    if not fine:
        raise RunError(f"{path} is damaged: its hash does not fit; restore the run from a copy, or train it again")
    return document  # type: ignore[no-any-return]
