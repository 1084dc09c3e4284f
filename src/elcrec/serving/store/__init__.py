"""Event stores: SQLite for one machine, Redis for several."""

from __future__ import annotations

from elcrec.errors import SettingsError
from elcrec.serving.store.base import MOST_EVENTS, Event, Store, TimeKind, UserRecord, in_order, shown

__all__ = ["MOST_EVENTS", "Event", "Store", "TimeKind", "UserRecord", "in_order", "open_store", "shown"]


def open_store(url: str) -> Store:
    """Open a store by its address.

    Args:
        url: A file name or ``sqlite:///file`` for SQLite, made where there is none; ``redis://host:port/db``
            (``rediss://``, ``unix://``) for Redis.

    Raises:
        SettingsError: It is of no known kind, or cannot be opened.
    """
    kind = url.split("://", 1)[0] if "://" in url else "sqlite"
    if kind in ("redis", "rediss", "unix"):
        from elcrec.serving.store.redis import RedisStore

        return RedisStore(url)
    if kind == "sqlite":
        from elcrec.serving.store.sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"))
    raise SettingsError(f"--store {url}: use a file name (SQLite) or redis://HOST:PORT")
