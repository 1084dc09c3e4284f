"""A synthetic log of any size, written as a stream: a larger version of the shop of ``synthetic.py``.

Every item belongs to one planted intent (its shelf), and is bought by Zipf's law within it. A user has one intent at a
time and changes it now and then; the mix of intents drifts while the log runs. With probability ``difficulty`` a
purchase ignores the user's intent and follows global popularity. Unlike in the small shop, an item may be bought again.

With kinds of events, purchases are as before, and most events are views: of what the front page shows, which has
nothing to do with intents, or, now and then, of what a user is after.

Rows come in order of time, all users mixed, as a company writes its log. Only the users' and items' tables are kept
in memory; nothing grows with the number of interactions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.io.plugins import register_io_source

from elcrec.data.synthetic import Floats, Integers
from elcrec.errors import DataError
from elcrec.storage import sink, table_format, write_atomically

ZIPF = 0.8
"""Exponent of popularity within an intent: the item of rank r is bought in proportion to ``r ** -ZIPF``."""
CHANGES = 2.0
"""How often a user changes intent while the log runs, on average."""
ACTIVITY = 1.0
"""Spread of the users' activity: standard deviation of its logarithm."""
SIZES = 0.5
"""Spread of the intents' sizes: standard deviation of their logarithm.

Sizes are drawn separately for shelves, and for users at the start and at the end."""
VIEWS, AFTER_INTENT = 0.8, 0.1
"""Share of the events that are views, where there are kinds, and share of the views that follow the user's intent."""
START, SPAN_MS = np.datetime64("2025-01-01T00:00", "ms"), 365 * 24 * 3600 * 1000
PERIODS, ROWS_AT_ONCE = 100, 1 << 20
SCHEMA = {"user_id": pl.Int64(), "item_id": pl.Int64(), "timestamp": pl.Datetime("ms")}


class Company:
    """A company: who buys how much, what stands on which shelf, and how intents drift.

    Attributes:
        n_users: Customers; ids are 1 .. n_users. Some buy nothing where interactions are few.
        n_items: Items; ids are 1 .. n_items.
        n_interactions: Rows of the log.
        n_intents: Planted intents, K.
        difficulty: 0 (only the intent decides) to 1 (only the crowd does).
        seed: The company and its log follow from it.
        kinds: Whether events are views and purchases.
        shelf_K: int64 [K + 1], shelf k is places ``shelf_K[k] .. shelf_K[k + 1] - 1`` of ``item_V``.
        item_V: int64 [V], item ids shelf by shelf, the most popular of each first.
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
        kinds: bool = False,
    ) -> None:
        """Found a company; see the class.

        Raises:
            DataError: A number is out of range.
        """
        for name, value, least in (
            ("users", n_users, 1),
            ("interactions", n_interactions, 1),
            ("intents", n_intents, 1),
            ("items", n_items, n_intents),
        ):
            if value < least:
                raise DataError(f"{name}={value:,}: a company needs at least {least:,} (one item an intent)")
        if not 0 <= difficulty <= 1:
            raise DataError(f"difficulty={difficulty}: use a number from 0 to 1")
        self.n_users, self.n_items, self.n_interactions = n_users, n_items, n_interactions
        self.n_intents, self.difficulty, self.seed, self.kinds = n_intents, difficulty, seed, kinds
        random = np.random.default_rng((seed, 0))
        size_K = _sizes(n_intents, random)
        # At least one item a shelf; the others by its size.
        self.shelf_K = np.rint(np.r_[0, size_K.cumsum()] * (n_items - n_intents)).astype(np.int64)
        self.shelf_K += np.arange(n_intents + 1)
        self.item_V = random.permutation(n_items) + 1
        self._mix_K = np.stack([_sizes(n_intents, random), _sizes(n_intents, random)])
        self._page_V = np.random.default_rng((seed, 2)).permutation(n_items) + 1 if kinds else self.item_V
        self._activity_U = random.lognormal(0, ACTIVITY, n_users).cumsum()

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Columns of the log."""
        return {**SCHEMA, "event": pl.String()} if self.kinds else dict(SCHEMA)

    def shares(self, passed: float) -> Floats:
        """Share of users who change to each intent: [K], sums to 1.

        Args:
            passed: The moment, 0 (start of the log) to 1 (its end).
        """
        share_K: Floats = (1 - passed) * self._mix_K[0] + passed * self._mix_K[1]
        return share_K

    def catalogue(self) -> pl.DataFrame:
        """The truth, as item metadata: ``item_id``, ``title`` and ``category`` (its shelf), in order of the ids."""
        shelf_V = np.repeat(np.arange(self.n_intents), np.diff(self.shelf_K))
        place_V = np.arange(self.n_items) - self.shelf_K[shelf_V] + 1
        shelf = pl.format("shelf {}", "shelf")
        return (
            pl.DataFrame({"item_id": self.item_V, "shelf": shelf_V, "place": place_V})
            .sort("item_id")
            .select("item_id", title=pl.format("{}, item {}", shelf, "place"), category=shelf)
        )

    def events(self) -> Iterator[pl.DataFrame]:
        """The log in order of time, some rows at a time: ``user_id``, ``item_id``, ``timestamp``, perhaps ``event``."""
        random = np.random.default_rng((self.seed, 1))
        intent_U = _draw(self.shares(0), self.n_users, random).astype(np.int32)
        at_once = min(-(-self.n_interactions // PERIODS), ROWS_AT_ONCE)
        for row in range(0, self.n_interactions, at_once):
            end = min(row + at_once, self.n_interactions)
            begin_share, end_share = row / self.n_interactions, end / self.n_interactions
            share_K = self.shares(begin_share)
            user_B = self._buyers(end - row, random)
            item_B = self._purchases(intent_U[user_B], share_K, random)
            time_B = (begin_share + (end_share - begin_share) * _ordered(end - row, random)) * SPAN_MS
            frame = pl.DataFrame(
                {"user_id": user_B + 1, "item_id": item_B, "timestamp": START + time_B.astype("timedelta64[ms]")}
            )
            yield self._with_kinds(frame, random) if self.kinds else frame
            # Time passes: some users, perhaps the same twice, change their minds.
            n_changes = random.binomial(self.n_users, min(1.0, CHANGES * (end_share - begin_share)))
            intent_U[random.integers(self.n_users, size=n_changes)] = _draw(share_K, n_changes, random)

    def _with_kinds(self, frame: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
        """The same events as views and purchases; most of what is viewed stands on the front page."""
        view_B = random.random(frame.height) < VIEWS
        shown_B = view_B & (random.random(frame.height) >= AFTER_INTENT)
        item_B = frame["item_id"].to_numpy(writable=True)
        rank_B = _ranks(np.full(int(shown_B.sum()), self.n_items), random)
        item_B[shown_B] = self._page_V[rank_B]
        event = pl.select(pl.when(pl.Series(view_B)).then(pl.lit("view")).otherwise(pl.lit("purchase"))).to_series()
        return frame.with_columns(item_id=item_B, event=event)

    def _buyers(self, count: int, random: np.random.Generator) -> Integers:
        """Users drawn by their activity: int64 [count], from 0."""
        # Places in order are looked up several times faster than mixed ones.
        user_B = np.searchsorted(self._activity_U, _ordered(count, random) * self._activity_U[-1], side="right")
        random.shuffle(user_B)
        drawn_B: Integers = np.minimum(user_B, self.n_users - 1)  # the last number can round up to the whole
        return drawn_B

    def _purchases(self, intent_B: npt.NDArray[np.int32], share_K: Floats, random: np.random.Generator) -> Integers:
        """An item id for each intent; some follow the crowd instead: int64 [B]."""
        astray = np.flatnonzero(random.random(len(intent_B)) < self.difficulty)
        intent_B[astray] = _draw(share_K, len(astray), random)
        return self.from_shelves(intent_B, random)

    def from_shelves(self, intent_B: npt.NDArray[Any], random: np.random.Generator) -> Integers:
        """An item id from the shelf of each intent, by Zipf's law: int64 [B]."""
        first_B = self.shelf_K[intent_B]
        bought_B: Integers = self.item_V[first_B + _ranks(self.shelf_K[intent_B + 1] - first_B, random)]
        return bought_B


class Written(NamedTuple):
    """How many rows a log has, and how many different users and items."""

    rows: int
    users: int
    items: int


def write_company(company: Company, path: Path, progress: Callable[[int], object]) -> Written:
    """Write a company's log as a table, by its file's ending, whole or not at all; the same seed gives the same bytes.

    Args:
        company: The company.
        path: The file.
        progress: Receives the number of rows so far.

    Returns:
        What was written: users who buy nothing, and items that no user buys, are not in the log.

    Raises:
        SettingsError: Its ending is none of a table.
        RunError: The disk is full or the folder cannot be written.
    """
    format = table_format(path)
    buys_U, bought_V = np.zeros(company.n_users + 1, bool), np.zeros(company.n_items + 1, bool)
    done = 0

    def source(*_: object) -> Iterator[pl.DataFrame]:
        nonlocal done
        done = 0
        for frame in company.events():
            yield frame
            buys_U[frame["user_id"].to_numpy()] = True
            bought_V[frame["item_id"].to_numpy()] = True
            done += frame.height
            progress(done)

    def write(beside: Path) -> None:
        try:
            table = register_io_source(source, schema=company.schema, is_pure=True)
            sink(table, beside, format, ROWS_AT_ONCE)
        except KeyboardInterrupt:
            # Polars raises its own; Python's is still to come, here, and not amid the clearing up.
            time.sleep(0)
            raise

    write_atomically(path, write)
    return Written(done, int(buys_U.sum()), int(bought_V.sum()))


def _ranks(size_B: Integers, random: np.random.Generator) -> Integers:
    """Places from 0 drawn by Zipf's law among so many: a power law by its inverse distribution function, cut to whole.

    Args:
        size_B: Among how many each is drawn, >= 1.
        random: The draws follow from it.
    """
    power_B = (size_B + 1.0) ** (1 - ZIPF)
    rank_B = (1 + random.random(len(size_B)) * (power_B - 1)) ** (1 / (1 - ZIPF))
    drawn_B: Integers = np.minimum(rank_B.astype(np.int64), size_B) - 1
    return drawn_B


def _sizes(count: int, random: np.random.Generator) -> Floats:
    size_K: Floats = random.lognormal(0, SIZES, count)
    size_K /= size_K.sum()
    return size_K


def _draw(share_K: Floats, count: int, random: np.random.Generator) -> Integers:
    return random.choice(len(share_K), size=count, p=share_K)


def _ordered(count: int, random: np.random.Generator) -> Floats:
    """Uniform numbers from 0 to 1 in ascending order, without sorting: gaps between them are exponential."""
    sum_B = random.exponential(size=count + 1).cumsum()
    between: Floats = sum_B[:-1] / sum_B[-1]
    return between
