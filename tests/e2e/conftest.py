"""Shared by the tests of pages."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window; of one module, since its event loop would be in the way of other tests."""
    from browser_views import launched

    with launched() as started:
        yield started
