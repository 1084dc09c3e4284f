"""A synthetic log of baskets with planted needs: what users buy again, and in which rhythm.

A user goes shopping every few days and has needs: items from the shelf of their intent, each with a period of its own.
A basket holds, at one time, what has fallen due since the basket before. With probability ``difficulty`` an item of a
basket is none that is due, and follows global popularity. Because needs and periods are known, so is what a basket can
hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import numpy.typing as npt
import polars as pl

from elcrec.data.company import Company
from elcrec.data.synthetic import Floats, Integers
from elcrec.errors import DataError

NEEDS = 12
"""Needs of a user, among them perhaps the same item twice, which counts once."""
PERIODS = 7.0, 56.0
"""Shortest and longest period of a need, in days; its logarithm is uniform."""
GAPS = 4, 10
"""Fewest and most days from one basket of a user to the next."""
MOST_OF_A_USER = 1_500
"""Mean number of interactions of a user: about six years."""
START, OPENS, OPEN_MINUTES = np.datetime64("2020-01-01", "ms"), 8 * 60, 12 * 60


class Groceries(Company):
    """A shop whose users buy again.

    Attributes:
        item_UN: int64 [U, N], the items that each user needs.
        gap_U: int64 [U], days from one basket to the next.
        period_UN: float64 [U, N], days from one need of it to the next; infinite where the item is there already.
    """

    # reason: the sizes of a company, all with defaults
    def __init__(
        self,
        n_users: int = 5_000_000,
        n_items: int = 1_000_000,
        n_interactions: int = 100_000_000,
        n_intents: int = 256,
        difficulty: float = 0.2,
        seed: int = 1,
    ) -> None:
        """Open a shop; see :class:`elcrec.data.company.Company`.

        Raises:
            DataError: A number is out of range.
        """
        super().__init__(n_users, n_items, n_interactions, n_intents, difficulty, seed)
        if n_interactions > n_users * MOST_OF_A_USER:
            raise DataError(
                f"interactions={n_interactions:,}: with baskets a user has at most {MOST_OF_A_USER:,} on average; "
                f"use users={-(-n_interactions // MOST_OF_A_USER):,} or more"
            )
        random = np.random.default_rng((seed, 3))
        intent_U = random.choice(n_intents, n_users, p=self.shares(0))
        self.item_UN = np.sort(self.from_shelves(np.repeat(intent_U, NEEDS), random).reshape(n_users, NEEDS), axis=1)
        shortest, longest = np.log(PERIODS)
        self.period_UN: Floats = np.exp(random.uniform(shortest, longest, (n_users, NEEDS)))
        self.period_UN[:, 1:][self.item_UN[:, 1:] == self.item_UN[:, :-1]] = np.inf
        self._first_UN = random.uniform(0, PERIODS[1], (n_users, NEEDS)) % self.period_UN
        self.gap_U = random.integers(GAPS[0], GAPS[1] + 1, n_users)
        self._offset_U = random.integers(0, self.gap_U)

    def needs(self) -> pl.DataFrame:
        """The truth: ``user_id``, ``item_id`` and ``period`` (days)."""
        user_UN = np.broadcast_to(np.arange(1, self.n_users + 1)[:, None], self.item_UN.shape)
        columns = {"user_id": user_UN.ravel(), "item_id": self.item_UN.ravel(), "period": self.period_UN.ravel()}
        return pl.DataFrame(columns).filter(pl.col("period").is_finite())

    def due(self, day: int, user_B: Integers) -> npt.NDArray[np.bool_]:
        """Which needs of users have fallen due since their basket before: bool [B, N].

        Args:
            day: A day on which they go shopping, from 0.
            user_B: int64 [B], users, from 0.
        """
        first_BN, period_BN = self._first_UN[user_B], self.period_UN[user_B]
        times_BN, before_BN = (
            np.floor((day_B[:, None] - first_BN) / period_BN)
            for day_B in (np.full(len(user_B), day), day - self.gap_U[user_B])
        )
        fallen_BN: npt.NDArray[np.bool_] = times_BN > before_BN
        return fallen_BN & np.isfinite(period_BN)

    def events(self) -> Iterator[pl.DataFrame]:
        """The log in order of time, a day at a time: ``user_id``, ``item_id``, ``timestamp``."""
        random, left = np.random.default_rng((self.seed, 4)), self.n_interactions
        for day in count():
            frame = self._day(day, random).head(left)
            left -= frame.height
            if frame.height:
                yield frame
            if not left:
                return

    def _day(self, day: int, random: np.random.Generator) -> pl.DataFrame:
        """What is bought on a day."""
        user_B = np.flatnonzero((day + self._offset_U) % self.gap_U == 0)
        row_X, need_X = np.nonzero(self.due(day, user_B))
        item_X = self.item_UN[user_B[row_X], need_X]
        astray_X = np.flatnonzero(random.random(len(item_X)) < self.difficulty)
        intent_X = random.choice(self.n_intents, len(astray_X), p=self.shares(0))
        item_X[astray_X] = self.from_shelves(intent_X, random)
        minute_B = OPENS + random.integers(0, OPEN_MINUTES, len(user_B))
        time_X = START + np.timedelta64(day, "D") + minute_B[row_X].astype("timedelta64[m]")
        frame = pl.DataFrame({"user_id": user_B[row_X] + 1, "item_id": item_X, "timestamp": time_X})
        return frame.unique(maintain_order=True).sort("timestamp", maintain_order=True)
