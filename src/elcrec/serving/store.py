"""What a server keeps: events after the log, and who asked to be forgotten."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from elcrec.data.clock import Time
from elcrec.errors import SettingsError

Kind = Literal["moments", "numbers"]
MOST_EVENTS = 5000
"""The newest events that are read of anybody."""


class Event(NamedTuple):
    """Somebody took something.

    Attributes:
        event_id: Tells it from all others: the same event sent twice is kept once.
        user_id: As text.
        item_id: As text.
        time: Nanoseconds since 1970, or a plain number where the log has such times: a kept time of
            :class:`elcrec.data.clock.Clock`.
    """

    event_id: str
    user_id: str
    item_id: str
    time: Time


class Kept(NamedTuple):
    """What is kept of somebody.

    Attributes:
        gone: Whether the log's history of this user is not to be used any more.
        events: The newest, in order of time; of equal times in the order they came.
    """

    gone: bool
    events: tuple[Event, ...]


class Store(Protocol):
    """Where it is kept; every method may be called from any thread."""

    def adopt(self, kind: Kind) -> None:
        """Keep times of this kind from now on.

        Raises:
            SettingsError: There are events with times of the other.
        """

    def write(self, events: Sequence[Event]) -> list[bool]:
        """Keep events, all or none, safe from a crash when this returns: whether each is new.

        Raises:
            SettingsError: Another server has adopted the other kind of times since this one did.
        """

    def read(self, users: Sequence[str]) -> list[Kept]:
        """What is kept of users."""

    def delete(self, user: str) -> int:
        """Forget a user, and that the log knew him: the number of events that were kept."""

    def users(self, begin: str, most: int) -> list[str]:
        """Users with events whose id begins so."""

    def gone(self, users: Sequence[str]) -> list[bool]:
        """Which users are forgotten."""

    def everything(self) -> Iterator[Event]:
        """All events, each user's in the order they came."""

    def check(self, writing: bool = True) -> None:
        """Raise where the store cannot be read or, with ``writing``, takes no events of ours."""

    def close(self) -> None:
        """Let go of it."""


def shown(url: str) -> str:
    """A store's address without its password, for people and logs."""
    return re.sub(r"(?<=://)([^/@]*):[^/@]*@", r"\1:…@", url)


def open_store(url: str) -> Store:
    """A store by its address.

    Args:
        url: A file name or ``sqlite:///file`` for SQLite, made where there is none; ``redis://host:port/db``
            (``rediss://``, ``unix://``) for Redis.

    Raises:
        SettingsError: It is of no known kind, or cannot be opened.
    """
    kind = url.split("://", 1)[0] if "://" in url else "sqlite"
    if kind in ("redis", "rediss", "unix"):
        from elcrec.serving.store_redis import RedisStore

        return RedisStore(url)
    if kind == "sqlite":
        from elcrec.serving.store_sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"))
    raise SettingsError(f"--store {url}: use a file name (SQLite) or redis://HOST:PORT")


def of_other_kind(place: str, theirs: str, ours: Kind) -> SettingsError:
    """Why a store cannot be used."""
    return SettingsError(
        f"--store {place} keeps {theirs} as times, and the log of the run has {ours}: "
        f"name another --store, or serve a run whose log has {theirs}"
    )


def fingerprint(user: str) -> bytes:
    """What stands for a forgotten user: tells him when asked about, and not who he was."""
    return hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=16, person=b"elcrec forgets").digest()


def in_order(events: Sequence[Event]) -> tuple[Event, ...]:
    """Events in order of time; equal times stay as they came."""
    return tuple(sorted(events, key=lambda event: event.time))
