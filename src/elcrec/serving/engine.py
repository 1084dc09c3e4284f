"""The engine behind the endpoints: the model that is served, its micro-batches, and the event store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from elcrec.errors import RunError, SettingsError, StoreError
from elcrec.serving.admission import WAITING, WorkQueue, is_slow
from elcrec.serving.health import StoreHealth
from elcrec.serving.micro_batcher import MicroBatcher
from elcrec.serving.options import Options
from elcrec.serving.pending import PendingRequest, recommend_batch
from elcrec.serving.snapshot import Snapshot, stamp_of
from elcrec.serving.store import Event, Store

if TYPE_CHECKING:
    from elcrec.inference.lookup import Recommendations

BATCH_SIZE = 32
SLOW_BATCH_SIZE = 8
COMMIT_SIZE = 512


class Engine:
    """Everything that the endpoints need.

    Attributes:
        options: How the server is run.
        snapshot: The model that is served, and with it the one it is compared with; replaced whole by :meth:`reload`.
        store: The event store.
        work: Work of requests that wait; ``slow_work`` that of slow ones.
        store_health: Whether the store works.
        tell_others: Called at every request to reload, for the other workers.
    """

    def __init__(self, options: Options, snapshot: Snapshot, store: Store) -> None:
        """Start the threads."""
        self.options, self.snapshot, self.store = options, snapshot, store
        batch = partial(recommend_batch, store=store)
        self._fast: MicroBatcher[PendingRequest, Recommendations]
        self._fast = MicroBatcher("elcrec-recommend", batch, BATCH_SIZE)
        # Slow requests have a thread of their own, so that fast ones do not wait for them. Their batches are small, so
        # that a fast request shares the processor with few of them.
        self._slow: MicroBatcher[PendingRequest, Recommendations]
        self._slow = MicroBatcher("elcrec-recommend-slow", batch, SLOW_BATCH_SIZE)
        self._commits: MicroBatcher[Sequence[Event], list[bool]]
        self._commits = MicroBatcher("elcrec-store", self._commit, COMMIT_SIZE)
        self.work, self.slow_work = WorkQueue(WAITING * options.max_work), WorkQueue(WAITING * options.max_work)
        self.store_health = StoreHealth(store, writing=not options.read_only)
        self.tell_others: Callable[[], None] = lambda: None
        self._reloading = asyncio.Lock()

    @property
    def batch_sizes(self) -> dict[str, dict[int, int]]:
        """Number of micro-batches of each size, by thread; the names are labels in ``/metrics``, a contract."""
        return {"lists": self._fast.sizes, "slow-lists": self._slow.sizes, "store": self._commits.sizes}

    def close(self) -> None:
        """Answer what waits, store what is to be stored, stop."""
        self._commits.close()
        self._fast.close()
        self._slow.close()
        self.store_health.close()
        self.snapshot.background.shutdown()
        self.store.close()

    # ------------------------------------------------------------------ requests

    async def recommend(self, pending: PendingRequest) -> Recommendations:
        """Recommendations for a request.

        Raises:
            ElcrecError: The user has no history, and there is no fallback; or the store failed.
        """
        slow = is_slow(pending.policy.explain, pending.policy.diversify)
        return await (self._slow if slow else self._fast).answer(pending)

    async def commit(self, events: Sequence[Event]) -> list[bool]:
        """Store events durably: whether each is new.

        Raises:
            ElcrecError: See :class:`elcrec.serving.store.Store`.
        """
        return await self._commits.answer(events)

    def _commit(self, waiting: list[Sequence[Event]]) -> list[list[bool] | Exception]:
        """Store the events of many requests in one transaction."""
        new = iter(self.store.write([event for events in waiting for event in events]))
        return [[next(new) for _ in events] for events in waiting]

    # ------------------------------------------------------------------ another model

    async def reload(self) -> bool:
        """Load the run, and the second one, again if files of either changed; where one is damaged, both models stay.

        Returns:
            Whether another model is served now, or compared with.

        Raises:
            RunError: A run is damaged, does not fit the store, or cannot be compared with the other.
        """
        async with self._reloading:
            stamps = [stamp_of(run).model for run in self.options.runs]
            changed = stamps != [one.stamp.model for one in self.snapshot.both]
            if changed:
                fresh = await asyncio.to_thread(_load_and_prepare, self.options, self.snapshot.background, self.store)
                self.snapshot = fresh  # requests that hold the old one are answered by it
            for one in self.snapshot.both:
                if stamp_of(one.run).names != one.stamp.names:
                    await one.run_in_background(one.read_names)
            return changed


def _load_and_prepare(options: Options, background: ThreadPoolExecutor, store: Store) -> Snapshot:
    try:
        snapshot = Snapshot.load(options, background)
        snapshot.prepare()
        store.adopt(snapshot.lookup.clock.kind)
    except RunError:
        raise
    except (SettingsError, StoreError) as error:
        raise RunError(str(error)) from error
    except Exception as error:
        raise RunError(f"{' or '.join(map(str, options.runs))} is damaged: {error}") from error
    return snapshot
