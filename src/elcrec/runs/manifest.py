"""The manifest of a run: size and hash of every file, in one document."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from elcrec.errors import RunError, decoding
from elcrec.storage import file_reading

MANIFEST = "manifest.json"
PLAIN_NAME = re.compile(r"\w[\w.-]*")


class Entry(NamedTuple):
    """A file as it was written.

    Attributes:
        bytes: Its size.
        sha256: Its hash, hexadecimal.
    """

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Entry:
        """A file as it is.

        Raises:
            RunError: It is missing or cannot be read.
        """
        with file_reading(path), path.open("rb") as file:
            return cls(os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True)
class Manifest:
    """All files of a generation.

    Attributes:
        written: When, UTC; no two generations of a folder have the same.
        files: By name.
    """

    written: str
    files: dict[str, Entry]

    def text(self) -> str:
        """The one text that says this, its own checksum included."""
        document = {"written": self.written, "files": {name: entry._asdict() for name, entry in self.files.items()}}
        check = hashlib.sha256(json.dumps(document).encode()).hexdigest()
        return json.dumps({**document, "sha256": check}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """What :meth:`text` gave.

        Raises:
            RunError: It is missing or damaged.
        """
        with file_reading(path):
            content = path.read_bytes()
        with decoding(lambda reason: RunError(f"{path} is damaged: {reason}")):
            document: Any = json.loads(content)
            files = {name: Entry(**entry) for name, entry in document["files"].items()}
            manifest = cls(document["written"], files)
            same = content == manifest.text().encode()
        odd = [name for name in manifest.files if not PLAIN_NAME.fullmatch(name)]
        if odd:  # files are read and moved by these names
            raise RunError(f"{path} is damaged: {odd[0]!r} is no file of a run")
        if not same:
            raise RunError(
                f"{path} is damaged: its checksum is another; restore the run from a copy, or train it again"
            )
        return manifest
