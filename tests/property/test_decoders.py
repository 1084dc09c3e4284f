"""Whatever bytes come from outside: an error of ours in one line, or success; never another exception."""

import gzip
import json
import random
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import save

from cli_runner import untrained
from elcrec import Interactions
from elcrec.config import resolve
from elcrec.data.by_settings import read_new
from elcrec.data.catalogue import Catalogue
from elcrec.errors import ElcrecError
from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.experiments.results import read_result
from elcrec.experiments.suite import read_suite
from elcrec.experiments.tuning_space import read_space
from elcrec.runs.state_dict import read_weights
from elcrec.serving.events_file import events_kept_at
from elcrec.serving.store import Event, open_store
from elcrec.storage import read_json, read_parquet, read_tensors

N_DAMAGED = 60
WEIGHTS = {"a.weight": torch.arange(20.0).view(4, 5), "b": torch.ones(3)}
LOG = pl.DataFrame({"user_id": [1, 1, 2, 2, 3] * 9, "item_id": ["a", "b", "c", "d", "e"] * 9, "timestamp": range(45)})
KINDS = [["x", "y"], ["x"], [], ["z"], ["y"]]
ITEMS = pl.DataFrame({"item_id": list("abcde"), "title": list("ABCDE"), "kind": KINDS})
OBJECTS = {"a": ["x", "y"], "b": {"title": "B", "kind": ["x"]}, "c": "z", "d": 3}


METRICS = dict.fromkeys(SHOWN_METRICS, 0.5)
RESULT: dict[str, Any] = {
    **{"suite": "small", "dataset": "beauty", "recipe": "default", "overrides": {}, "seed": 1, "intents": None},
    **{"epochs": 3, "best_epoch": 2, "train_seconds": 1.5, "peak_memory_bytes": 10**9, "commit": None},
    **{"metrics": {"valid": METRICS, "test": METRICS}, "machine": {}, "versions": {"elcrec": "0"}, "date": "2026"},
}


def written(write: Callable[[Any], object]) -> bytes:
    buffer = BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(content: bytes) -> bytes:
    def write(buffer: BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("log.csv", content)

    return written(write)


CSV = LOG.write_csv().encode()
SUITE = b"""name = "small"
data = ["beauty"]
seeds = [1, 2]

[[rows]]
recipe = "default"
set = {epochs = 3}
vary = {dropout = [0.1, 0.2]}
"""


def events_of(path: Path) -> object:
    """What a store keeps, for the log above; what SQLite leaves beside it goes."""
    model = untrained(Interactions.read(LOG))
    try:
        return events_kept_at(str(path), model)
    finally:
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)


def store_of_events() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.sqlite"
        with closing(open_store(str(path))) as store:
            store.adopt("numbers")
            store.write([Event(f"event {at}", str(at % 7), "abcde"[at % 5], at) for at in range(500)])
        return path.read_bytes()


DECODERS: dict[str, tuple[Callable[[Path], object], bytes]] = {
    "run.safetensors": (read_tensors, save(WEIGHTS, {"state": json.dumps({"epoch": 3})})),
    "run.json": (read_json, json.dumps({"names": {"1": "a"}}).encode()),
    "run.parquet": (read_parquet, written(LOG.write_parquet)),
    "weights.safetensors": (read_weights, save(WEIGHTS)),
    "weights.pt": (read_weights, written(lambda buffer: torch.save(WEIGHTS, buffer))),
    "legacy.pt": (
        read_weights,
        written(lambda buffer: torch.save(WEIGHTS, buffer, _use_new_zipfile_serialization=False)),
    ),
    "items.json": (Catalogue.read, json.dumps(OBJECTS).encode()),
    "items.jsonl": (Catalogue.read, written(ITEMS.write_ndjson)),
    "items.parquet": (Catalogue.read, written(ITEMS.write_parquet)),
    "items.csv": (Catalogue.read, ITEMS.drop("kind").write_csv().encode()),
    "recipe.toml": (resolve, b'extends = "sasrec"\nepochs = 3\nlearning_rate = 1e-3\npadding = "skip"\n'),
    "suite.toml": (read_suite, SUITE),
    "space.toml": (read_space, b"[dropout]\nlow = 0.1\nhigh = 0.5\n[epochs]\nchoices = [3, 6]\n"),
    "result.json": (read_result, json.dumps(RESULT).encode()),
    "new.csv": (lambda path: read_new(path, None, resolve()), CSV),
    "new.parquet": (lambda path: read_new(path, None, resolve()), written(LOG.write_parquet)),
    "log.csv": (Interactions.read, CSV),
    "log.jsonl": (Interactions.read, written(LOG.write_ndjson)),
    "log.json": (Interactions.read, LOG.write_json().encode()),
    "log.parquet": (Interactions.read, written(LOG.write_parquet)),
    "log.arrow": (Interactions.read, written(LOG.write_ipc)),
    "log.csv.gz": (Interactions.read, gzip.compress(CSV)),
    "log.zip": (Interactions.read, zipped(CSV)),
    "events.sqlite": (events_of, store_of_events()),
}
ABSURD = {
    "nothing": b"",
    "zeros": b"\0" * 5000,
    "half a mark": b"\xff\xfe",
    "brackets": b"[" * 200_000,
    "brackets of TOML": b"a = " + b"[" * 200_000,
    "digits of TOML": b"epochs = " + b"9" * 10_000,
    "a large number of TOML": b"epochs = " + b"9" * 30,
    "a day that is none": b"epochs = 2024-02-31",
    "no number": b"learning_rate = nan",
    "braces": b'{"a":' * 100_000,
    "digits": b'{"a":' + b"9" * 10_000 + b"}",
    "NaN": b'{"a":NaN}',
    "infinite": b'{"a":1e999}',
    "half a character": b'{"\\ud800":["\\udfff"]}',
    "half a title": b'{"item_id":"\\ud800","title":"\\udfff"}',
    "nested": b'{"a":{"a":{"a":3}}}',
    "null": b"null",
    "text": b'"x"',
    "a list of lists": b"[1,[2,[3]]]",
    "a header of 2^63 bytes": (2**63 - 1).to_bytes(8, "little") + b"{}",
    "a header of 1 GB": (10**9).to_bytes(8, "little") + b"{}" + b" " * 100,
    "parquet marks": b"PAR1" * 5,
    "zip marks": b"PK\x03\x04" * 9,
    "gzip marks": b"\x1f\x8b\x08" * 9,
    "zstd marks": b"\x28\xb5\x2f\xfd" * 9,
}


def damaged(content: bytes, generator: random.Random) -> bytes:
    """Cut short, with bits flipped, bytes put in or overwritten, or nothing but noise."""
    place = generator.randrange(len(content))
    changed = bytearray(content)
    # Not in the middle of Parquet: of a flipped size there, polars asks for 2 EiB and ends the process.
    match generator.choice([0, 5]) if content.startswith(b"PAR1") else generator.randrange(6):
        case 0:
            return content[:place]
        case 1:
            for _ in range(generator.choice([1, 2, 8])):
                changed[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        case 2:
            changed[generator.randrange(min(40, len(content)))] = generator.randrange(256)
        case 3:
            changed[place:place] = generator.randbytes(generator.choice([1, 4, 16]))
        case 4:
            changed[place : place + 8] = generator.choice([b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f" * 2])
        case _:
            return generator.randbytes(generator.choice([1, 8, 100, 3000]))
    return bytes(changed)


def check(path: Path, content: bytes, read: Callable[[Path], object]) -> None:
    path.write_bytes(content)
    message = "read"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except ElcrecError as error:
        message = str(error)
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", DECODERS)
def test_damaged_bytes_are_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    read, content = DECODERS[name]
    read_whole = tmp_path / name
    read_whole.write_bytes(content)
    assert read(read_whole) is not None
    generator = random.Random(f"1 {name}")
    for _ in range(N_DAMAGED):
        check(tmp_path / name, damaged(content, generator), read)


@pytest.mark.parametrize("name", DECODERS)
def test_absurd_bytes_are_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    for content in ABSURD.values():
        check(tmp_path / name, content, DECODERS[name][0])


def test_a_time_before_1970_in_a_finer_unit_than_the_others_is_refused_in_one_line() -> None:
    for time in (-9 * 10**18, -(2**63), 2**63 - 1):
        log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [1_600_000_000, time]})
        with pytest.raises(ElcrecError, match=r"several units: 1600000000 \(row 1\) is in s"):
            Interactions.read(log)
