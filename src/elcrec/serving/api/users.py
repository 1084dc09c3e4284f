"""Endpoints of users: their histories and intents, search, and deletion."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import polars as pl
from litestar import delete, get, post
from litestar.params import Parameter

from elcrec.intents.intents import Intents
from elcrec.serving.api.errors import ERROR_RESPONSES, ApiError
from elcrec.serving.api.parameters import HttpRequest, Limit, SearchText, engine_of, id_in_path, refuse_if_read_only
from elcrec.serving.api.schemas.users import (
    DeletedUser,
    ExampleUser,
    ExampleUsers,
    FoundUsers,
    HistoryIntentsRequest,
    IntentMix,
    IntentWeight,
    PastEvent,
    TimelineEvent,
    UserHistoryResponse,
)
from elcrec.serving.engine import Engine
from elcrec.serving.histories import UserHistory, user_history
from elcrec.serving.snapshot import Snapshot

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec

Most = Annotated[int, Parameter(ge=1, le=1000, description="The newest so many events.")]
MIX = 5
MOST_TIMELINE_EVENTS = 100
EXAMPLES = 6
EXAMPLE_EVENTS = (5, 60)
LOOKED_AT = 1000
TYPICAL_WEIGHT = 0.6
"""Of the first intent of an example: clear, and not all."""


async def known_history(engine: Engine, snapshot: Snapshot, user: str) -> UserHistory:
    """A user's history.

    Raises:
        ApiError: The user is unknown.
    """

    def look_up() -> UserHistory:
        [record] = engine.store.read([user])
        return user_history(snapshot.lookup, user, record)

    found = await snapshot.run_in_background(look_up)
    if not len(found.items):
        raise ApiError(404, f"nothing is known of user {user[:80]!r}")
    return found


@get("/users/{user_id:str}/history", responses=ERROR_RESPONSES, summary="History of a user")
async def history_of_user(request: HttpRequest, user_id: str, limit: Most = 100) -> UserHistoryResponse:
    """The newest events, of the log and stored since."""
    engine = engine_of(request)
    snapshot = engine.snapshot
    user = id_in_path(user_id)
    found = await known_history(engine, snapshot, user)
    items, times = snapshot.lookup.item_ids(found.items[-limit:]), found.times[-limit:]
    titles = snapshot.lookup.titles
    events = [PastEvent(item, titles.get(item), when) for item, when in zip(items, times, strict=True)]
    return UserHistoryResponse(user, events, len(found.items))


@get("/users/{user_id:str}/intents", responses=ERROR_RESPONSES, summary="Intents of a user")
async def user_intents(request: HttpRequest, user_id: str, limit: Most = 50) -> IntentMix:
    """The intents of the whole history, and of the history up to each of its newest events."""
    engine = engine_of(request)
    snapshot = engine.snapshot
    user = id_in_path(user_id)
    found = await known_history(engine, snapshot, user)
    return await snapshot.run_in_background(lambda: intent_mix(snapshot, user, found, limit))


@post("/intents/of-history", status_code=200, responses=ERROR_RESPONSES, summary="Intents of a history")
async def history_intents(request: HttpRequest, data: HistoryIntentsRequest) -> IntentMix:
    """The intents of any history; nothing is stored."""
    engine = engine_of(request)
    snapshot, most = engine.snapshot, engine.options.max_history
    if len(data.history) > most:
        raise ApiError(
            400, f"history holds {len(data.history):,} entries: this server takes at most {most:,} (--max-history)"
        )
    items = snapshot.topn.items_known(data.history)
    history = UserHistory(items, [None] * len(items))
    return await snapshot.run_in_background(lambda: intent_mix(snapshot, None, history, len(items)))


def intent_mix(snapshot: Snapshot, user: str | None, history: UserHistory, limit: int) -> IntentMix:
    """The intents of a history and how they developed."""
    model, lookup, length = snapshot.model, snapshot.lookup, len(history.items)
    names, titles, intents = model.intent_names, lookup.titles, Intents(snapshot.topn.assigner)
    batch = lookup.batch([history.items], codes=[history.codes])
    top = intents.of(batch, min(MIX, model.settings.n_intents))
    shown = min(limit, MOST_TIMELINE_EVENTS, length)
    # Enough before the first shown for its intent to be that of the whole history.
    context = replace(batch, start_Q=(batch.end_Q - shown - model.settings.max_seq_len).clamp(min=0))
    timeline = intents.timeline_of(context).tail(shown)
    timeline = timeline.with_columns(position=pl.Series(range(length - shown + 1, length + 1), dtype=pl.Int64))
    return IntentMix(
        user,
        [IntentWeight(row["intent"], names[row["intent"]], row["weight"], row["similarity"]) for row in top.to_dicts()],
        [
            TimelineEvent(
                row["position"],
                row["item_id"],
                titles.get(row["item_id"]),
                when,
                row["intent"],
                names[row["intent"]],
                row["weight"],
                row["pull"],
            )
            for row, when in zip(timeline.to_dicts(), history.times[-shown:], strict=True)
        ],
    )


@delete("/users/{user_id:str}", status_code=200, responses=ERROR_RESPONSES, summary="Delete a user")
async def delete_user(request: HttpRequest, user_id: str) -> DeletedUser:
    """Delete the stored events of a user, and never again use the history in the log."""
    engine = engine_of(request)
    refuse_if_read_only(engine)
    user = id_in_path(user_id)
    lookup = engine.snapshot.lookup

    def delete_events() -> DeletedUser | None:
        [record] = engine.store.read([user])
        in_log = not record.forgotten and lookup.history_of(user) is not None
        # An unknown user is not marked: a mistyped id may belong to a user of a later log.
        if not record.events and not in_log:
            return None
        return DeletedUser(user, engine.store.delete(user), in_log)

    deleted = await asyncio.to_thread(delete_events)
    if deleted is None:
        raise ApiError(404, f"nothing is known of user {user[:80]!r}")
    return deleted


@get("/users", responses=ERROR_RESPONSES, summary="Find users")
async def find_users(request: HttpRequest, q: SearchText = "", limit: Limit = 10) -> FoundUsers:
    """Users whose id begins with a text."""
    engine = engine_of(request)
    snapshot = engine.snapshot

    def look_up() -> list[str | int]:
        in_log = snapshot.lookup.find_users(q, 2 * limit)
        forgotten = engine.store.forgotten([str(user) for user in in_log])
        known = [user for user, gone in zip(in_log, forgotten, strict=True) if not gone]
        names = {str(user) for user in known}
        return [*known, *(user for user in engine.store.users(q, limit) if user not in names)][:limit]

    return FoundUsers(await snapshot.run_in_background(look_up))


@get("/examples", responses=ERROR_RESPONSES, summary="Example users")
async def example_users(request: HttpRequest) -> ExampleUsers:
    """Users of the log to look at first, each of another intent, the largest first."""
    engine = engine_of(request)
    found = await engine.snapshot.once(examples_of)

    def remembered() -> list[ExampleUser]:
        gone = engine.store.forgotten([str(one.user_id) for one in found])
        return [one for one, forgotten in zip(found, gone, strict=True) if not forgotten]

    return ExampleUsers((await engine.snapshot.run_in_background(remembered))[:EXAMPLES])


def examples_of(model: ELCRec) -> list[ExampleUser]:
    """Of users drawn evenly from the log: for each of the largest intents, one who has others, too.

    Users with a history that is neither short nor long come first.
    """
    counts = model.log.frame.group_by("user_id").len("events").sort("user_id")
    fitting = counts.filter(pl.col("events").is_between(*EXAMPLE_EVENTS))
    users = (counts if fitting.is_empty() else fitting)["user_id"]
    mixes = model.user_intents(users.gather_every(max(1, len(users) // LOOKED_AT)).to_list(), top=1)
    ranked = mixes.with_columns(size=pl.len().over("intent"), distance=(pl.col("weight") - TYPICAL_WEIGHT).abs())
    best = ranked.sort("size", "distance", "user_id", descending=[True, False, False])
    rows = best.unique("intent", keep="first", maintain_order=True).head(2 * EXAMPLES)
    return [ExampleUser(user, intent) for user, intent in rows.select("user_id", "intent").iter_rows()]
