"""Atomic writes: write a temporary file in the same folder, flush it, rename it, flush the folder."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from safetensors import safe_open

from elcrec.errors import RunError, SettingsError, decoding

if TYPE_CHECKING:
    from torch import Tensor

_NUMBER = itertools.count()
TABLE_FORMATS = {"": "parquet", ".parquet": "parquet", ".pq": "parquet", ".csv": "csv"} | dict.fromkeys(
    (".jsonl", ".ndjson"), "jsonl"
)
"""Formats of tables by the ending of their file's name."""
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM}


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file next to ``path``, then rename it over ``path``; both reach the disk.

    Its mode is that of any new file (the umask decides), whatever ``write`` gave it.

    Raises:
        RunError: The disk is full or the folder cannot be written; what was at ``path`` is untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}-{next(_NUMBER)}.tmp")
    try:
        beside.touch()
        mode = stat.S_IMODE(beside.stat().st_mode)
        write(beside)
        beside.chmod(mode)
        sync(beside)
        os.replace(beside, path)
    except Exception as error:
        # Polars and safetensors wrap the system's error in their own.
        raise RunError(f"cannot write {path}: {_reason(error)}; what was there is kept") from error
    finally:
        with contextlib.suppress(OSError):  # gone after the rename; and where it failed, perhaps never there
            beside.unlink()
    sync(path.parent)


def publish_folder(fresh: Path, path: Path) -> None:
    """Rename a whole folder to a free name in the same place; every file in it reaches the disk first.

    Raises:
        RunError: It cannot be written, or the name is taken.
    """
    try:
        for inner in fresh.rglob("*"):
            sync(inner)
        sync(fresh)
        fresh.rename(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {_reason(error)}") from error
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; where a system cannot do so for folders, go on.

    Raises:
        RunError: The disk refuses.
    """
    folder = path.is_dir()
    if folder and os.name != "posix":
        return
    try:
        file = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        if not (folder and error.errno in _CANNOT_SYNC):
            raise RunError(f"cannot write {path} to the disk: {_reason(error)}") from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises:
        RunError: It cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot create folder {path}: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Text, atomically."""
    write_atomically(path, lambda beside: beside.write_bytes(text.encode()))


def write_json(path: Path, document: Any) -> None:
    """Indented JSON, atomically."""
    write_text(path, json.dumps(document, indent=2) + "\n")


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Parquet, atomically."""
    write_atomically(path, frame.write_parquet)


def table_format(path: Path) -> str:
    """The format of a table by its file's ending: ``parquet`` (also without an ending), ``csv`` or ``jsonl``.

    Raises:
        SettingsError: It is another ending.
    """
    if path.suffix.lower() not in TABLE_FORMATS:
        raise SettingsError(f"{path}: name a table .parquet, .csv or .jsonl")
    return TABLE_FORMATS[path.suffix.lower()]


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """A table for people and other programs, atomically, in the format of its ending; see :func:`write_frames`.

    Raises:
        SettingsError: Its ending is none of a table.
    """
    write_frames(path, [frame])


def write_tensors(path: Path, tensors: Mapping[str, Tensor], state: Any = None) -> None:
    """Safetensors, atomically, with any JSON document in the header."""
    from safetensors.torch import save_file  # loads PyTorch

    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": "pt"} if state is None else {"format": "pt", "state": json.dumps(state)}
    write_atomically(path, lambda beside: save_file(whole, beside, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """What :func:`write_tensors` wrote.

    Raises:
        RunError: The file is missing, damaged, or not to be read by this user.
    """
    with file_reading(path), safe_open(path, framework="pt") as file:
        state = (file.metadata() or {}).get("state")
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(state) if state else None  # noqa: SIM118


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        RunError: The file is missing, damaged, or not to be read by this user.
    """
    with file_reading(path):
        return json.loads(path.read_text(encoding="utf-8"))


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file.

    Raises:
        RunError: The file is missing, damaged, or not to be read by this user.
    """
    with file_reading(path):
        return pl.read_parquet(path, glob=False)


@contextlib.contextmanager
def file_reading(path: Path) -> Iterator[None]:
    """Say in one line what keeps a file from being read.

    Libraries say of a file without permission that it is not there: so it is opened before they see it.
    """
    try:
        path.open("rb").close()
    except PermissionError as error:
        raise RunError(f"no permission to read {path}: let this user read it (chmod, chown)") from error
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is missing or damaged: {_reason(error)}") from error
    with decoding(lambda reason: RunError(f"{path} is missing or damaged: {reason}")):
        yield


def _reason(error: BaseException) -> str:
    """First line of a message."""
    return (str(error) or type(error).__name__).splitlines()[0]


def write_frames(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """A table from frames that need not fit into memory together, atomically, in the format of its ending.

    CSV has no lists: they are JSON in it.

    Returns:
        Rows written.

    Raises:
        SettingsError: The ending is none of a table.
        RunError: The disk is full or the folder cannot be written; what was at ``path`` is untouched.
    """
    format = table_format(path)
    folder = path.with_name(f".{path.name}.{os.getpid()}.parts")
    parts: list[Path] = []
    rows = 0
    try:
        folder.mkdir()
        for frame in frames:
            parts.append(folder / f"{len(parts)}.parquet")
            (_without_lists(frame) if format == "csv" else frame).write_parquet(parts[-1])
            rows += len(frame)
        write_atomically(path, lambda beside: sink(pl.scan_parquet(parts, glob=False), beside, format))
    except OSError as error:
        raise RunError(f"cannot write {path}: {_reason(error)}; what was there is kept") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def sink(table: pl.LazyFrame, path: Path, format: str, rows_at_once: int | None = None) -> None:
    """Write a table as it is computed, in a format of :func:`table_format`; Parquet in groups of so many rows."""
    sinks: dict[str, Callable[[Path], object]] = {
        "parquet": lambda path: table.sink_parquet(path, row_group_size=rows_at_once),
        "csv": table.sink_csv,
        "jsonl": table.sink_ndjson,
    }
    sinks[format](path)


def _without_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with JSON in the place of lists."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    as_json = [
        pl.Series(
            name,
            [
                None if one is None else json.dumps(one, ensure_ascii=False, default=str)
                for one in frame[name].to_list()
            ],
        )
        for name in lists
    ]
    return frame.with_columns(*(column.cast(pl.String) for column in as_json))
