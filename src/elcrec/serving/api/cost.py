"""What a request costs, what a server spends on one, and how a request is admitted.

The unit is one recommendation from one event of a history: ``k x events read``, ``SLOW`` times that for requests with
reasons or diversified by intents, which take several rankings each; the requests of a batch add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from elcrec.serving.api.errors import ApiError
from elcrec.serving.api.schemas.recommend import RecommendRequest
from elcrec.serving.engine import Engine
from elcrec.serving.work import is_slow

SLOW = 30


def cost(request: RecommendRequest, max_seq_len: int) -> int:
    """What a request costs.

    Args:
        request: Its ``k``, history and dials count.
        max_seq_len: Events that the model reads of a history, at most; a user's history is taken to be so long.
    """
    events = max_seq_len if request.history is None else min(len(request.history), max_seq_len)
    return request.k * max(1, events) * (SLOW if is_slow(request.explain, request.diversify) else 1)


def refuse_if_too_costly(cost: int, most: int) -> None:
    """Raise where a request costs more than this server spends on one.

    Raises:
        ApiError: It does.
    """
    if cost > most:
        raise ApiError(
            413,
            f"this request costs {cost:,} (k x events, {SLOW} times that with explain or diversify, summed over a "
            f"batch): this server spends at most {most:,} on one (--max-work); ask for less at once",
        )


@contextmanager
def admitted(engine: Engine, requests: Sequence[RecommendRequest]) -> Iterator[None]:
    """Count the work of requests while they are answered.

    Raises:
        ApiError: They cost more than this server spends on one HTTP request.
        Overloaded: Too much work waits already.
    """
    length = engine.snapshot.model.settings.max_seq_len
    costs = {False: 0, True: 0}
    for request in requests:
        costs[is_slow(request.explain, request.diversify)] += cost(request, length)
    refuse_if_too_costly(sum(costs.values()), engine.options.max_work)
    with engine.work.holding(costs[False]), engine.slow_work.holding(costs[True]):
        yield
