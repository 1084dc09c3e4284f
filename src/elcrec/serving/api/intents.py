"""Endpoints of intents: descriptions, names, and the map of users."""

from __future__ import annotations

from typing import Any

from litestar import get, patch

from elcrec.errors import RunError
from elcrec.serving.api.errors import ERROR_RESPONSES, ApiError
from elcrec.serving.api.parameters import Against, HttpRequest, Limit, answering, engine_of, refuse_if_read_only
from elcrec.serving.api.schemas.model import (
    Counterpart,
    Intent,
    IntentName,
    IntentsResponse,
    TypicalAttribute,
    TypicalItem,
    UserMap,
)
from elcrec.serving.api.user_map import user_map
from elcrec.serving.snapshot import Snapshot

ITEMS = 12
"""Typical items of one intent, unless a request says how many."""


@get("/intents", responses=ERROR_RESPONSES, summary="All intents")
async def intents(request: HttpRequest, items: Limit = 5, against: Against = False) -> IntentsResponse:
    """Descriptions of all intents, the largest first."""
    engine = engine_of(request)
    snapshot, served = answering(engine, against), engine.snapshot
    found = await snapshot.run_in_background(lambda: intents_of(snapshot, items))
    if against:
        for one in found:
            if one.intent in served.counterparts:
                one.counterpart = Counterpart(*served.counterparts[one.intent])
    return IntentsResponse(len(found), snapshot.model.trend_periods, found)


@get("/map", responses=ERROR_RESPONSES, summary="Map of users and intents")
async def map_of_users(request: HttpRequest) -> UserMap:
    """Users as dots, near each other where their behaviour is similar; the first request takes a while."""
    return await engine_of(request).snapshot.once(user_map)


@get("/intents/{intent:int}", responses=ERROR_RESPONSES, summary="One intent")
async def one_intent(request: HttpRequest, intent: int, items: Limit = ITEMS) -> Intent:
    """Description of one intent."""
    snapshot = engine_of(request).snapshot
    return await snapshot.run_in_background(lambda: intent_of(snapshot, intent, items))


@patch("/intents/{intent:int}", responses=ERROR_RESPONSES, summary="Name an intent")
async def rename_intent(request: HttpRequest, intent: int, data: IntentName) -> Intent:
    """Name an intent; the name is stored with the run."""
    engine = engine_of(request)
    refuse_if_read_only(engine)
    snapshot = engine.snapshot
    _refuse_unknown(snapshot, intent)

    def rename() -> Intent:
        try:
            snapshot.rename(intent, data.name)
        except RunError as error:
            raise ApiError(409, str(error)) from error
        engine.tell_others()
        return intent_of(snapshot, intent, ITEMS)

    return await snapshot.run_in_background(rename)


def _refuse_unknown(snapshot: Snapshot, intent: int) -> None:
    if not 0 <= intent < snapshot.model.settings.n_intents:
        raise ApiError(404, f"there is no intent {intent}: they are 0 to {snapshot.model.settings.n_intents - 1}")


def intent_of(snapshot: Snapshot, intent: int, items: int) -> Intent:
    """One intent."""
    _refuse_unknown(snapshot, intent)
    return next(one for one in intents_of(snapshot, items) if one.intent == intent)


def intents_of(snapshot: Snapshot, items: int) -> list[Intent]:
    """All intents, each with so many items."""
    model = snapshot.model
    names, given, titles = model.intent_names, model.given_names, snapshot.lookup.titles
    return [
        Intent(
            **{key: row[key] for key in ("intent", "users", "share", "cosine", "margin", "flags", "nearest", "trend")},
            name=names[row["intent"]],
            given=row["intent"] in given,
            items=[
                TypicalItem(item, titles.get(item), lift, users)
                for item, lift, users in _first(items, row["items"], row["lifts"], row["item_users"])
            ],
            attributes=[
                TypicalAttribute(*one)
                for one in _first(items, row["attributes"], row["attribute_lifts"], row["attribute_users"])
            ],
        )
        for row in snapshot.intents
    ]


def _first(most: int, *columns: list[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*(column[:most] for column in columns), strict=True))
