"""State dicts read without PyTorch's unpickler: what PyTorch reads, and none of the tricks."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from elcrec.errors import RunError
from elcrec.runs.state_dict import read_state_dict, read_weights

KINDS = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]
WHOLE = torch.arange(24.0).view(4, 6)
WEIGHTS: dict[str, Tensor] = {
    **{str(kind): (torch.arange(6) % 2).view(2, 3).to(kind) for kind in KINDS},
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 5),
    "part": WHOLE[1:3, 2:],
    "turned": WHOLE.T,
    "parameter": torch.nn.Parameter(torch.ones(3)),
}
LEGACY = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(path: Path, document: object, zipped: bool = True) -> Path:
    torch.save(document, path, _use_new_zipfile_serialization=zipped)
    return path


@LEGACY
def test_what_pytorch_wrote_is_read_as_pytorch_reads_it(tmp_path: Path, zipped: bool) -> None:
    found = read_state_dict(saved(tmp_path / "a.pt", WEIGHTS, zipped))
    expected = torch.load(tmp_path / "a.pt", weights_only=True)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
        assert torch.equal(found[name], value)


@LEGACY
def test_a_checkpoint_with_an_optimiser_beside_the_weights_is_read(tmp_path: Path, zipped: bool) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    more = {"optimizer": optimizer.state_dict(), "epoch": 2**40, "loss": 0.5, "best": None, "names": ("a", ["b"], True)}
    path = saved(tmp_path / "a.pt", {"state_dict": module.state_dict(), **more}, zipped)
    assert {name: value.tolist() for name, value in read_state_dict(path).items()} == {
        name: value.tolist() for name, value in module.state_dict().items()
    }


@LEGACY
def test_tied_weights_are_read(tmp_path: Path, zipped: bool) -> None:
    path = saved(tmp_path / "a.pt", OrderedDict(a=WHOLE, b=WHOLE), zipped)
    assert torch.equal(read_state_dict(path)["b"], WHOLE)


# ---------------------------------------------------------------------- tricks


def refused(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "model.state_dict()" in message
    return message


def repacked(path: Path, compression: int = zipfile.ZIP_STORED, **parts: bytes) -> None:
    """The same archive with some parts replaced, perhaps compressed."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, part in content.items():
            archive.writestr(name, parts.get(name.partition("/")[2].replace(".", "_"), part))


def test_a_compressed_file_is_refused_before_anything_is_made_of_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.zeros(1_000_000)})
    repacked(path, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    assert "compressed" in refused(path)


def test_parts_that_lie_on_each_other_are_refused(tmp_path: Path) -> None:
    """Many entries of the directory that all point to the same bytes."""
    path = saved(tmp_path / "a.pt", {"a": torch.zeros(10_000)})
    with zipfile.ZipFile(path, "a") as archive:
        first = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
        for number in range(1, 50):
            again = zipfile.ZipInfo(f"archive/data/{number}")
            again.file_size = again.compress_size = first.file_size
            again.CRC, again.header_offset = first.CRC, first.header_offset
            archive.filelist.append(again)
        archive._didModify = True
    assert "larger inside" in refused(path)


@pytest.mark.parametrize(
    "view",
    [
        torch.zeros(1).expand(10**9),
        torch.zeros(1).expand(2, 3),
        torch.zeros(8).as_strided((4, 4), (1, 1)),
    ],
    ids=["huge", "small", "overlapping"],
)
@LEGACY
def test_a_tensor_that_shows_the_same_numbers_again_and_again_is_refused(
    tmp_path: Path, view: Tensor, zipped: bool
) -> None:
    assert "larger than what is kept" in refused(saved(tmp_path / "a.pt", {"a": view}, zipped))


@LEGACY
def test_one_storage_under_many_names_is_refused(tmp_path: Path, zipped: bool) -> None:
    whole = torch.zeros(100_000)
    many = {f"layer.{number}": whole for number in range(100)}
    assert "larger than the file" in refused(saved(tmp_path / "a.pt", many, zipped))


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"


def tensor_pickle(numel: int, offset: int, size: int, stride: int) -> bytes:
    """A state dict of one vector."""
    number = [b"\x8a\x08" + struct.pack("<q", value) for value in (numel, offset, size, stride)]
    rest = b"\x89ccollections\nOrderedDict\n)Rt"
    view = number[1] + number[2] + b"\x85" + number[3] + b"\x85"
    return b"\x80\x02}X\x01\0\0\0a" + TENSOR + number[0] + b"tQ" + view + rest + b"Rs."


@pytest.mark.parametrize(
    ("numbers", "right"),
    [
        ((4, 0, 4, 1), True),
        ((4, 1, 3, 1), True),
        ((4, 1, 2, 2), True),
        ((5, 0, 5, 1), False),
        ((2**40, 0, 4, 1), False),
        ((4, 0, 2**40, 0), False),
        ((4, 2, 3, 1), False),
        ((4, 0, 3, 2), False),
        ((4, -1, 4, 1), False),
        ((4, 3, 4, -1), False),
        ((-4, 0, 4, 1), False),
        ((4, 0, -1, 1), False),
        ((4, 2**62, 4, 2**62), False),
    ],
)
def test_a_tensor_lies_within_what_is_kept(tmp_path: Path, numbers: tuple[int, int, int, int], right: bool) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.arange(4.0)})
    repacked(path, data_pkl=tensor_pickle(*numbers))
    if right:
        expected = torch.arange(4.0).as_strided(numbers[2:3], numbers[3:], numbers[1])
        assert torch.equal(read_state_dict(path)["a"], expected)
    else:
        refused(path)


class Calls:
    """Unpickles by a call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> Any:
        return self.called


@pytest.mark.parametrize(
    "document",
    [
        {"a": Calls(bytearray, 10**12)},
        {"a": Calls(torch.zeros, 10**12)},
        {"a": torch.zeros(2, device="meta")},
        {"a": torch.eye(3).to_sparse()},
        {"a": Calls(OrderedDict, [("a", 3)])},
        {("a", "b"): torch.ones(2)},
        {"a": {1, 2}},
        {"state_dict": torch.ones(2)},
    ],
    ids=["bytearray", "zeros", "meta", "sparse", "ordered", "key", "set", "tensor"],
)
@LEGACY
def test_what_is_no_plain_state_dict_is_refused(tmp_path: Path, document: object, zipped: bool) -> None:
    refused(saved(tmp_path / "a.pt", document, zipped))


@pytest.mark.parametrize(
    "instructions",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a place in the memory of the unpickler far away
        b"\x80\x02}" + b"(" * 100_000 + b"." * 3,
        b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.",  # a key that is a tuple of a tuple of ...
        b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",  # a key whose hash takes for ever
        b"\x80\x04}\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",  # a text longer than memory
        b"}h\x05.",
        b".",
        b"",
        b"\x80\x02cos\nsystem\nX\x01\0\0\0aR.",
        b"\x80\x02]q\x00h\x00a.",
    ],
)
def test_instructions_that_mean_no_good_are_refused(tmp_path: Path, instructions: bytes) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.arange(4.0)})
    repacked(path, data_pkl=instructions)
    refused(path)


DOUBLED = b")q\x00" + b"h\x00\x86q\x00" * 20
"""A pair of a pair of a pair, each twice the same: few bytes, and a million parts for who looks at all of them."""


@pytest.mark.parametrize(
    ("instructions", "reason"),
    [
        (b"(X\x07\0\0\0storagectorch\nFloatStorage\n" + DOUBLED + b"X\x03\0\0\0cpuK\x01tQ", "unknown storage"),
        (DOUBLED + b")R", "it calls what has no name"),
    ],
    ids=["key", "call"],
)
def test_a_name_that_is_none_is_refused_and_not_written_out(tmp_path: Path, instructions: bytes, reason: str) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.arange(4.0)})
    repacked(path, data_pkl=b"\x80\x02" + instructions + b".")
    assert reason in refused(path)


def test_a_key_of_a_legacy_file_that_is_no_name_is_refused_and_not_looked_up(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.arange(4.0)}, zipped=False)
    keys = path.read_bytes().index(b"\x80\x02]q\x00")
    path.write_bytes(path.read_bytes()[:keys] + b"\x80\x02]" + DOUBLED + b"a." + bytes(24))
    assert "a storage has no name" in refused(path)


def test_a_legacy_file_that_promises_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.arange(4.0)}, zipped=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-24] + struct.pack("<q", 2**60) + whole[-16:])
    refused(path)


def test_another_order_of_bytes_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", {"a": torch.arange(4.0)})
    repacked(path, byteorder=b"big")
    assert "order of bytes" in refused(path)


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    for part in (1, 2, {"little_endian": True}, {}, []):
        pickle.dump(part, stream, protocol=2)
    (tmp_path / "a.pt").write_bytes(stream.getvalue())
    assert "unknown format" in refused(tmp_path / "a.pt")
