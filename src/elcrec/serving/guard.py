"""What stands before every endpoint: keys, rates, metrics, the log of requests."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from elcrec.errors import SettingsError
from elcrec.serving.metrics import Metrics

LOG = logging.getLogger("elcrec.serve")
SLASH = "\ue000"
"""Stands for an escaped slash within an id, so that it does not part the path."""
OPEN = ("", "healthz", "readyz", "openapi/openapi.json")
"""Needs no key: nothing of the model or of people. All else does, whatever the routing makes of its path."""
MOST_CALLERS = 10_000


class Keys:
    """API keys, compared in constant time."""

    def __init__(self, path: Path | None) -> None:
        """Read a file: one key a line, ``#`` begins a comment.

        Raises:
            SettingsError: It cannot be read, holds none, or one too short to be a secret.
        """
        self.there = path is not None
        self._digests: list[bytes] = []
        if path is None:
            return
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--api-key-file {path} cannot be read: {error}") from error
        keys = [line for line in lines if line and not line.startswith("#")]
        if not keys or any(len(key) < 16 for key in keys):
            raise SettingsError(f"--api-key-file {path}: write keys of 16 characters or more into it, one a line")
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def known(self, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The digest of the key that a request brings, if it is one of ours; looks at all, however it differs."""
        given, bearer = _header(headers, b"x-api-key"), _header(headers, b"authorization")
        if bearer[:7].lower() == b"bearer ":
            given = bearer[7:].strip()
        asked = hashlib.sha256(given).digest()
        matches = [hmac.compare_digest(asked, digest) for digest in self._digests]
        return asked if any(matches) else None


class Rate:
    """So many requests a second and caller, two seconds' worth at once."""

    def __init__(self, a_second: float) -> None:
        """0: no limit."""
        self._a_second = a_second
        self._left: dict[bytes, tuple[float, float]] = {}

    def allows(self, caller: bytes) -> bool:
        """Whether another request is within the limit; counts it."""
        if self._a_second <= 0:
            return True
        now, most = time.monotonic(), max(1.0, 2 * self._a_second)
        left, then = self._left.pop(caller, (most, now))
        left = min(most, left + (now - then) * self._a_second)
        allowed = left >= 1
        if len(self._left) >= MOST_CALLERS:
            self._left.pop(next(iter(self._left)))
        self._left[caller] = (left - 1 if allowed else left, now)
        return allowed


class Guard:
    """An ASGI application around the endpoints."""

    def __init__(self, app: Any, keys: Keys, rate: Rate, metrics: Metrics, origins: tuple[str, ...] = ()) -> None:
        """See :class:`Keys`, :class:`Rate`, :class:`Metrics`; ``origins``: other sites whose pages may ask."""
        self._app, self._keys, self._rate, self._metrics, self._origins = app, keys, rate, metrics, origins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request pass, or refuse it; count and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def watch(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is None:
                _keep_slashes(scope)
                await self._app(scope, receive, watch)
            else:
                await _refuse(watch, *refusal, self._origin_allowed(scope))
        finally:
            seconds = time.perf_counter() - begun
            method, path = scope["method"], str(scope.get("path_template") or "other")
            self._metrics.count(method, path, status, seconds)
            # The template, not the path: ids of people do not belong into logs.
            fields = {"method": method, "path": path, "status": status, "ms": round(1000 * seconds, 2)}
            LOG.info("request", extra={"fields": fields})

    def _refusal(self, scope: Any) -> tuple[int, str] | None:
        caller = (scope.get("client") or ("",))[0].encode()
        path = "/".join(part for part in scope["path"].split("/") if part)
        if self._keys.there and path not in OPEN and scope["method"] != "OPTIONS":
            key = self._keys.known(scope["headers"])
            if key is None:
                return 401, "send a valid API key: header 'Authorization: Bearer KEY'"
            caller = key
        if not self._rate.allows(caller):
            return 429, "too many requests: wait a second"
        # What another site's page can send without being asked whether it may.
        if scope["method"] == "POST" and _header(scope["headers"], b"origin") and not _is_json(scope):
            return 415, "send Content-Type: application/json"
        return None

    def _origin_allowed(self, scope: Any) -> bytes:
        origin = _header(scope["headers"], b"origin")
        return origin if "*" in self._origins or origin.decode("latin-1") in self._origins else b""


def _keep_slashes(scope: Any) -> None:
    raw = scope.get("raw_path") or b""
    if b"%2f" in raw.lower():
        text = raw.split(b"?")[0].decode("latin-1").replace("%2f", "%2F")
        scope["path"] = unquote(text.replace("%2F", SLASH), errors="replace")


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for one, value in headers if one == name), b"")


def _is_json(scope: Any) -> bool:
    return _header(scope["headers"], b"content-type").split(b";")[0].strip().lower() == b"application/json"


async def _refuse(send: Any, status: int, sentence: str, origin: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    headers += {401: [(b"www-authenticate", b"Bearer")], 429: [(b"retry-after", b"1")]}.get(status, [])
    if origin:  # its page may read why
        headers += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": sentence}).encode()})
