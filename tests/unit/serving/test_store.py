"""Both stores keep the same promises; Redis is a real server, started here."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import redis

from elcrec import SettingsError
from elcrec.data.clock import Clock
from elcrec.errors import StoreError
from elcrec.serving.histories import in_log_time
from elcrec.serving.store import Event, Store, UserRecord, open_store
from redis_server import RedisServer


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    opened = open_store(place)
    yield opened
    opened.close()


def event(number: int, user: str = "u", item: str = "i", time: float = 0.0) -> Event:
    return Event(f"e{number}", user, item, time)


def test_events_are_kept_once_and_in_order(store: Store) -> None:
    assert store.write([event(1, time=5), event(2, time=3), event(1, time=9), event(3, time=5)]) == [
        True,
        True,
        False,
        True,
    ]
    assert store.write([event(2)]) == [False]
    assert store.write([]) == []
    [kept, nobody] = store.read(["u", "nobody"])
    assert kept == UserRecord(False, (event(2, time=3), event(1, time=5), event(3, time=5)))
    assert nobody == UserRecord(False, ())
    assert store.read([]) == []


def test_kinds_are_kept_where_events_tell_one(store: Store) -> None:
    events = (event(1), Event("e2", "u", "i", 1, "view"), Event("e3", "u", "i", 2, "añadir a la cesta"))
    assert store.write(events) == [True, True, True]
    assert store.read(["u"])[0].events == events
    assert sorted(store.everything()) == sorted(events)
    assert store.delete("u") == 3


@pytest.mark.parametrize("time", [1_709_985_600_123_456_789, -1, 7, 7.5, 1e-9, 2**63 - 1])
def test_times_are_kept_to_the_last_digit(store: Store, time: float) -> None:
    store.write([event(1, time=time)])
    for found in (store.read(["u"])[0].events[0].time, next(store.everything()).time):
        assert found == time
        assert type(found) is type(time)


def test_a_store_keeps_times_of_one_kind(place: str, store: Store) -> None:
    store.adopt("numbers")
    store.adopt("moments")
    store.write([event(1, time=10**18)])
    store.adopt("moments")
    other = open_store(place)
    other.adopt("moments")
    with pytest.raises(SettingsError, match="keeps moments as times, and the log of the run has numbers"):
        other.adopt("numbers")
    other.close()


def test_who_comes_first_to_an_empty_store_mixes_no_kinds_into_it(place: str, store: Store) -> None:
    store.adopt("numbers")
    other = open_store(place)
    other.adopt("moments")
    for refused in (lambda: store.write([event(1, time=7)]), store.check):
        with pytest.raises(SettingsError, match="keeps moments as times, and the log of the run has numbers"):
            refused()
    store.check(writing=False)
    assert list(store.everything()) == []
    other.check()
    assert other.write([event(1, time=10**18)]) == [True]
    other.close()


def test_what_elcrec_01_kept_is_read_as_it_was_meant(place: str, tmp_path: Path) -> None:
    old = [("e1", "u", "i", 1_709_985_600.25), ("e2", "u", "j", 1_709_985_599.0)]
    if place.startswith("redis"):
        with redis.Redis.from_url(place) as client:
            for event_id, user, item, time in old:
                client.hset("elcrec:ids", event_id, user)
                client.rpush(f"elcrec:user:{user}", json.dumps([event_id, item, time]))
                client.zadd("elcrec:users", {user: 0})
    else:
        connection = sqlite3.connect(place)
        connection.executescript(FIRST_FORMAT)
        connection.executemany("INSERT INTO event (event_id, user_id, item_id, time) VALUES (?, ?, ?, ?)", old)
        connection.commit()
        connection.close()
    clock = Clock.of(pl.Series([1_709_985_600_000]))
    store = open_store(place)
    store.adopt("moments")
    store.write([Event("e3", "u", "k", clock.kept(1_709_985_601))])
    assert store.write([Event(*old[0])]) == [False]
    [kept] = store.read(["u"])
    told = [(one.item_id, time) for one, time in in_log_time(clock, kept.events)]
    assert told == [("j", 1_709_985_599_000), ("i", 1_709_985_600_250), ("k", 1_709_985_601_000)]
    again = open_store(place)
    assert list(again.everything()) == list(store.everything())
    again.close()
    store.close()


def test_a_store_without_kinds_is_read_and_takes_kinds(place: str) -> None:
    if place.startswith("redis"):
        with redis.Redis.from_url(place) as client:
            client.hset("elcrec:ids", "e1", "u")
            client.rpush("elcrec:user:u", json.dumps(["e1", "i", 0]))
            client.zadd("elcrec:users", {"u": 0})
    else:
        connection = sqlite3.connect(place)
        connection.executescript(WITHOUT_KINDS)
        connection.close()
    for _ in range(2):  # opened again, too
        store = open_store(place)
        assert store.write([Event("e1", "u", "i", 0), Event("e2", "u", "j", 1, "view")]).count(True) <= 1
        assert store.read(["u"])[0].events == (Event("e1", "u", "i", 0), Event("e2", "u", "j", 1, "view"))
        store.close()


FIRST_FORMAT = """
CREATE TABLE event (
    number INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, item_id TEXT NOT NULL,
    time REAL NOT NULL
);
CREATE INDEX event_of_user ON event (user_id, number);
CREATE TABLE forgotten (user BLOB PRIMARY KEY) WITHOUT ROWID;
PRAGMA user_version=1;
"""
WITHOUT_KINDS = """
CREATE TABLE event (
    number INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, item_id TEXT NOT NULL,
    time NOT NULL
);
CREATE INDEX event_of_user ON event (user_id, number);
CREATE TABLE meaning (times TEXT NOT NULL);
CREATE TABLE forgotten (user BLOB PRIMARY KEY) WITHOUT ROWID;
INSERT INTO event VALUES (1, 'e1', 'u', 'i', 0);
PRAGMA user_version=2;
"""


def test_everything_is_given_back(store: Store) -> None:
    assert list(store.everything()) == []
    events = [event(number, user=f"u{number % 2500}", item=f"i{number}", time=number) for number in range(6000)]
    for first in range(0, len(events), 1000):
        store.write(events[first : first + 1000])
    found = list(store.everything())
    assert sorted(found) == sorted(events)
    for user in ("u0", "u2499"):
        assert [one.time for one in found if one.user_id == user] == [one.time for one in events if one.user_id == user]


def test_what_is_written_is_there_for_others_at_once(place: str, store: Store) -> None:
    other = open_store(place)
    assert store.write([event(1)]) == [True]
    assert other.read(["u"])[0].events == (event(1),)
    assert other.write([event(1), event(2)]) == [False, True]
    assert len(store.read(["u"])[0].events) == 2
    other.close()
    again = open_store(place)
    assert len(again.read(["u"])[0].events) == 2
    again.close()


def test_the_forgotten_leave_nothing_behind(store: Store) -> None:
    store.write([event(1, "gone"), event(2, "stays"), event(3, "gone")])
    assert store.delete("gone") == 2
    assert store.delete("only in the log") == 0
    assert store.read(["gone", "stays"]) == [UserRecord(True, ()), UserRecord(False, (event(2, "stays"),))]
    assert store.forgotten(["gone", "stays", "only in the log"]) == [True, False, True]
    assert store.users("", 10) == ["stays"]
    assert store.write([event(1, "gone")]) == [True], "its event ids went, too"
    assert store.read(["gone"])[0] == UserRecord(True, (event(1, "gone"),))


def test_users_are_found_by_how_they_begin(store: Store) -> None:
    names = ["ann", "anna", "bob", "50%", "東京", "a_b"]
    store.write([event(number, name) for number, name in enumerate(names)])
    store.write([event(99, "ann")])
    assert sorted(store.users("an", 10)) == ["ann", "anna"]
    assert sorted(store.users("", 10)) == sorted(names)
    assert len(store.users("", 2)) == 2
    assert store.users("a_", 10) == ["a_b"]
    assert store.users("50%", 10) == ["50%"]
    assert store.users("東", 10) == ["東京"]
    assert store.users("' OR 1=1 --", 10) == []


@pytest.mark.parametrize("name", ["'; DROP TABLE event; --", "a\x00b", "a b\nc", "\U0010ffff", "u" * 256, "%s {0} $1"])
def test_ids_are_only_ever_text(store: Store, name: str) -> None:
    assert store.write([Event(name, name, name, 1.5)]) == [True]
    assert store.read([name])[0].events == (Event(name, name, name, 1.5),)
    assert store.delete(name) == 1
    assert store.forgotten([name]) == [True]
    store.check()


def in_threads(count: int, work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_write_at_once(store: Store) -> None:
    new: list[bool] = []
    in_threads(4, lambda _: new.extend(store.write([event(number, f"u{number % 7}") for number in range(60)])))
    assert sum(new) == 60
    kept = store.read([f"u{number}" for number in range(7)])
    assert sum(len(one.events) for one in kept) == 60


def test_stores_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be none\n" * 100)
    for place in (tmp_path / "text", tmp_path, tmp_path / "no" / "folder", "redis://127.0.0.1:1", "ftp://here"):
        with pytest.raises(SettingsError, match="--store"):
            open_store(str(place))


def test_a_store_of_a_newer_elcrec_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "new.sqlite")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(SettingsError, match="newer elcrec"):
        open_store(str(tmp_path / "new.sqlite"))


def test_an_unreachable_redis_says_so(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on the PATH")
    with RedisServer(tmp_path) as server:
        store = open_store(server.url)
        server.kill()
        with pytest.raises(StoreError, match="onnect"):
            store.check()
        with pytest.raises(StoreError):
            next(store.everything())
