"""Endpoints about people: their events, histories and intents; and how they are forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Annotated, Any

import polars as pl
from litestar import delete, get, post
from litestar.params import Parameter

from elcrec.data.clock import Time
from elcrec.data.ids import MOST_ID_CHARACTERS, id_text
from elcrec.errors import SettingsError
from elcrec.serving.contracts import (
    Forgotten,
    Found,
    History,
    HistoryAsked,
    Mix,
    Moment,
    NewEvent,
    NewEvents,
    PastEvent,
    Stored,
    Weight,
)
from elcrec.serving.engine import Engine, Snapshot
from elcrec.serving.guard import SLASH
from elcrec.serving.incoming import incoming, without_time
from elcrec.serving.lists import Ask, engine_of
from elcrec.serving.people import Numbers, Past, past
from elcrec.serving.problems import PROBLEMS, Refused
from elcrec.serving.store import Event

LOG = logging.getLogger("elcrec.serve")
Most = Annotated[int, Parameter(ge=1, le=1000, description="The newest so many events.")]
MIX = 5
MOST_MOMENTS = 100


@post("/events", status_code=200, responses=PROBLEMS, summary="Keep events")
async def add_events(request: Ask, data: NewEvents) -> Stored:
    """Append events; when this answers they are safe, and the next recommendation sees them."""
    engine = engine_of(request)
    writable(engine)
    if data.unknown_items == "error":
        engine.snapshot.model.items_known([event.item_id for event in data.events])
    events = await _incoming(engine, data.events)
    try:
        new = await engine.commits.ask(events)
    except SettingsError as error:
        LOG.error("store unusable", extra={"fields": {"error": str(error)}})
        raise Refused(
            409, "the store is another server's by now: this one keeps no events (its log says why)"
        ) from error
    return Stored(sum(new), [event.event_id for event, is_new in zip(events, new, strict=True) if not is_new])


def writable(engine: Engine) -> None:
    """Raise where nothing may be changed."""
    if engine.options.read_only:
        raise Refused(403, "this server is read-only")


async def _incoming(engine: Engine, events: Sequence[NewEvent]) -> list[Event]:
    """Events as the store takes them."""
    model = engine.snapshot.model
    users = without_time(model, events)
    kept = await asyncio.to_thread(engine.store.read, users) if users else []
    newest = {user: its.events[-1].time for user, its in zip(users, kept, strict=True) if its.events}
    return incoming(model, events, newest)


async def history_of(engine: Engine, snapshot: Snapshot, user: str) -> tuple[str | int, Past]:
    """A user's id, as text, and their history.

    Raises:
        Refused: Nobody knows them.
    """

    def look() -> Past:
        [kept] = engine.store.read([user])
        return past(snapshot.model, user, kept)

    found = await snapshot.ask(look)
    if not len(found.items):
        raise Refused(404, f"nothing is known of user {user[:80]!r}")
    return user, found


@get("/users/{user_id:str}/history", responses=PROBLEMS, summary="What a user did")
async def user_history(request: Ask, user_id: str, limit: Most = 100) -> History:
    """The newest events, of the log and kept since."""
    engine = engine_of(request)
    snapshot = engine.snapshot
    user, found = await history_of(engine, snapshot, unslashed(user_id))
    items, times = snapshot.model.item_ids(found.items[-limit:]), found.times[-limit:]
    titles = snapshot.model.titles
    events = [PastEvent(item, titles.get(item), when) for item, when in zip(items, times, strict=True)]
    return History(user, events, len(found.items))


@get("/users/{user_id:str}/intents", responses=PROBLEMS, summary="What a user wants")
async def user_intents(request: Ask, user_id: str, limit: Most = 50) -> Mix:
    """The intents of the whole history, and of the history up to each of its newest events."""
    engine = engine_of(request)
    snapshot = engine.snapshot
    user, found = await history_of(engine, snapshot, unslashed(user_id))
    return await snapshot.ask(lambda: mix(snapshot, user, found.items, found.times, limit))


@post("/intents/of-history", status_code=200, responses=PROBLEMS, summary="What somebody with a history wants")
async def history_intents(request: Ask, data: HistoryAsked) -> Mix:
    """The intents of anybody's history; nothing is kept."""
    engine = engine_of(request)
    snapshot, most = engine.snapshot, engine.options.max_history
    if len(data.history) > most:
        raise Refused(
            400, f"history holds {len(data.history):,} entries: this server takes at most {most:,} (--max-history)"
        )
    items = snapshot.model.items_known(data.history)
    return await snapshot.ask(lambda: mix(snapshot, None, items, [None] * len(items), len(items)))


def mix(snapshot: Snapshot, user: Any, items: Numbers, times: Sequence[Time | None], limit: int) -> Mix:
    """The intents of a history and how they came."""
    model = snapshot.model
    names, titles, ids = model.intent_names, model.titles, model.item_ids(items)
    top = model.history_intents([ids], top=min(MIX, model.settings.n_intents))
    shown = min(limit, MOST_MOMENTS, len(ids))
    # Enough before the first shown for its intent to be that of the whole history.
    tail = ids[-(shown + model.settings.max_seq_len) :]
    grown = model.intent_timeline(history=tail).tail(shown)
    grown = grown.with_columns(position=pl.Series(range(len(ids) - shown + 1, len(ids) + 1), dtype=pl.Int64))
    return Mix(
        user,
        [Weight(row["intent"], names[row["intent"]], row["weight"], row["similarity"]) for row in top.to_dicts()],
        [
            Moment(
                row["position"],
                row["item_id"],
                titles.get(row["item_id"]),
                when,
                row["intent"],
                names[row["intent"]],
                row["weight"],
                row["pull"],
            )
            for row, when in zip(grown.to_dicts(), times[-shown:], strict=True)
        ],
    )


@delete("/users/{user_id:str}", status_code=200, responses=PROBLEMS, summary="Forget a user")
async def forget_user(request: Ask, user_id: str) -> Forgotten:
    """Remove all that is kept of a user, and never again use what the log knows of them."""
    engine = engine_of(request)
    writable(engine)
    user = unslashed(user_id)
    model = engine.snapshot.model

    def forget() -> Forgotten | None:
        [kept] = engine.store.read([user])
        in_log = not kept.gone and model.history_of(user) is not None
        # Who was never known is not marked: a mistyped id may belong to somebody whom a later model learns from.
        return Forgotten(user, engine.store.delete(user), in_log) if kept.events or in_log else None

    forgotten = await asyncio.to_thread(forget)
    if forgotten is None:
        raise Refused(404, f"nothing is known of user {user[:80]!r}")
    return forgotten


@get("/users", responses=PROBLEMS, summary="Find users")
async def find_users(
    request: Ask,
    q: Annotated[str, Parameter(max_length=MOST_ID_CHARACTERS)] = "",
    limit: Annotated[int, Parameter(ge=1, le=50)] = 10,
) -> Found:
    """Users whose id begins with a text."""
    engine = engine_of(request)
    snapshot = engine.snapshot

    def look() -> list[str | int]:
        listed = snapshot.model.find_users(q, 2 * limit)
        known = [
            user for user, gone in zip(listed, engine.store.gone([str(u) for u in listed]), strict=True) if not gone
        ]
        names = {str(user) for user in known}
        return [*known, *(user for user in engine.store.users(q, limit) if user not in names)][:limit]

    return Found(await snapshot.ask(look))


def unslashed(text: str) -> str:
    """An id from a path."""
    return id_text(text.replace(SLASH, "/"))
