"""Clients that take nothing of their answer, without a network."""

import asyncio
from pathlib import Path
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from elcrec.serving.middleware.connections import LimitedConnection, limited_connections
from elcrec.serving.options import Options


class Transport:
    """Says how much of an answer its client has not taken: the sizes given, one after the other."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.aborted = asyncio.Event()

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.sizes.pop(0)

    def abort(self) -> None:
        self.aborted.set()

    def is_closing(self) -> bool:
        return self.aborted.is_set()

    def close(self) -> None:
        pass


def connected(transport: Any) -> LimitedConnection:
    options = Options(Path("run"), "store", timeout=0.01)
    config = Config(app=lambda: None, lifespan="off", log_config=None, ws="none")
    edge = limited_connections(options)(config, ServerState(), {}, asyncio.get_running_loop())
    edge.connection_made(transport)
    edge._stop_deadline()
    return edge


def test_a_client_that_takes_nothing_is_hung_up_on_and_a_slow_one_is_not() -> None:
    async def watch() -> None:
        transport = Transport([100, 60, 20, 20])
        edge = connected(transport)
        edge.pause_writing()
        await asyncio.wait_for(transport.aborted.wait(), 60)
        assert transport.sizes == []
        edge.connection_lost(OSError())
        assert edge._undelivered is None

    asyncio.run(watch())


def test_a_client_that_takes_all_is_watched_no_longer() -> None:
    async def watch() -> None:
        transport = Transport([100])
        edge = connected(transport)
        edge.pause_writing()
        edge.resume_writing()
        assert edge._undelivered is None
        assert edge._deadline is None

    asyncio.run(watch())


def test_each_server_has_its_own_limits() -> None:
    one, two = (limited_connections(Options(Path("run"), "store", max_header=size)) for size in (1000, 2000))
    assert (one.options.max_header, two.options.max_header) == (1000, 2000)
