"""Endpoints that recommend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from litestar import Request, post
from msgspec import UNSET

from elcrec.errors import ElcrecError
from elcrec.serving.contracts import Answer, Batch, BatchAnswer, Listed, Part, Reason, Result, Wishes
from elcrec.serving.engine import AT_ONCE, SLOW_AT_ONCE, Asked, Engine, Snapshot
from elcrec.serving.price import afford, is_slow, price
from elcrec.serving.problems import PROBLEMS, Refused

if TYPE_CHECKING:
    from elcrec.inference.lookup import Recommendations

MOST_REQUESTS = 256
Ask = Request[Any, Any, Any]


def engine_of(request: Ask) -> Engine:
    """The server's engine."""
    engine: Engine = request.app.state.engine
    return engine


@post("/recommend", status_code=200, responses=PROBLEMS, summary="The best next items")
async def recommend(request: Ask, data: Wishes) -> Answer:
    """A list for a user or a history."""
    engine = engine_of(request)
    fault = _fault(data, engine)
    if fault is not None:
        raise Refused(400, fault)
    with held(engine, [data]):
        return await answer(engine, data)


@post("/recommend/batch", status_code=200, responses=PROBLEMS, summary="Several lists at once")
async def recommend_batch(request: Ask, data: Batch) -> BatchAnswer:
    """A list, or why there is none, for each request."""
    if not 1 <= len(data.requests) <= MOST_REQUESTS:
        raise Refused(400, f"requests: send 1 to {MOST_REQUESTS} at once, not {len(data.requests)}")
    engine = engine_of(request)
    # A batch takes turns with what others ask: it has no more in the queues than is worked on at once.
    turns = {False: asyncio.Semaphore(AT_ONCE), True: asyncio.Semaphore(SLOW_AT_ONCE)}

    async def one(wishes: Wishes, fault: str | None) -> Result:
        if fault is not None:
            return Result(error=fault)
        try:
            async with turns[is_slow(wishes)]:
                return Result(answer=await answer(engine, wishes))
        except ElcrecError as error:
            return Result(error=str(error))
        except Refused as error:
            return Result(error=str(error.detail))

    faults = [_fault(wishes, engine) for wishes in data.requests]
    with held(engine, [wishes for wishes, fault in zip(data.requests, faults, strict=True) if fault is None]):
        return BatchAnswer(list(await asyncio.gather(*map(one, data.requests, faults))))


@contextmanager
def held(engine: Engine, requests: Sequence[Wishes]) -> Iterator[None]:
    """The work of a request, counted while it is answered.

    Raises:
        Refused: It costs more than this server spends on one.
        Busy: Too much waits already.
    """
    length = engine.snapshot.model.settings.max_seq_len
    slow = sum(price(wishes, length) for wishes in requests if is_slow(wishes))
    plain = sum(price(wishes, length) for wishes in requests if not is_slow(wishes))
    afford(plain + slow, engine.options.max_work)
    with engine.queue.holding(plain), engine.slow_queue.holding(slow):
        yield


async def answer(engine: Engine, wishes: Wishes) -> Answer:
    """The list that is wished for.

    Raises:
        ElcrecError: The wishes name what does not exist.
    """
    snapshot, options = engine.snapshot, engine.options
    history = None
    if wishes.history is not None:
        model = snapshot.model
        numbers = (model.item_numbers if wishes.unknown_items == "skip" else model.items_known)(wishes.history)
        history = numbers[numbers > 0]
    plan = await snapshot.plan(wishes)
    user = None if wishes.user_id is None else str(wishes.user_id)
    unknown = wishes.unknown_user or options.unknown_user
    lists = engine.slow_lists if is_slow(wishes) else engine.lists
    made = await lists.ask(Asked(snapshot, plan, user, history, unknown, tuple(wishes.intents)))
    if wishes.explain:
        await snapshot.prepared()
    return Answer(wishes.user_id, listed(snapshot, made.picked), made.fallback, snapshot.model.version)


def _fault(wishes: Wishes, engine: Engine) -> str | None:
    """Where wishes contradict each other or ask for too much."""
    max_k, max_history = engine.options.max_k, engine.options.max_history
    if (wishes.user_id is None) == (wishes.history is None):
        return "say for whom: user_id, or history (one of them)"
    if wishes.k > max_k:
        return f"k={wishes.k}: this server lists at most {max_k} items (--max-k)"
    for name in ("history", "allow", "deny", "attributes", "all_attributes", "intents", "exclude_intents"):
        given = getattr(wishes, name)
        if given is not None and len(given) > max_history:
            return f"{name} holds {len(given):,} entries: this server takes at most {max_history:,} (--max-history)"
    return None


def listed(snapshot: Snapshot, picked: Recommendations) -> list[Listed]:
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
