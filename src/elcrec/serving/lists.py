"""Endpoints that recommend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litestar import Request, post
from msgspec import UNSET

from elcrec.errors import ElcrecError
from elcrec.serving.contracts import Answer, Batch, BatchAnswer, Listed, Part, Reason, Result, Wishes
from elcrec.serving.engine import Asked, Engine, Snapshot
from elcrec.serving.problems import PROBLEMS, Refused

if TYPE_CHECKING:
    from elcrec.answering import Picked

MOST_REQUESTS = 256
Ask = Request[Any, Any, Any]


def engine_of(request: Ask) -> Engine:
    """The server's engine."""
    engine: Engine = request.app.state.engine
    return engine


@post("/recommend", status_code=200, responses=PROBLEMS, summary="The best next items")
async def recommend(request: Ask, data: Wishes) -> Answer:
    """A list for a user or a history."""
    return await answer(engine_of(request), data)


@post("/recommend/batch", status_code=200, responses=PROBLEMS, summary="Several lists at once")
async def recommend_batch(request: Ask, data: Batch) -> BatchAnswer:
    """A list, or why there is none, for each request."""
    if not 1 <= len(data.requests) <= MOST_REQUESTS:
        raise Refused(400, f"requests: send 1 to {MOST_REQUESTS} at once, not {len(data.requests)}")
    engine = engine_of(request)

    async def one(wishes: Wishes) -> Result:
        try:
            return Result(answer=await answer(engine, wishes))
        except ElcrecError as error:
            return Result(error=str(error))
        except Refused as error:
            return Result(error=str(error.detail))

    return BatchAnswer(list(await asyncio.gather(*map(one, data.requests))))


async def answer(engine: Engine, wishes: Wishes) -> Answer:
    """The list that is wished for.

    Raises:
        Refused: The wishes are beyond this server's limits.
        ElcrecError: They name what does not exist.
    """
    snapshot, options = engine.snapshot, engine.options
    check(wishes, options.max_k, options.max_history)
    history = None
    if wishes.history is not None:
        model = snapshot.model
        numbers = (model.item_numbers if wishes.unknown_items == "skip" else model.items_known)(wishes.history)
        history = numbers[numbers > 0]
    plan = await snapshot.plan(wishes)
    user = None if wishes.user_id is None else str(wishes.user_id)
    unknown = wishes.unknown_user or options.unknown_user
    made = await engine.lists.ask(Asked(snapshot, plan, user, history, unknown, tuple(wishes.intents)))
    if wishes.explain:
        await snapshot.prepared()
    return Answer(wishes.user_id, listed(snapshot, made.picked), made.fallback, snapshot.model.version)


def check(wishes: Wishes, max_k: int, max_history: int) -> None:
    """Raise where wishes contradict each other or ask for too much."""
    if (wishes.user_id is None) == (wishes.history is None):
        raise Refused(400, "say for whom: user_id, or history (one of them)")
    if wishes.k > max_k:
        raise Refused(400, f"k={wishes.k}: this server lists at most {max_k} items")
    for name in ("history", "allow", "deny", "attributes", "all_attributes", "intents", "exclude_intents"):
        given = getattr(wishes, name)
        if given is not None and len(given) > max_history:
            raise Refused(400, f"{name} holds {len(given):,} entries: this server takes at most {max_history:,}")


def listed(snapshot: Snapshot, picked: Picked) -> list[Listed]:
    """A list as it is answered."""
    titles = snapshot.model.titles
    ranked = enumerate(zip(picked.items, picked.scores, strict=True), start=1)
    items = [Listed(item, score, rank, titles.get(item, UNSET)) for rank, (item, score) in ranked]
    if picked.reasons is not None:
        names = snapshot.model.intent_names
        for one, row in zip(items, picked.reasons, strict=True):
            parts = [Part(**part) for part in row["parts"]]
            name = None if row["intent"] is None else names[row["intent"]]
            because = [titles.get(item) for item in row["because"]]
            one.reason = Reason(**{**row, "parts": parts, "intent_name": name, "because_titles": because})
    return items
