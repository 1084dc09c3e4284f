"""Files that are either the old or the new, never half: write beside, flush, rename."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from elcrec.errors import RunError, decoding
from elcrec.state_dict import read_state_dict


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then rename it over ``path``.

    Raises:
        RunError: The disk is full or the folder cannot be written; what was at ``path`` is untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.touch()
        mode = beside.stat().st_mode  # by the umask; some libraries write files that nobody else may read
        write(beside)
        beside.chmod(mode)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync_folder(path.parent)
    except Exception as error:
        # Polars and safetensors wrap the system's error in their own.
        raise RunError(f"cannot write {path}: {_reason(error)}; what was there is kept") from error
    finally:
        with contextlib.suppress(OSError):  # gone after the rename; and where it failed, perhaps never there
            beside.unlink()


def sync_folder(path: Path) -> None:
    """Let what was renamed in a folder survive a loss of power, where the system can say so."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some file systems know no such thing
                os.fsync(handle)
        finally:
            os.close(handle)


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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], state: Any = None) -> None:
    """Safetensors, atomically, with any JSON document in the header."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": "pt"} if state is None else {"format": "pt", "state": json.dumps(state)}
    write_atomically(path, lambda beside: save_file(whole, beside, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """What :func:`write_tensors` wrote.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = (file.metadata() or {}).get("state")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(state) if state else None  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is missing or damaged: {error}") from error


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is missing or damaged: {error}") from error


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise RunError(f"{path} is missing or damaged: {_reason(error)}") from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from ``.safetensors``, or from a PyTorch file without running any code in it.

    Raises:
        RunError: Missing, damaged, unsafe, or not a state dict.
    """
    if not path.is_file():
        raise RunError(f"no such file: {path}")
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    remedy = "save model.state_dict() and import that"
    with decoding(
        lambda reason: RunError(f"{path} is damaged or not a plain state dict ({reason}; safe loading only): {remedy}")
    ):
        weights = read_state_dict(path)
    return {name.removeprefix("module."): value for name, value in weights.items()}


def _reason(error: BaseException) -> str:
    """First line of a message."""
    return (str(error) or type(error).__name__).splitlines()[0]


def write_frames(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Parquet from frames that need not fit into memory together, atomically.

    Returns:
        Rows written.

    Raises:
        RunError: The disk is full or the folder cannot be written; what was at ``path`` is untouched.
    """
    folder = path.with_name(f".{path.name}.{os.getpid()}.parts")
    parts: list[Path] = []
    rows = 0
    try:
        folder.mkdir()
        for frame in frames:
            parts.append(folder / f"{len(parts)}.parquet")
            frame.write_parquet(parts[-1])
            rows += len(frame)
        write_atomically(path, lambda beside: pl.scan_parquet(parts, glob=False).sink_parquet(beside))
    except OSError as error:
        raise RunError(f"cannot write {path}: {_reason(error)}; what was there is kept") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows
