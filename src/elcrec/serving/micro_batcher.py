"""Micro-batches: one thread answers all requests that wait at once."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class MicroBatcher(Generic[Job, Result]):
    """Answers jobs of an event loop in a thread of its own, those that wait in one batch.

    While the thread works on a batch, others queue up; so batches grow with the load, and no job waits for a batch to
    fill. The event loop is never blocked.

    Attributes:
        sizes: How many batches of each size there were.
    """

    def __init__(self, name: str, work: Callable[[list[Job]], Sequence[Result | Exception]], most: int) -> None:
        """Start the thread.

        Args:
            name: Name of the thread.
            work: Answers a batch: a result or an exception for each job.
            most: Largest batch.
        """
        self._work, self._most = work, most
        self._waiting: queue.SimpleQueue[tuple[Job, asyncio.Future[Result]] | None] = queue.SimpleQueue()
        self.sizes: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def answer(self, job: Job) -> Result:
        """The result of a job, or the exception it got."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.put((job, future))
        return await future

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._waiting.put(None)
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = [first], False
            while len(batch) < self._most:
                try:
                    one = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if one is None:
                    last = True
                    break
                batch.append(one)
            self._answer(batch)
            if last:
                return

    def _answer(self, batch: list[tuple[Job, asyncio.Future[Result]]]) -> None:
        self.sizes[len(batch)] = self.sizes.get(len(batch), 0) + 1
        try:
            results = self._work([job for job, _ in batch])
        except Exception as error:
            results = [error] * len(batch)
        futures = [future for _, future in batch]
        futures[0].get_loop().call_soon_threadsafe(_resolve, futures, results)


def _resolve(futures: list[asyncio.Future[Result]], results: Sequence[Result | Exception]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.done():  # the client has disconnected
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
