"""Endpoints about intents, items and the model."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, patch
from litestar.params import Parameter

from elcrec.data.ids import MOST_ID_CHARACTERS
from elcrec.errors import RunError, UnknownIdError
from elcrec.serving.contracts import (
    IntentLine,
    Intents,
    ItemFound,
    ItemsFound,
    Map,
    Model,
    Rename,
    Similar,
    SimilarItem,
    TypicalAttribute,
    TypicalItem,
)
from elcrec.serving.engine import Snapshot
from elcrec.serving.lists import Ask, engine_of
from elcrec.serving.people_pages import unslashed, writable
from elcrec.serving.problems import PROBLEMS, Refused, not_found

Size = Annotated[int, Parameter(ge=1, le=50)]


@get("/intents", responses=PROBLEMS, summary="All intents")
async def intents(request: Ask, items: Size = 5) -> Intents:
    """What people want, the largest first."""
    snapshot = engine_of(request).snapshot
    lines = await snapshot.ask(lambda: lines_of(snapshot, items))
    return Intents(len(lines), snapshot.model.trend_periods, lines)


@get("/map", responses=PROBLEMS, summary="Where users and intents lie")
async def map_of_users(request: Ask) -> Map:
    """Users as dots, near each other where they behave alike; takes a while when first asked for."""
    return await engine_of(request).snapshot.map()


@get("/intents/{intent:int}", responses=PROBLEMS, summary="One intent")
async def one_intent(request: Ask, intent: int, items: Size = 12) -> IntentLine:
    """What one intent is."""
    snapshot = engine_of(request).snapshot
    return await snapshot.ask(lambda: line_of(snapshot, intent, items))


@patch("/intents/{intent:int}", responses=PROBLEMS, summary="Name an intent")
async def rename_intent(request: Ask, intent: int, data: Rename) -> IntentLine:
    """Give an intent a name; it is kept with the run."""
    engine = engine_of(request)
    writable(engine)
    snapshot = engine.snapshot
    _known(snapshot, intent)

    def rename() -> IntentLine:
        try:
            snapshot.rename(intent, data.name)
        except RunError as error:
            raise Refused(409, str(error)) from error
        engine.tell_others()
        return line_of(snapshot, intent, 12)

    return await snapshot.ask(rename)


def _known(snapshot: Snapshot, intent: int) -> None:
    if not 0 <= intent < snapshot.model.settings.n_intents:
        raise Refused(404, f"there is no intent {intent}: they are 0 to {snapshot.model.settings.n_intents - 1}")


def line_of(snapshot: Snapshot, intent: int, items: int) -> IntentLine:
    """One intent."""
    _known(snapshot, intent)
    return next(line for line in lines_of(snapshot, items) if line.intent == intent)


def lines_of(snapshot: Snapshot, items: int) -> list[IntentLine]:
    """All intents, with so many items."""
    model = snapshot.model
    names, given, titles = model.intent_names, model.given_names, model.titles
    return [
        IntentLine(
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


@get("/items", responses=PROBLEMS, summary="Find items")
async def find_items(
    request: Ask, q: Annotated[str, Parameter(max_length=MOST_ID_CHARACTERS)] = "", limit: Size = 10
) -> ItemsFound:
    """Items whose id or title holds a text."""
    snapshot = engine_of(request).snapshot
    rows = await snapshot.ask(lambda: snapshot.model.find_items(q, limit).to_dicts())
    return ItemsFound([ItemFound(**row) for row in rows])


@get("/items/{item_id:str}/similar", responses=PROBLEMS, summary="Items like an item")
async def similar_items(request: Ask, item_id: str, k: Annotated[int, Parameter(ge=1, le=1000)] = 10) -> Similar:
    """Items whose vectors point the same way."""
    snapshot = engine_of(request).snapshot
    model = snapshot.model
    try:
        number = model.items_known([unslashed(item_id)])
    except UnknownIdError as error:
        raise not_found(error) from error
    [item] = model.item_ids(number)
    rows = await snapshot.ask(lambda: model.similar_items([item], k).to_dicts())
    titles = model.titles
    near = [SimilarItem(row["item_id"], titles.get(row["item_id"]), row["score"], row["rank"]) for row in rows]
    return Similar(item, titles.get(item), near)


@get("/model", responses=PROBLEMS, summary="The model that answers")
async def model_card(request: Ask) -> Model:
    """What it is, what it learnt from, how good it is."""
    engine = engine_of(request)
    snapshot, options = engine.snapshot, engine.options
    model = snapshot.model
    return Model(
        version=model.version,
        recipe=model.recipe,
        elcrec=request.app.state.elcrec,
        loaded=snapshot.loaded,
        n_users=len(model.users),
        n_items=len(model.items),
        n_events=len(model.log),
        n_intents=model.settings.n_intents,
        max_seq_len=model.settings.max_seq_len,
        unknown_user=options.unknown_user,  # type: ignore[arg-type]
        read_only=options.read_only,
        max_k=options.max_k,
        max_history=options.max_history,
        metrics={part: model.metrics[part] for part in ("valid", "test") if part in model.metrics},
    )
