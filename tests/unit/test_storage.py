"""Files are the old or the new, never half; what cannot be read is said in one line; no code is run."""

import errno
import json
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from elcrec import storage
from elcrec.errors import RunError, SettingsError
from elcrec.runs.state_dict import read_weights
from elcrec.storage import (
    make_folder,
    read_json,
    read_parquet,
    read_tensors,
    write_atomically,
    write_frame,
    write_json,
    write_table,
    write_tensors,
    write_text,
)

FRAME = pl.DataFrame({"user_id": ["a", "b"], "item_id": [1, 2]})
WEIGHTS = {"item.weight": torch.arange(6.0).view(2, 3), "bias": torch.ones(2)}

WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_text(path, "new"),
    "json": lambda path: write_json(path, {"new": 1}),
    "frame": lambda path: write_frame(path, FRAME),
    "tensors": lambda path: write_tensors(path, WEIGHTS, {"epoch": 3}),
}
READERS: dict[str, Callable[[Path], Any]] = {
    "json": read_json,
    "parquet": read_parquet,
    "tensors": read_tensors,
    "weights": read_weights,
}


def refusal(function: Callable[[Path], Any], path: Path) -> str:
    """The one line that a RunError says, with the path in it."""
    with pytest.raises(RunError) as caught:
        function(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert str(path) in message
    return message


def same_tensors(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# Writing


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o007])
def test_a_file_is_as_readable_as_the_umask_says(tmp_path: Path, kind: str, mask: int) -> None:
    before = os.umask(mask)
    try:
        WRITERS[kind](tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to know what is synced")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_and_its_name_reach_the_disk(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before it has its name, the name before the writer goes on."""
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def synced(file: int) -> None:
        done.append(("sync", os.readlink(f"/proc/self/fd/{file}")))
        fsync(file)

    def replaced(source: Any, target: Any) -> None:
        done.append(("rename", str(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    WRITERS[kind](tmp_path / "file")
    beside = done[-2][1]
    assert done[-3:] == [("sync", beside), ("rename", beside), ("sync", str(tmp_path))]


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_this_user_may_not_read_is_said_to_be_that(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.safetensors"
    WRITERS[{"json": "json", "parquet": "frame"}.get(kind, "tensors")](path)

    def forbidden(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", forbidden)
    said = refusal(READERS[kind], path)
    assert "permission" in said
    assert "missing" not in said


def test_many_threads_write_one_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_text(tmp_path / "file", f"{number}" * 1000), range(64)))
    assert len(set((tmp_path / "file").read_text())) <= 2
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ü": [1, None, 2.5]})
    write_frame(tmp_path / "a.parquet", FRAME)
    write_tensors(tmp_path / "a.safetensors", WEIGHTS, {"history": [{"epoch": 1}]})
    write_tensors(tmp_path / "b.safetensors", WEIGHTS)
    assert read_json(tmp_path / "a.json") == {"ü": [1, None, 2.5]}
    assert read_parquet(tmp_path / "a.parquet").equals(FRAME)
    tensors, state = read_tensors(tmp_path / "a.safetensors")
    assert same_tensors(tensors, WEIGHTS)
    assert state == {"history": [{"epoch": 1}]}
    assert read_tensors(tmp_path / "b.safetensors")[1] is None


def test_tensors_that_are_views_are_written_whole(tmp_path: Path) -> None:
    table = torch.arange(12.0).view(3, 4).requires_grad_()
    write_tensors(tmp_path / "a.safetensors", {"turned": table.T, "part": table[1:, ::2]})
    tensors, _ = read_tensors(tmp_path / "a.safetensors")
    assert torch.equal(tensors["turned"], table.T)
    assert torch.equal(tensors["part"], table[1:, ::2])


@pytest.mark.parametrize("writer", WRITERS)
def test_a_new_file_replaces_the_old_and_leaves_nothing_beside_it(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    WRITERS[writer](path)
    assert path.read_bytes() != b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("what\nnot")])
def test_a_writer_that_fails_midway_leaves_the_old_file_alone(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(beside: Path) -> NoReturn:
        beside.write_text("half")
        raise error

    refusal(lambda target: write_atomically(target, fail), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes_and_leaves_the_old_file_alone(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted(beside: Path) -> NoReturn:
        beside.write_text("half")
        raise interruption

    with pytest.raises(interruption):
        write_atomically(path, interrupted)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_leaves_the_old_file_alone(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_: object) -> NoReturn:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, step, fail)
    assert "what was there is kept" in refusal(lambda target: write_text(target, "new"), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_old_file_stays_readable_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def look(beside: Path) -> None:
        beside.write_text("new")
        assert beside.parent == path.parent  # a rename across file systems would not be atomic
        assert path.read_text() == "old"

    write_atomically(path, look)
    assert path.read_text() == "new"


def test_json_that_cannot_be_written_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_missing_folder_is_said_in_one_line(tmp_path: Path, writer: str) -> None:
    refusal(WRITERS[writer], tmp_path / "nowhere" / "file")


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_where_a_folder_belongs_is_said_in_one_line(tmp_path: Path, writer: str) -> None:
    (tmp_path / "file").write_text("old")
    refusal(WRITERS[writer], tmp_path / "file" / "inside")
    assert (tmp_path / "file").read_text() == "old"


def test_a_folder_is_made_with_its_parents_or_the_reason_said(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    refusal(make_folder, tmp_path / "file" / "inside")
    refusal(make_folder, tmp_path / "file")


# Reading


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", [b"", b"no such thing\nand more", bytes(range(256)) * 8], ids=len)
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path, reader: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    refusal(READERS[reader], path)


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file_is_refused_in_one_line(tmp_path: Path, reader: str) -> None:
    refusal(READERS[reader], tmp_path / "nothing")


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_is_refused_in_one_line(tmp_path: Path, reader: str) -> None:
    refusal(READERS[reader], tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused_in_one_line(tmp_path: Path, share: float) -> None:
    write_json(tmp_path / "json", {"history": list(range(50))})
    write_frame(tmp_path / "parquet", FRAME)
    write_tensors(tmp_path / "tensors", WEIGHTS, {"epoch": 3})
    torch.save(WEIGHTS, tmp_path / "weights")
    for name, read in READERS.items():
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        refusal(read, tmp_path / name)


def test_a_header_that_is_not_json_is_refused(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "file", {"state": "{half"})
    refusal(read_tensors, tmp_path / "file")


def test_a_parquet_file_on_which_polars_panics_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some damage makes polars panic, which is no Exception; seen with flipped bytes in the footer."""
    write_frame(tmp_path / "file", FRAME)

    def panic(*_: object, **__: object) -> NoReturn:
        raise pl.exceptions.PanicException("called `Result::unwrap()` on an `Err` value\nmore")

    monkeypatch.setattr(storage.pl, "read_parquet", panic)
    refusal(read_parquet, tmp_path / "file")


# Weights of others


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: OrderedDict(weights),
        lambda weights: {"state_dict": weights, "epoch": 3},
        lambda weights: {f"module.{name}": value for name, value in weights.items()},
        lambda weights: {"state_dict": {f"module.{name}": value for name, value in weights.items()}},
    ],
    ids=["plain", "ordered", "wrapped", "parallel", "wrapped-parallel"],
)
def test_a_state_dict_is_read_however_it_was_saved(
    tmp_path: Path, wrap: Callable[[dict[str, torch.Tensor]], Any], ending: str
) -> None:
    torch.save(wrap(WEIGHTS), tmp_path / f"weights{ending}")
    assert same_tensors(read_weights(tmp_path / f"weights{ending}"), WEIGHTS)


def test_the_state_dict_of_a_module_is_read(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    assert same_tensors(read_weights(tmp_path / "weights.pt"), dict(module.state_dict()))


def test_safetensors_weights_are_read(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "weights.safetensors")
    assert same_tensors(read_weights(tmp_path / "weights.safetensors"), WEIGHTS)


class Intruder:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("hidden", [False, True], ids=["alone", "among weights"])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path, hidden: bool, zipped: bool) -> None:
    intruder = Intruder(tmp_path / "trace")
    document = {**WEIGHTS, "more": intruder} if hidden else intruder
    torch.save(document, tmp_path / "weights.pt", _use_new_zipfile_serialization=zipped)
    message = refusal(read_weights, tmp_path / "weights.pt")
    assert not (tmp_path / "trace").exists()
    assert "safe loading only" in message


def test_the_refusal_of_a_pickle_does_not_advise_to_run_it(tmp_path: Path) -> None:
    torch.save(Intruder(tmp_path / "trace"), tmp_path / "weights.pt")
    message = refusal(read_weights, tmp_path / "weights.pt")
    assert "weights_only" not in message
    assert "will likely succeed" not in message


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "weights.pt")
    refusal(read_weights, tmp_path / "weights.pt")


@pytest.mark.parametrize(
    "document",
    [3, [torch.ones(2)], torch.ones(2), {"a": {"b": torch.ones(2)}}, {"state_dict": 3}, {"epoch": 3}],
    ids=["number", "list", "tensor", "nested", "wrapped number", "no tensors"],
)
def test_what_is_no_state_dict_is_refused_with_the_remedy(tmp_path: Path, document: object) -> None:
    torch.save(document, tmp_path / "weights.pt")
    assert "model.state_dict()" in refusal(read_weights, tmp_path / "weights.pt")


def test_a_damaged_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(WEIGHTS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\0" * 400 + whole[500:])
    refusal(read_weights, path)


def test_json_is_readable_by_people(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1]})
    text = (tmp_path / "a.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {"b": [1]}
    assert len(text.splitlines()) > 3


@pytest.mark.parametrize("ending", ["", ".parquet", ".pq", ".csv", ".CSV", ".jsonl", ".ndjson"])
def test_a_table_is_written_by_its_ending(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table{ending}"
    table = FRAME.with_columns(because=pl.Series([[3, 4], None]), when=pl.datetime(2025, 1, 2, 3))
    write_table(path, table)
    assert os.listdir(tmp_path) == [path.name]
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "ndjson": pl.read_ndjson}.get(
        ending.lower().lstrip("."), pl.read_parquet
    )(path)
    assert read.columns == table.columns
    assert read["item_id"].to_list() == [1, 2]
    assert read["because"].to_list() == (["[3, 4]", None] if ending.lower() == ".csv" else [[3, 4], None])
    assert str(read["when"][0]).startswith("2025-01-02")


def test_a_table_of_another_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.parquet, \.csv or \.jsonl"):
        write_table(tmp_path / "table.xls", FRAME)
    assert os.listdir(tmp_path) == []
