"""Who is let through, without a network."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from elcrec.serving.metrics import Metrics
from elcrec.serving.middleware.hosts import Hosts
from elcrec.serving.middleware.keys import Keys
from elcrec.serving.middleware.requests import RateLimit, RequestMiddleware

KEY = "a-key-of-twenty-chars"


async def fine(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def asked(guard: RequestMiddleware, times: int, path: str = "/v1/model", **headers: str) -> Counter[int]:
    statuses: Counter[int] = Counter()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses[message["status"]] += 1

    async def ask() -> None:
        named = [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())]
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": named}
        for _ in range(times):
            await guard({**scope, "client": ("10.0.0.7", 1)}, None, send)

    asyncio.run(ask())
    return statuses


def test_who_guesses_keys_is_slowed_down_and_who_has_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEY)
    keys = Keys(tmp_path / "keys")
    guard = RequestMiddleware(fine, keys, Hosts("127.0.0.1", (), keyless=False), RateLimit(2), Metrics())
    guesses = asked(guard, 40, authorization="Bearer another-key-of-that-size")
    assert guesses[401] >= 4
    assert guesses[429] > 20
    assert asked(guard, 3, authorization=f"Bearer {KEY}") == {200: 3}
    assert asked(guard, 40, "/readyz") == {200: 40}
