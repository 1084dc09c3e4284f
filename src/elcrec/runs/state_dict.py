"""State dicts as PyTorch writes them, read without unpickling: no code in a file is run.

The pickle in such a file is a list of instructions that build dictionaries of tensors. The few that do are followed
here, all others refused; and no tensor is made that the file does not hold.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elcrec.errors import RunError, decoding
from elcrec.storage import read_tensors

_DTYPES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
# The legacy format: a number, a version, what machine it was, the document, the keys of its storages, their bytes.
_LEGACY_NUMBER, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
_SHARED = 2
"""Tensors may share memory (tied weights): together they are at most so many times as large as the file."""


class _Name(NamedTuple):
    text: str


class _Storage(NamedTuple):
    dtype: torch.dtype
    key: str
    numel: int


class _View(NamedTuple):
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


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


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors by name, also those under ``state_dict``; compressed files are none that PyTorch wrote.

    Raises:
        ValueError: It is damaged, holds anything but plain tensors, or promises more than is in it. Other errors of
            decoding may be raised as well.
        TypeError: It holds no state dict.
    """
    file_size = path.stat().st_size
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    document, storages = _of_zip(path, file_size) if zipped else _of_legacy(path)
    inner = document.get("state_dict", document) if isinstance(document, dict) else document
    if not isinstance(inner, dict) or not all(isinstance(view, _View) for view in inner.values()):
        raise TypeError("no state dict")
    tensors = {str(name): _tensor(view, storages[view.storage.key]) for name, view in inner.items()}
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > _SHARED * file_size:
        raise ValueError("its tensors are larger than the file")
    return tensors


def _of_zip(path: Path, file_size: int) -> tuple[Any, dict[str, bytearray]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
        if not stored or sum(member.file_size for member in members) > file_size:
            raise ValueError("it is compressed, or larger inside than outside")
        parts = {member.filename.partition("/")[2]: bytearray(archive.read(member)) for member in members}
    if parts.get("byteorder", b"little") != b"little":
        raise ValueError("its numbers are in another order of bytes")
    document = _followed(BytesIO(parts["data.pkl"]), {})
    return document, {name.removeprefix("data/"): part for name, part in parts.items()}


def _of_legacy(path: Path) -> tuple[Any, dict[str, bytearray]]:
    stream = BytesIO(path.read_bytes())
    number, version, machine = (_followed(stream, {}) for _ in range(3))
    if (number, version, machine["little_endian"]) != (_LEGACY_NUMBER, _LEGACY_VERSION, True):
        raise ValueError("unknown format")
    known: dict[str, _Storage] = {}
    document, storages = _followed(stream, known), {}
    for key in _followed(stream, {}):
        if not isinstance(key, str):
            raise ValueError("a storage has no name")
        numel = int.from_bytes(stream.read(8), "little")
        if numel != known[key].numel:
            raise ValueError("a storage is of another size than it should be")
        storages[key] = bytearray(stream.read(numel * known[key].dtype.itemsize))
    return document, storages


def _tensor(view: _View, content: bytearray) -> Tensor:
    """What a view shows of its storage.

    Raises:
        ValueError: It reaches beyond the storage, or shows some of it again and again.
    """
    (dtype, _, numel), offset, size, stride = view
    _refuse_no_shape(view)
    n_values, n_reached = math.prod(size), 0
    if n_values:
        n_reached = offset + 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if numel * dtype.itemsize > len(content) or max(n_values, n_reached) > numel:
        raise ValueError("a tensor is larger than what is kept of it")
    if not n_values:
        return torch.empty(size, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype).as_strided(size, stride, offset)


def _refuse_no_shape(view: _View) -> None:
    numbers = (view.storage.numel, view.offset, *view.size, *view.stride)
    whole = all(type(number) is int and number >= 0 for number in numbers)
    if not whole or len(view.size) != len(view.stride):
        raise ValueError("a tensor's shape is none")


# ---------------------------------------------------------------------- instructions

_MARK = object()
_PUSHED: dict[str, Callable[[Any], Any]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: _MARK,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "GLOBAL": lambda argument: _Name(str(argument)),
}
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING")
_PUSHED |= dict.fromkeys((*_NUMBERS, *_TEXTS), lambda argument: argument)
_SKIPPED = ("PROTO", "FRAME")


def _followed(stream: BytesIO, storages: dict[str, _Storage]) -> Any:
    """What the next pickle in a stream builds of plain values and views; ``storages`` takes those it names."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for instruction, argument, _ in pickletools.genops(stream):
        name = instruction.name
        if name == "STOP":
            break
        if name in _PUSHED:
            stack.append(_PUSHED[name](argument))
        elif name in _MEMO:
            _MEMO[name](stack, memo, argument)
        elif name in _BUILDING:
            _BUILDING[name](stack)
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
            storages.setdefault(stack[-1].key, stack[-1])
        elif name not in _SKIPPED:
            raise ValueError(f"instruction {name}")
    return stack.pop()


def _storage(promised: Any) -> _Storage:
    kind, dtype, key, _, numel, *view = promised
    # A key is used as a name only where it is one: a tuple of itself, thirty times over, is gigabytes of text.
    if kind != "storage" or dtype.text not in _DTYPES or any(view) or not isinstance(key, str | int):
        raise ValueError("an unknown storage")
    return _Storage(_DTYPES[dtype.text], str(key), numel)


def _since_mark(stack: list[Any]) -> list[Any]:
    values: list[Any] = []
    while (value := stack.pop()) is not _MARK:
        values.append(value)
    return values[::-1]


def _set(stack: list[Any], values: list[Any]) -> None:
    if not all(isinstance(key, str | int) for key in values[::2]):
        raise ValueError("a key is no name")
    stack[-1].update(zip(values[::2], values[1::2], strict=True))


def _append(stack: list[Any], values: list[Any]) -> None:
    stack[-1].extend(values)


def _called(stack: list[Any]) -> None:
    """The few calls that PyTorch writes down, as what they would have made."""
    arguments, name = stack.pop(), stack.pop()
    match name, arguments:
        case _Name("collections OrderedDict"), ():
            stack.append({})
        case _Name("torch._utils _rebuild_tensor_v2"), (_Storage() as storage, offset, tuple(size), tuple(stride), *_):
            stack.append(_View(storage, offset, size, stride))
        case _Name("torch._utils _rebuild_parameter"), (_View() as view, *_):
            stack.append(view)
        case _:
            raise ValueError(f"it calls {name.text if isinstance(name, _Name) else 'what has no name'}")


def _put(stack: list[Any], memo: dict[int, Any], argument: Any) -> None:
    memo[len(memo) if argument is None else argument] = stack[-1]


def _get(stack: list[Any], memo: dict[int, Any], argument: Any) -> None:
    stack.append(memo[argument])


_MEMO = dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put) | dict.fromkeys(
    ("BINGET", "LONG_BINGET"), _get
)


def _pair(stack: list[Any]) -> list[Any]:
    value, key = stack.pop(), stack.pop()
    return [key, value]


def _tuple_of(length: int) -> Callable[[list[Any]], None]:
    def make(stack: list[Any]) -> None:
        values = [stack.pop() for _ in range(length)]
        stack.append(tuple(values[::-1]))

    return make


_BUILDING: dict[str, Callable[[list[Any]], object]] = {
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": lambda stack: _append(stack, [stack.pop()]),
    "APPENDS": lambda stack: _append(stack, _since_mark(stack)),
    "SETITEM": lambda stack: _set(stack, _pair(stack)),
    "SETITEMS": lambda stack: _set(stack, _since_mark(stack)),
    "REDUCE": _called,
    "BUILD": lambda stack: stack.pop(),  # attributes of a dictionary: versions of modules
}
