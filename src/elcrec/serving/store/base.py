"""The interface of event stores: events sent to the server, and users who were deleted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol

from elcrec.data.clock import Time
from elcrec.errors import SettingsError, StoreError

TimeKind = Literal["moments", "numbers"]
MOST_EVENTS = 5000
"""Events read of a user: the newest."""


class Event(NamedTuple):
    """An interaction of a user with an item.

    Attributes:
        event_id: Tells it from all others: the same event sent twice is stored once.
        user_id: As text.
        item_id: As text.
        time: Nanoseconds since 1970, or a plain number where the log has such times: a stored time of
            :class:`elcrec.data.clock.Clock`.
        event: Its kind; None where it tells none.
    """

    event_id: str
    user_id: str
    item_id: str
    time: Time
    event: str | None = None


class UserRecord(NamedTuple):
    """What the store holds of a user.

    Attributes:
        forgotten: Whether the user was deleted: the history in the log is not used any more.
        events: The newest, in order of time; of equal times in the order they came.
    """

    forgotten: bool
    events: tuple[Event, ...]


class Store(Protocol):
    """Where events are stored; any thread may call any method.

    Raises:
        StoreError: From every method: the storage cannot be reached, read or written.
    """

    def adopt(self, kind: TimeKind) -> None:
        """Store times of this kind from now on.

        Raises:
            SettingsError: There are events with times of the other.
        """

    def write(self, events: Sequence[Event]) -> list[bool]:
        """Store events, all or none, durably: whether each is new.

        Raises:
            SettingsError: Another server has adopted the other kind of times since this one did.
        """

    def read(self, users: Sequence[str]) -> list[UserRecord]:
        """The record of each user."""

    def delete(self, user: str) -> int:
        """Delete a user's events and mark the user as forgotten: the number of events deleted."""

    def users(self, begin: str, most: int) -> list[str]:
        """Users with events whose id begins with a text."""

    def forgotten(self, users: Sequence[str]) -> list[bool]:
        """Which users were deleted."""

    def everything(self) -> Iterator[Event]:
        """All events, each user's in the order they came."""

    def check(self, writing: bool = True) -> None:
        """Raise where the store cannot be read or, with ``writing``, takes no events of this server."""

    def close(self) -> None:
        """Close all connections."""


@contextmanager
def failing_as_store_error(*kinds: type[Exception]) -> Iterator[None]:
    """Raise a database's own exceptions as :class:`StoreError`; a context or a decorator."""
    try:
        yield
    except kinds as error:
        raise StoreError(str(error)) from error


def shown(url: str) -> str:
    """A store's address without its password, for messages and logs."""
    return re.sub(r"(?<=://)([^/@]*):[^/@]*@", r"\1:…@", url)


def other_kind_of_times(place: str, theirs: str, ours: TimeKind) -> SettingsError:
    """Why a store cannot be used."""
    return SettingsError(
        f"--store {place} keeps {theirs} as times, and the log of the run has {ours}: "
        f"name another --store, or serve a run whose log has {theirs}"
    )


def fingerprint(user: str) -> bytes:
    """A keyless hash that marks a forgotten user without storing the id."""
    return hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=16, person=b"elcrec forgets").digest()


def in_order(events: Sequence[Event]) -> tuple[Event, ...]:
    """Events in order of time; equal times stay as they came."""
    return tuple(sorted(events, key=lambda event: event.time))
