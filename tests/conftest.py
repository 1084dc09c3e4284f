"""Shared by all tests: one thread for each of the processes that run them, and where benchmark data and values lie."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch is imported; the programs that tests start inherit it
SHARED = Path(os.environ.get("ELCREC_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))


# No test is timed: a busy machine is no fault.
hypothesis.settings.register_profile("untimed", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def beauty() -> Path:
    """The Beauty file of the published systems."""
    path = SHARED / "data" / "Beauty.txt"
    if not path.exists():
        pytest.skip(f"no {path}: set ELCREC_SHARED to the folder that holds data/ and reference/")
    return path


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a store of each kind."""
    if request.param == "sqlite":
        yield str(tmp_path / "events.sqlite")
        return
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on the PATH: apt-get install redis-server")
    from redis_server import RedisServer

    with RedisServer(tmp_path) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window; of one module, since its event loop would be in the way of other tests."""
    from browser_views import launched

    with launched() as started:
        yield started
