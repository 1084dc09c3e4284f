"""Public data sets by name: their sources, and verified copies on this machine.

Nothing is shipped with the package. A file is accepted only with the checksum written here.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from elcrec.errors import DataError
from elcrec.storage import make_folder, write_atomically

_SOURCE = "https://raw.githubusercontent.com/salesforce/ICLRec/4afb54a036ebbf4166ed5858122d89c0642251a7/data/"
_AMAZON = (
    "Amazon reviews 1996-2014, 5-core, as prepared for S3-Rec. No licence is stated; research use, cite "
    "McAuley et al. 2015 (Image-based recommendations on styles and substitutes)."
)
_YELP = (
    "Yelp Open Dataset, visits after 2019-01-01, 5-core, as prepared for S3-Rec. Yelp's dataset terms: "
    "academic use, no redistribution."
)
_TIMEOUT_SECONDS = 60
_PIECE = 1 << 16

OnBytes = Callable[[int, int], None]
"""Receives the bytes so far and the total."""


@dataclass(frozen=True)
class NamedData:
    """A public file.

    Attributes:
        name: What it is called on the command line.
        file: Its file name.
        url: Where it is published.
        sha256: Of its content.
        size: Bytes.
        note: What it is, and what its licence allows.
    """

    name: str
    file: str
    url: str
    sha256: str
    size: int
    note: str


def _of(name: str, file: str, sha256: str, size: int, note: str) -> NamedData:
    return NamedData(name, file, _SOURCE + file, sha256, size, note)


NAMED = {
    data.name: data
    for data in (
        _of(
            "beauty", "Beauty.txt", "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8", 1090094, _AMAZON
        ),
        _of(
            "sports",
            "Sports_and_Outdoors.txt",
            "2a095e0648872beb9982408958290f5d655db5be2911c3756b5446de9f0b8de2",
            1707483,
            _AMAZON,
        ),
        _of(
            "toys",
            "Toys_and_Games.txt",
            "176c680c688d497598c4a89a03b402c0fe78d795e5db335c2e78dd5f2d778a3f",
            922166,
            _AMAZON,
        ),
        _of("yelp", "Yelp.txt", "724b219106b81dd2349027da997334ddb6da9fe2f152ad6e0d97a93170f7caed", 1814224, _YELP),
    )
}


def named(name: str) -> NamedData:
    """The data set of a name.

    Raises:
        DataError: There is none.
    """
    if name not in NAMED:
        raise DataError(f"no data set is called {name!r}: use {', '.join(NAMED)}")
    return NAMED[name]


def cache_folder() -> Path:
    """``$ELCREC_DATA``, else ``elcrec/data`` in the user's cache folder."""
    if "ELCREC_DATA" in os.environ:
        return Path(os.environ["ELCREC_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "elcrec" / "data"


def cached(name: str) -> Path | None:
    """The copy on this machine; None if there is none, or none of the right size."""
    data = named(name)
    path = cache_folder() / data.file
    return path if path.is_file() and path.stat().st_size == data.size else None


def locate(source: str | Path) -> Path:
    """A path as it is; a name that is no file, as the copy that was fetched under it.

    Raises:
        DataError: The name is known, but its file is not here.
    """
    path = Path(source)
    if str(source) not in NAMED or path.exists():
        return path
    here = cached(str(source))
    if here is None:
        raise DataError(f"{source} is not on this machine: run  elcrec data fetch {source}")
    return here


def fetch(name: str, source: str | None = None, on_bytes: OnBytes = lambda done, whole: None) -> Path:
    """A checked copy on this machine; downloaded unless it is there already.

    Args:
        name: Of the data set.
        source: URL, or path of a file, to take instead of the published one; the checksum is the same.
        on_bytes: Receives the progress of the download.

    Raises:
        DataError: Cannot be reached or broke off, or is another file. What was there is kept.
    """
    data = named(name)
    here = cached(name)
    if here is not None and _sha256(here) == data.sha256:
        return here
    origin = source or data.url
    if "://" not in origin:
        origin = Path(origin).resolve().as_uri()
    make_folder(cache_folder())
    target = cache_folder() / data.file
    try:
        with urllib.request.urlopen(origin, timeout=_TIMEOUT_SECONDS) as response:
            content = _received(response, data, origin, on_bytes)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"cannot fetch {name} from {origin} ({reason}): try again, or name another copy with --from URL-OR-FILE"
        ) from error
    write_atomically(target, lambda beside: beside.write_bytes(content))
    return target


def _received(response: BinaryIO, data: NamedData, origin: str, on_bytes: OnBytes) -> bytes:
    """The whole content, which must be the published file; never more than a little above its size."""
    content, digest = bytearray(), hashlib.sha256()
    while len(content) <= data.size and (piece := response.read(_PIECE)):
        content += piece
        digest.update(piece)
        on_bytes(len(content), data.size)
    if digest.hexdigest() != data.sha256:
        got = f"{len(content):,} of {data.size:,} bytes" if len(content) < data.size else "another checksum"
        raise DataError(
            f"what came from {origin} is not the published {data.file} ({got}): nothing was kept; try again, or "
            f"name another copy with --from URL-OR-FILE"
        )
    return bytes(content)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
