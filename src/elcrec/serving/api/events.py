"""Endpoint that takes events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from litestar import post
from msgspec import UNSET

from elcrec.errors import SettingsError
from elcrec.serving.api.errors import ERROR_RESPONSES, ApiError
from elcrec.serving.api.incoming import odd_times, stored_events, users_without_time
from elcrec.serving.api.parameters import HttpRequest, engine_of, refuse_if_read_only
from elcrec.serving.api.schemas.users import EventsRequest, EventsResponse, NewEvent
from elcrec.serving.engine import Engine
from elcrec.serving.store import Event

LOG = logging.getLogger("elcrec.serve")


@post("/events", status_code=200, responses=ERROR_RESPONSES, summary="Store events")
async def add_events(request: HttpRequest, data: EventsRequest) -> EventsResponse:
    """Append events; they are durable when this responds, and the next recommendations use them."""
    engine = engine_of(request)
    refuse_if_read_only(engine)
    if data.unknown_items == "error":
        engine.snapshot.topn.items_known([event.item_id for event in data.events])
    events = await _as_stored(engine, data.events)
    try:
        new = await engine.commit(events)
    except SettingsError as error:
        LOG.error("store unusable", extra={"fields": {"error": str(error)}})
        raise ApiError(
            409, "the store is another server's by now: this one keeps no events (its log says why)"
        ) from error
    duplicates = [event.event_id for event, is_new in zip(events, new, strict=True) if not is_new]
    return EventsResponse(sum(new), duplicates, odd_times(engine.snapshot.lookup.clock, events) or UNSET)


async def _as_stored(engine: Engine, events: Sequence[NewEvent]) -> list[Event]:
    model = engine.snapshot.model
    users = users_without_time(model, events)
    records = await asyncio.to_thread(engine.store.read, users) if users else []
    newest = {user: one.events[-1].time for user, one in zip(users, records, strict=True) if one.events}
    return stored_events(model, events, newest)
