"""API keys: which clients are accepted."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from elcrec.errors import SettingsError

SHORTEST = 16


class Keys:
    """API keys, compared in constant time.

    Attributes:
        there: Whether a key is needed.
    """

    def __init__(self, path: Path | None) -> None:
        """Read a file: one key a line, ``#`` begins a comment line. None: no key is needed.

        Raises:
            SettingsError: It cannot be read, holds none, or something that is no key.
        """
        self.there = path is not None
        self._path = path
        self._digests = [] if path is None else _read(path)

    def reread(self) -> bool:
        """Take over the keys that the file holds now.

        Returns:
            Whether other keys are valid from now on.

        Raises:
            SettingsError: As when it was first read; the keys from before stay valid.
        """
        if self._path is None:
            return False
        digests = _read(self._path)
        changed = digests != self._digests
        self._digests = digests
        return changed

    def known(self, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The digest of a request's key, if it is valid; compares with all keys, in constant time."""
        given, bearer = header(headers, b"x-api-key"), header(headers, b"authorization")
        if bearer[:7].lower() == b"bearer ":
            given = bearer[7:].strip()
        digest = hashlib.sha256(given).digest()
        matches = [hmac.compare_digest(digest, valid) for valid in self._digests]
        return digest if any(matches) else None


def header(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The first header of a name (in lower case); empty where there is none."""
    return next((value for one, value in headers if one == name), b"")


def _read(path: Path) -> list[bytes]:
    try:
        # Editors on Windows begin files with a byte-order mark.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--api-key-file {path} cannot be read: {error}") from error
    keys = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        if fault := _fault(line):  # never the line itself: it is a secret
            raise SettingsError(f"--api-key-file {path}, line {number}: {fault}; write one key a line")
        keys.append(line)
    if not keys:
        raise SettingsError(f"--api-key-file {path} holds no key: write keys of {SHORTEST} characters or more into it")
    return [hashlib.sha256(key.encode()).digest() for key in dict.fromkeys(keys)]


def _fault(key: str) -> str | None:
    if len(key) < SHORTEST:
        return f"a key needs {SHORTEST} characters or more"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return "a key holds ASCII characters without blanks (a comment has a line of its own)"
    return None
