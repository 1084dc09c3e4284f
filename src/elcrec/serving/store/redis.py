"""Events in Redis: one store for servers on several machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import redis

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
    shown,
)

PATIENCE = 3.0  # recommendations wait for it
IDS, FORGOTTEN, USERS, TIMES = "elcrec:ids", "elcrec:forgotten", "elcrec:users", "elcrec:times"
CHECKED = "elcrec:checked"

# Each script runs as a whole or not at all, and reaches the append-only file as a whole.
WRITE = """
local kind = redis.call('GET', KEYS[3])
if kind and ARGV[1] ~= '' and kind ~= ARGV[1] then
  return kind
end
local new = {}
for at = 2, #ARGV, 3 do
  if redis.call('HSETNX', KEYS[1], ARGV[at], ARGV[at + 1]) == 1 then
    redis.call('RPUSH', 'elcrec:user:' .. ARGV[at + 1], ARGV[at + 2])
    redis.call('ZADD', KEYS[2], 0, ARGV[at + 1])
    new[#new + 1] = 1
  else
    new[#new + 1] = 0
  end
end
return new
"""
ADOPT = """
local before = redis.call('GET', KEYS[1])
if not before or redis.call('ZCARD', KEYS[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
  return ARGV[1]
end
return before
"""
DELETE = """
local key = 'elcrec:user:' .. ARGV[1]
local events = redis.call('LRANGE', key, 0, -1)
for _, event in ipairs(events) do
  redis.call('HDEL', KEYS[1], cjson.decode(event)[1])
end
redis.call('DEL', key)
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[2])
return #events
"""


class RedisStore:
    """The store in a Redis server; with ``appendonly yes`` there, acknowledged events survive a crash of it."""

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            SettingsError: There is no such server.
        """
        try:
            self._redis: Any = redis.Redis.from_url(
                url, decode_responses=True, socket_timeout=PATIENCE, max_connections=64
            )
            self._redis.ping()
        except (redis.RedisError, ValueError) as error:
            raise SettingsError(f"--store {shown(url)} cannot be used: {error}") from error
        self._shown = shown(url)
        self._kind: TimeKind | None = None
        self._adopt = self._redis.register_script(ADOPT)
        self._write = self._redis.register_script(WRITE)
        self._delete = self._redis.register_script(DELETE)

    @failing_as_store_error(redis.RedisError)
    def adopt(self, kind: TimeKind) -> None:
        """Store times of this kind from now on."""
        before = self._adopt(keys=[TIMES, USERS], args=[kind])
        if before != kind:
            raise other_kind_of_times(self._shown, before, kind)
        self._kind = kind

    @failing_as_store_error(redis.RedisError)
    def write(self, events: Sequence[Event]) -> list[bool]:
        """Store events, all or none."""
        rows = [(event.event_id, event.user_id, _text(event)) for event in events]
        if not rows:
            return []
        written = self._write(
            keys=[IDS, USERS, TIMES], args=[self._kind or "", *(part for row in rows for part in row)]
        )
        self._see_kind(written)
        return [new == 1 for new in written]

    def _see_kind(self, kept: object) -> None:
        if self._kind is not None and isinstance(kept, str) and kept != self._kind:
            raise other_kind_of_times(self._shown, kept, self._kind)

    @failing_as_store_error(redis.RedisError)
    def read(self, users: Sequence[str]) -> list[UserRecord]:
        """The record of each user, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for user in users:
            pipe.lrange(f"elcrec:user:{user}", -MOST_EVENTS, -1)
            pipe.sismember(FORGOTTEN, fingerprint(user).hex())
        found = pipe.execute()
        return [
            UserRecord(bool(gone), in_order([_event(user, text) for text in texts]))
            for user, texts, gone in zip(users, found[::2], found[1::2], strict=True)
        ]

    @failing_as_store_error(redis.RedisError)
    def forgotten(self, users: Sequence[str]) -> list[bool]:
        """Which users were deleted."""
        pipe = self._redis.pipeline(transaction=False)
        for user in users:
            pipe.sismember(FORGOTTEN, fingerprint(user).hex())
        return [bool(gone) for gone in pipe.execute()]

    @failing_as_store_error(redis.RedisError)
    def delete(self, user: str) -> int:
        """Delete a user's events."""
        return int(self._delete(keys=[IDS, USERS, FORGOTTEN], args=[user, fingerprint(user).hex()]))

    @failing_as_store_error(redis.RedisError)
    def users(self, begin: str, most: int) -> list[str]:
        """Users with events whose id begins with a text."""
        last = f"[{begin}\U0010ffff" if begin else "+"
        found: list[str] = self._redis.zrangebylex(USERS, f"[{begin}" if begin else "-", last, start=0, num=most)
        return found

    def everything(self) -> Iterator[Event]:
        """All events, user by user."""
        first = "-"
        with failing_as_store_error(redis.RedisError):
            while users := self._redis.zrangebylex(USERS, first, "+", start=0, num=1000):
                for user in users:
                    yield from (_event(user, text) for text in self._redis.lrange(f"elcrec:user:{user}", 0, -1))
                first = f"({users[-1]}"

    @failing_as_store_error(redis.RedisError)
    def check(self, writing: bool = True) -> None:
        """Raise where the server does not answer, or takes nothing: it may be full, read-only or unable to save."""
        self._redis.ping()
        if writing:
            self._see_kind(self._redis.get(TIMES))
            self._redis.set(CHECKED, 1)

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()


def _text(event: Event) -> str:
    """An event of a user as it is stored; its kind stands last, where it tells one."""
    kind = [] if event.event is None else [event.event]
    return json.dumps([event.event_id, event.item_id, event.time, *kind])


def _event(user: str, text: str) -> Event:
    event_id, item_id, time, *kind = json.loads(text)
    return Event(event_id, user, item_id, time, *kind)
