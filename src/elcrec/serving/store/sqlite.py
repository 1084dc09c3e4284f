"""Events in a SQLite file: nothing to install; a committed event survives a crash."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from elcrec.errors import SettingsError
from elcrec.serving.store.base import (
    MOST_EVENTS,
    Event,
    TimeKind,
    UserRecord,
    failing_as_store_error,
    fingerprint,
    in_order,
    other_kind_of_times,
)

FORMAT = 2
PATIENCE = 10.0
PAUSE = 0.01
SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    time NOT NULL,
    event TEXT
);
CREATE INDEX IF NOT EXISTS event_of_user ON event (user_id, number);
CREATE TABLE IF NOT EXISTS meaning (times TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (user BLOB PRIMARY KEY) WITHOUT ROWID;
"""
# Format 1 made every time a floating-point number; those stay as they are (Clock.time_of knows them).
FROM_FIRST = (
    "ALTER TABLE event RENAME TO first_event",
    "DROP INDEX IF EXISTS event_of_user",
    *SCHEMA.split(";")[:2],
    "INSERT INTO event SELECT number, event_id, user_id, item_id, time, NULL FROM first_event",
    "DROP TABLE first_event",
)
# The first stores of format 2 tell no kinds of events; what reads and writes those reads and writes the others.
WITH_KINDS = "ALTER TABLE event ADD COLUMN event TEXT"
COLUMNS = ", ".join(Event._fields)


class SqliteStore:
    """A store in one file (with its write-ahead log), for several processes on one machine."""

    def __init__(self, path: str) -> None:
        """Open or make the file.

        Raises:
            SettingsError: It is no such store, or cannot be opened.
        """
        self._path = path
        self._kind: TimeKind | None = None
        self._file: tuple[int, int] | None = None
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            with self._transaction() as connection:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version > FORMAT:
                    raise SettingsError(f"--store {path} was written by a newer elcrec: upgrade elcrec")
                for statement in (*(FROM_FIRST if version == 1 else ()), *SCHEMA.split(";")):
                    connection.execute(statement)
                if "event" not in [row[1] for row in connection.execute("PRAGMA table_info(event)")]:
                    connection.execute(WITH_KINDS)
                connection.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.Error as error:
            raise SettingsError(f"--store {path} cannot be used: {error}") from error
        self._file = self._there
        if self._file is None:
            raise SettingsError(f"--store {path} is no file: name one")

    @property
    def _there(self) -> tuple[int, int] | None:
        """Tells the file of our name from others; None where there is none."""
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @property
    def _connection(self) -> sqlite3.Connection:
        """This thread's own connection; refused where the file was removed or replaced: its events would be lost."""
        if self._file is not None and self._file != self._there:
            raise sqlite3.OperationalError(f"{self._path} was removed or replaced while in use: restart the server")
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            _log_ahead(connection)
            # Each commit reaches the disk: an acknowledged event survives a crash of the machine, too.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA secure_delete=ON")
            self._mine.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # some failures, as of a full disk, have ended it already
                connection.execute("ROLLBACK")
            raise

    @failing_as_store_error(sqlite3.Error)
    def adopt(self, kind: TimeKind) -> None:
        """Store times of this kind from now on."""
        with self._transaction() as connection:
            row = connection.execute("SELECT times FROM meaning").fetchone()
            if row is not None and connection.execute("SELECT 1 FROM event LIMIT 1").fetchone() is not None:
                self._see_kind(connection, kind)
            if row != (kind,):
                connection.execute("DELETE FROM meaning")
                connection.execute("INSERT INTO meaning VALUES (?)", (kind,))
        self._kind = kind

    def _see_kind(self, connection: sqlite3.Connection, kind: TimeKind | None) -> None:
        row = connection.execute("SELECT times FROM meaning").fetchone()
        if row is not None and kind is not None and row[0] != kind:
            raise other_kind_of_times(self._path, row[0], kind)

    @failing_as_store_error(sqlite3.Error)
    def write(self, events: Sequence[Event]) -> list[bool]:
        """Store events in one transaction."""
        with self._transaction() as connection:
            self._see_kind(connection, self._kind)
            statement = f"INSERT OR IGNORE INTO event ({COLUMNS}) VALUES (?, ?, ?, ?, ?)"
            return [connection.execute(statement, event).rowcount == 1 for event in events]

    @failing_as_store_error(sqlite3.Error)
    def read(self, users: Sequence[str]) -> list[UserRecord]:
        """The record of each user."""
        statement = f"SELECT {COLUMNS} FROM event WHERE user_id = ? ORDER BY number DESC LIMIT ?"
        rows = [self._connection.execute(statement, (user, MOST_EVENTS)).fetchall() for user in users]
        events = [in_order([Event(*row) for row in reversed(found)]) for found in rows]
        return [UserRecord(forgotten, its) for forgotten, its in zip(self.forgotten(users), events, strict=True)]

    @failing_as_store_error(sqlite3.Error)
    def forgotten(self, users: Sequence[str]) -> list[bool]:
        """Which users were deleted."""
        statement = "SELECT 1 FROM forgotten WHERE user = ?"
        return [self._connection.execute(statement, (fingerprint(user),)).fetchone() is not None for user in users]

    @failing_as_store_error(sqlite3.Error)
    def delete(self, user: str) -> int:
        """Delete a user's events and overwrite them, in the write-ahead log as well."""
        with self._transaction() as connection:
            found = connection.execute("DELETE FROM event WHERE user_id = ?", (user,)).rowcount
            connection.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (fingerprint(user),))
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return found

    @failing_as_store_error(sqlite3.Error)
    def users(self, begin: str, most: int) -> list[str]:
        """Users with events whose id begins with a text."""
        statement = "SELECT DISTINCT user_id FROM event WHERE user_id BETWEEN ? AND ? LIMIT ?"
        return [user for (user,) in self._connection.execute(statement, (begin, begin + chr(0x10FFFF), most))]

    def everything(self) -> Iterator[Event]:
        """All events, in the order they came."""
        statement = f"SELECT {COLUMNS} FROM event ORDER BY number"
        with failing_as_store_error(sqlite3.Error):
            for row in self._connection.execute(statement):
                yield Event(*row)

    @failing_as_store_error(sqlite3.Error)
    def check(self, writing: bool = True) -> None:
        """Raise where the file cannot be read, or written: only a commit tells of a disk that is full."""
        self._connection.execute("SELECT 1 FROM event LIMIT 1").fetchone()
        if writing:
            with self._transaction() as connection:
                self._see_kind(connection, self._kind)
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                connection.execute(f"PRAGMA user_version={version}")

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite itself does not wait where another process is about to do the same."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(PAUSE)
