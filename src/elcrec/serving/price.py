"""What a request costs, what a server spends on one, and how much may wait.

The unit is an item of a plain list for one event of a history: ``k x events read``, ``SLOW`` times that for lists with
reasons or mixed by intents, which are several rankings each; the lists of a batch add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from elcrec.serving.contracts import Wishes
from elcrec.serving.problems import Busy, Refused

SLOW = 30
WAITING = 4
"""Requests of the largest price that may wait at once."""


def is_slow(wishes: Wishes) -> bool:
    """Whether a list takes long to make: those have a thread of their own."""
    return wishes.explain or wishes.diversify > 0


def price(wishes: Wishes, max_seq_len: int) -> int:
    """What a list costs.

    Args:
        wishes: How it is wanted.
        max_seq_len: Events that the model reads of a history, at most; a user's history is taken to be so long.
    """
    events = max_seq_len if wishes.history is None else min(len(wishes.history), max_seq_len)
    return wishes.k * max(1, events) * (SLOW if is_slow(wishes) else 1)


def afford(cost: int, most: int) -> None:
    """Raise where a request costs more than this server spends on one.

    Raises:
        Refused: It does.
    """
    if cost > most:
        raise Refused(
            413,
            f"this request costs {cost:,} (k x events, {SLOW} times that with explain or diversify, summed over a "
            f"batch): this server spends at most {most:,} on one (--max-work); ask for less at once",
        )


class Queue:
    """How much work waits or is under way."""

    def __init__(self, most: int) -> None:
        """No more than ``most``."""
        self._most, self.work = most, 0

    @contextmanager
    def holding(self, cost: int) -> Iterator[None]:
        """Count the work of a request until it is done.

        Raises:
            Busy: There is too much already.
        """
        if cost and self.work + cost > self._most:
            raise Busy("too much is waiting to be answered: try again in a moment")
        self.work += cost
        try:
            yield
        finally:
            self.work -= cost
