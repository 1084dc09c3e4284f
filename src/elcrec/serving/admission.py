"""Admission control: what a request costs, and how much work may wait at once.

The unit is one recommendation from one event of a history: ``k x events read``, ``SLOW`` times that for requests with
reasons or diversified by intents, which take several rankings each; the requests of a batch add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

SLOW = 30
WAITING = 4
"""Requests of the largest cost that may wait at once."""


class Overloaded(Exception):
    """The request is valid, but too much work waits already."""


class WorkQueue:
    """How much work waits or is under way.

    Attributes:
        work: In the unit of :func:`cost`.
    """

    def __init__(self, most: int) -> None:
        """Admit no more than ``most``."""
        self._most, self.work = most, 0

    @contextmanager
    def holding(self, cost: int) -> Iterator[None]:
        """Count the work of a request until it is done.

        Raises:
            Overloaded: Too much work waits already.
        """
        if cost and self.work + cost > self._most:
            raise Overloaded("too much is waiting to be answered: try again in a moment")
        self.work += cost
        try:
            yield
        finally:
            self.work -= cost


def is_slow(explain: bool, diversify: float) -> bool:
    """Whether recommendations take several rankings: such requests have a thread of their own."""
    return explain or diversify > 0


def cost(k: int, events: int, slow: bool) -> int:
    """What a request costs.

    Args:
        k: Recommendations wanted.
        events: Events that the model reads of the history.
        slow: See :func:`is_slow`.
    """
    return k * max(1, events) * (SLOW if slow else 1)
