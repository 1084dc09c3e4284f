"""Two processes write to one SQLite file at once: every event is kept, once, and nobody is told that it is locked."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from elcrec.errors import SettingsError, StoreError
from elcrec.serving.store import Event, open_store
from elcrec.serving.store.sqlite import SqliteStore

WRITER = """
import json, sys, threading
from elcrec.serving.store import Event, open_store

path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()  # both begin at once, with the making of the file
store, told, failed = open_store(path), [], []

def work(thread):
    try:
        for number in range(rounds):
            shared = Event(f"shared-{thread}-{number}", f"user-{number % 7}", "item", float(number))
            own = Event(f"{name}-{thread}-{number}", f"user-{number % 7}", "item", float(number))
            told.extend(zip([shared.event_id, own.event_id], store.write([shared, own]), strict=True))
            store.read([f"user-{number % 7}", "nobody"])
            if number % 20 == 0:
                store.delete(f"{name}-gone-{thread}-{number}")
                store.check()
    except Exception as error:
        failed.append(repr(error))

threads = [threading.Thread(target=work, args=(thread,)) for thread in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
store.close()
print(json.dumps({"new": sorted(one for one, new in told if new), "failed": failed}))
"""
OPENER = """
import sys
from elcrec.serving.store import open_store

for path in map(str.strip, sys.stdin):
    try:
        open_store(path).close()
        print("opened", flush=True)
    except Exception as error:
        print(error, flush=True)
"""
ROUNDS, THREADS = 40, 3


def test_two_processes_lose_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen([*command, name, str(ROUNDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    answers = [json.loads(writer.communicate(timeout=120)[0]) for writer in writers]
    assert [answer["failed"] for answer in answers] == [[], []]
    new = [event_id for answer in answers for event_id in answer["new"]]
    expected = {
        f"{name}-{thread}-{n}" for name in ("one", "two", "shared") for thread in range(THREADS) for n in range(ROUNDS)
    }
    assert sorted(new) == sorted(expected)  # each is new to one of them, once
    store = open_store(str(path))
    assert sorted(event.event_id for event in store.everything()) == sorted(expected)
    store.close()


def test_four_processes_make_one_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENER]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = set()
    for number in range(60):
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write(f"{tmp_path / str(number)}.sqlite\n")
            opener.stdin.flush()
        said |= {opener.stdout.readline().strip() for opener in openers if opener.stdout is not None}
    for opener in openers:
        opener.communicate(timeout=60)
    assert said == {"opened"}


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_acknowledged_that_lies_in_no_file(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "events.sqlite"
    event = Event("event", "user", "item", 1.0)
    store = SqliteStore(str(path))
    store.check()
    path.rename(tmp_path / "elsewhere.sqlite")
    if replaced:
        path.touch()
    for refused in (lambda: store.write([event]), lambda: store.read(["user"]), store.check):
        with pytest.raises(StoreError, match="removed or replaced while in use: restart"):
            refused()
    assert path.exists() == replaced
    (tmp_path / "elsewhere.sqlite").replace(path)
    assert store.write([event]) == [True]
    store.close()


def test_a_store_without_a_file_is_refused() -> None:
    with pytest.raises(SettingsError, match="is no file"):
        SqliteStore(":memory:")


def test_a_disk_that_is_full_is_noticed_and_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = SqliteStore(str(path))
    event = [Event(f"event-{number}", "user", "item", 1.0) for number in range(3)]
    assert store.write(event[:1]) == [True]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("events.sqlite-wal").stat().st_size, hard))
    try:
        store.check(writing=False)
        with pytest.raises(StoreError):
            store.check()
        with pytest.raises(StoreError):
            store.write(event[1:2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.check()
    assert store.write(event[1:]) == [True, True]
    assert len(list(store.everything())) == 3
    store.close()
