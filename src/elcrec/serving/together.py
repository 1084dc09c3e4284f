"""One thread that answers all who wait at once."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class _Waiting(NamedTuple, Generic[Job, Result]):
    job: Job
    future: asyncio.Future[Result]
    loop: asyncio.AbstractEventLoop


class Together(Generic[Job, Result]):
    """Questions of an event loop, answered by one thread of their own: those that wait, together.

    While the thread works on some, others queue up; so batches grow with the load, and nobody waits for a batch to
    fill. The event loop is never blocked.
    """

    def __init__(self, name: str, work: Callable[[list[Job]], Sequence[Result | Exception]], most: int) -> None:
        """Start the thread.

        Args:
            name: Of the thread.
            work: Answers some questions; gives a result or an exception for each.
            most: Questions answered at once.
        """
        self._work, self._most = work, most
        self._waiting: queue.SimpleQueue[_Waiting[Job, Result] | None] = queue.SimpleQueue()
        self.sizes: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def ask(self, job: Job) -> Result:
        """The answer to one question, or the exception it got."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.put(_Waiting(job, future, loop))
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

    def _answer(self, batch: list[_Waiting[Job, Result]]) -> None:
        self.sizes[len(batch)] = self.sizes.get(len(batch), 0) + 1
        try:
            results = self._work([one.job for one in batch])
        except Exception as error:
            results = [error] * len(batch)
        batch[0].loop.call_soon_threadsafe(_resolve, batch, results)


def _resolve(batch: list[_Waiting[Job, Result]], results: Sequence[Result | Exception]) -> None:
    for one, result in zip(batch, results, strict=True):
        if one.future.done():  # who asked has gone
            continue
        if isinstance(result, Exception):
            one.future.set_exception(result)
        else:
            one.future.set_result(result)
