"""Endpoints that recommend."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from litestar import post
from msgspec import UNSET

from elcrec.errors import ElcrecError, StoreError, UnknownIdError
from elcrec.serving.admission import SLOW, cost, is_slow
from elcrec.serving.api.errors import ERROR_RESPONSES, ApiError
from elcrec.serving.api.notes import notes, understood
from elcrec.serving.api.parameters import HttpRequest, answering, engine_of
from elcrec.serving.api.schemas.recommend import (
    Reason,
    RecommendBatchRequest,
    RecommendBatchResponse,
    RecommendBatchResult,
    RecommendedItem,
    RecommendRequest,
    RecommendResponse,
    ScorePart,
)
from elcrec.serving.engine import BATCH_SIZE, SLOW_BATCH_SIZE, Engine
from elcrec.serving.histories import RankedHistory, TransferredHistory, transferred_history, unknown_to
from elcrec.serving.options import Options
from elcrec.serving.pending import PendingRequest
from elcrec.serving.second_run import NO_SECOND_RUN
from elcrec.serving.snapshot import Snapshot

if TYPE_CHECKING:
    from elcrec.inference.lookup import Recommendations

MOST_REQUESTS = 256
LIST_FIELDS = ("history", "allow", "deny", "attributes", "all_attributes", "intents", "exclude_intents")


@post("/recommend", status_code=200, responses=ERROR_RESPONSES, summary="Top-k recommendations")
async def recommend(request: HttpRequest, data: RecommendRequest) -> RecommendResponse:
    """Recommendations for a user or a history."""
    engine = engine_of(request)
    fault = fault_of(data, engine.options)
    if fault is not None:
        raise ApiError(400, fault)
    with admitted(engine, [data]):
        return await respond(engine, data)


@post("/recommend/batch", status_code=200, responses=ERROR_RESPONSES, summary="Recommendations for several requests")
async def recommend_batch(request: HttpRequest, data: RecommendBatchRequest) -> RecommendBatchResponse:
    """Recommendations, or the error, for each request."""
    if not 1 <= len(data.requests) <= MOST_REQUESTS:
        raise ApiError(400, f"requests: send 1 to {MOST_REQUESTS} at once, not {len(data.requests)}")
    engine = engine_of(request)
    # A batch takes turns with other clients: it has no more in the queues than one micro-batch takes.
    turns = {False: asyncio.Semaphore(BATCH_SIZE), True: asyncio.Semaphore(SLOW_BATCH_SIZE)}

    async def one(single: RecommendRequest, fault: str | None) -> RecommendBatchResult:
        if fault is not None:
            return RecommendBatchResult(error=fault)
        try:
            async with turns[is_slow(single.explain, single.diversify)]:
                return RecommendBatchResult(answer=await respond(engine, single))
        except StoreError:  # fails the whole batch, as it fails every request
            raise
        except ElcrecError as error:
            return RecommendBatchResult(error=str(error))
        except ApiError as error:
            return RecommendBatchResult(error=str(error.detail))

    faults = [fault_of(single, engine.options) for single in data.requests]
    with admitted(engine, [single for single, fault in zip(data.requests, faults, strict=True) if fault is None]):
        return RecommendBatchResponse(list(await asyncio.gather(*map(one, data.requests, faults))))


def fault_of(request: RecommendRequest, options: Options) -> str | None:
    """Where a request contradicts itself or is too large."""
    if (request.user_id is None) == (request.history is None):
        return "say for whom: user_id, or history (one of them)"
    if request.k > options.max_k:
        return f"k={request.k}: this server recommends at most {options.max_k} items (--max-k)"
    if request.against and options.against is None:
        return NO_SECOND_RUN
    for name in LIST_FIELDS:
        given, most = getattr(request, name), options.max_history
        if given is not None and len(given) > most:
            return f"{name} holds {len(given):,} entries: this server takes at most {most:,} (--max-history)"
    return None


@contextmanager
def admitted(engine: Engine, requests: Sequence[RecommendRequest]) -> Iterator[None]:
    """Count the work of requests while they are answered.

    Raises:
        ApiError: They cost more than this server spends on one HTTP request.
        Overloaded: Too much work waits already.
    """
    costs = {False: 0, True: 0}
    for request in requests:
        length = answering(engine, request.against).lookup.fitted.settings.max_seq_len
        costs[is_slow(request.explain, request.diversify)] += cost_of(request, length)
    refuse_if_too_costly(sum(costs.values()), engine.options.max_work)
    with engine.work.holding(costs[False]), engine.slow_work.holding(costs[True]):
        yield


def cost_of(request: RecommendRequest, max_seq_len: int) -> int:
    """What a request costs; a user's history is taken to have ``max_seq_len`` events, the most that the model reads."""
    events = max_seq_len if request.history is None else min(len(request.history), max_seq_len)
    return cost(request.k, events, is_slow(request.explain, request.diversify))


def refuse_if_too_costly(total: int, most: int) -> None:
    """Raise where a request costs more than this server spends on one.

    Raises:
        ApiError: It does.
    """
    if total > most:
        raise ApiError(
            413,
            f"this request costs {total:,} (k x events, {SLOW} times that with explain or diversify, summed over a "
            f"batch): this server spends at most {most:,} on one (--max-work); reduce k or split the batch",
        )


async def respond(engine: Engine, request: RecommendRequest) -> RecommendResponse:
    """The response to a request.

    Raises:
        ElcrecError: The request names what does not exist.
    """
    served, snapshot = engine.snapshot, answering(engine, request.against)
    policy = request.policy()
    history, skipped = await _history(engine, request, snapshot, served)
    known = await understood(request, snapshot)
    pending = PendingRequest(
        snapshot,
        policy,
        await snapshot.resolve(policy),
        user=None if request.user_id is None else str(request.user_id),
        history=history,
        unknown_user=request.unknown_user or engine.options.unknown_user,
        features=known.features,
    )
    found = await engine.recommend(pending)
    if request.explain:
        await served.wait_until_prepared()
    items = items_of(found, snapshot, served)
    return RecommendResponse(
        request.user_id,
        items,
        found.fallback,
        snapshot.lookup.version,
        skipped or UNSET,
        notes(request, known, found) or UNSET,
    )


@contextmanager
def pointing_at_titles() -> Iterator[None]:
    """Where an item is unknown, the message says how to find an id by its title.

    Raises:
        UnknownIdError: As within.
    """
    try:
        yield
    except UnknownIdError as error:
        raise UnknownIdError(f"{error}; requests name items by id, which GET /v1/items?q=TITLE finds") from error


async def _history(
    engine: Engine, request: RecommendRequest, snapshot: Snapshot, served: Snapshot
) -> tuple[RankedHistory | None, list[str | int]]:
    """The history that comes with a request, and its items that the model does not know; None: that of the user.

    Users and their events are those of the served run: the second one is given what that knows.
    """
    if request.history is not None:
        if request.unknown_items == "error":
            with pointing_at_titles():
                return RankedHistory(snapshot.topn.items_known(request.history)), []
        items = snapshot.topn.item_numbers(request.history)
        return RankedHistory(items[items > 0]), unknown_to(snapshot.lookup, request.history)
    if not request.against:
        return None, []
    user = str(request.user_id)

    def look_up() -> TransferredHistory:
        [record] = engine.store.read([user])
        return transferred_history(served.lookup, user, record, snapshot.lookup)

    # Not in the background: recommendations do not wait for the descriptions of intents.
    found = await asyncio.to_thread(look_up)
    return found.history, found.unknown


def items_of(found: Recommendations, snapshot: Snapshot, served: Snapshot) -> list[RecommendedItem]:
    """Recommendations with titles and reasons; what the served run calls an item goes first."""
    pictures = served.lookup.pictures
    titles = ChainMap(served.lookup.titles, snapshot.lookup.titles)
    ranked = enumerate(zip(found.items, found.scores, strict=True), start=1)
    items = [
        RecommendedItem(item, score, rank, titles.get(item, UNSET), pictures.get(item, UNSET))
        for rank, (item, score) in ranked
    ]
    _mark_unknown(items, [other for other in served.both if other is not snapshot])
    if found.reasons is not None:
        names = snapshot.model.intent_names
        for one, row in zip(items, found.reasons, strict=True):
            parts = [ScorePart(**part) for part in row["parts"]]
            name = None if row["intent"] is None else names[row["intent"]]
            because, like = [titles.get(item) for item in row["because"]], titles.get(row["like"])
            named = {"intent_name": name, "because_titles": because, "like_title": like}
            one.reason = Reason(**{**row, "parts": parts, **named})
    return items


def _mark_unknown(items: list[RecommendedItem], others: list[Snapshot]) -> None:
    """Mark the items that another run of the server does not know."""
    for other in others:
        unknown = set(unknown_to(other.lookup, [one.item_id for one in items]))
        for one in items:
            one.only_here = one.item_id in unknown or UNSET
