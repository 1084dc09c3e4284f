"""Middleware around all endpoints: API keys, rate limits, hosts, metrics, and the request log."""

from __future__ import annotations

import json
import logging
import time
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from elcrec.serving.api.errors import INTERNAL_ERROR, ApiError
from elcrec.serving.api.parameters import ESCAPED_SLASH
from elcrec.serving.metrics import Metrics
from elcrec.serving.middleware.hosts import Headers, Hosts, Refusal
from elcrec.serving.middleware.keys import Keys, header

LOG = logging.getLogger("elcrec.serve")
HEALTH = ("healthz", "readyz")
"""Probes of orchestrators: no rate limit."""
PUBLIC = ("", *HEALTH, "docs", "openapi/openapi.json")
"""Needs no key: nothing of the model or of users. All other paths do, whatever the routing makes of them."""
MOST_CLIENTS = 10_000
NO_KEY = (401, "send a valid API key: header 'Authorization: Bearer KEY'")
TOO_MANY_REQUESTS = (429, "too many requests: wait a second")
NOT_JSON = (415, "send Content-Type: application/json")
SECURITY_HEADERS = [(b"x-frame-options", b"DENY"), (b"x-content-type-options", b"nosniff")]
"""In every response: no page frames it, and browsers do not guess its type."""


class RateLimit:
    """A token bucket for each client: so many requests a second, two seconds' worth at once."""

    def __init__(self, a_second: float) -> None:
        """0: no limit."""
        self._a_second = a_second
        self._left: dict[bytes, tuple[float, float]] = {}

    def allows(self, client: bytes) -> bool:
        """Whether another request is within the limit; counts it."""
        if self._a_second <= 0:
            return True
        now, most = time.monotonic(), max(1.0, 2 * self._a_second)
        left, then = self._left.pop(client, (most, now))
        left = min(most, left + (now - then) * self._a_second)
        allowed = left >= 1
        if len(self._left) >= MOST_CLIENTS:
            self._left.pop(next(iter(self._left)))
        self._left[client] = (left - 1 if allowed else left, now)
        return allowed


class RequestMiddleware:
    """An ASGI application around the endpoints."""

    def __init__(self, app: Any, keys: Keys, hosts: Hosts, rate: RateLimit, metrics: Metrics) -> None:
        """See :class:`Keys`, :class:`Hosts`, :class:`RateLimit`, :class:`Metrics`."""
        self._app, self._keys, self._hosts, self._rate, self._metrics = app, keys, hosts, rate, metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on or refuse it; count and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Where GET works, HEAD does: the web server leaves the body out.
        request = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        begun, status = time.perf_counter(), 0

        async def respond(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _headers(message.get("headers", ()))}
            await send(message)

        try:
            refusal = self._refusal(request) or _with_strict_path(request)
            if refusal is None:
                await self._app(request, _whole(receive), respond)
            else:
                await self._refuse(respond, refusal, request["headers"])
        except Exception as error:
            LOG.error("failed", exc_info=error, extra={"fields": {"path": _template(request)}})
            if status:
                raise
            await self._refuse(respond, (500, INTERNAL_ERROR), request["headers"])
        finally:
            self._record(scope["method"], _template(request), status, time.perf_counter() - begun)

    def _record(self, method: str, path: str, status: int, seconds: float) -> None:
        self._metrics.count(method, path, status, seconds)
        # The template, not the path: ids of users do not belong into logs.
        fields = {"method": method, "path": path, "status": status, "ms": round(1000 * seconds, 2)}
        LOG.info("request", extra={"fields": fields})

    def _refusal(self, request: Any) -> Refusal | None:
        """Why a request is refused: by its key, its client's rate, its content type or its host."""
        method, headers = request["method"], request["headers"]
        client = (request.get("client") or ("",))[0].encode()
        path = "/".join(filter(None, request["path"].split("/")))
        if self._needs_key(method, path):
            key = self._keys.known(headers)
            if key is None:
                return NO_KEY if self._rate.allows(client) else TOO_MANY_REQUESTS
            client = key
        if path not in HEALTH and not self._rate.allows(client):
            return TOO_MANY_REQUESTS
        # Another site's page can send such a request without a preflight.
        if method == "POST" and header(headers, b"origin") and not _is_json(headers):
            return NOT_JSON
        return self._hosts.refusal(method, headers)

    def _needs_key(self, method: str, path: str) -> bool:
        return self._keys.there and path not in PUBLIC and method != "OPTIONS"

    async def _refuse(self, send: Any, refusal: Refusal, request_headers: Headers) -> None:
        status, sentence = refusal
        headers = [(b"content-type", b"application/json")]
        headers += {401: [(b"www-authenticate", b"Bearer")], 429: [(b"retry-after", b"1")]}.get(status, [])
        origin = header(request_headers, b"origin")
        if self._hosts.shares_with(origin):  # its page may read why
            headers += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        body = json.dumps({"error": sentence}).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _with_strict_path(request: Any) -> Refusal | None:
    """Decode the path again, so that an escaped slash separates nothing and invalid UTF-8 is refused."""
    raw = (request.get("raw_path") or b"").split(b"?")[0].decode("latin-1")
    try:
        unquote_to_bytes(request.get("query_string") or b"").decode()
        if "%" in raw:
            request["path"] = unquote(raw.replace("%2f", "%2F").replace("%2F", ESCAPED_SLASH), errors="strict")
    except UnicodeDecodeError:
        return 400, "the address holds bytes that are no UTF-8: percent-encode ids as UTF-8"
    return None


def _whole(receive: Any) -> Any:
    """The receiving side; a client that disconnects before the request has ended gets a client error, not a 500."""
    more = True

    async def read() -> Any:
        nonlocal more
        message = await receive()
        if more and message["type"] == "http.disconnect":
            raise ApiError(400, "the connection ended before the request did")
        more = bool(message.get("more_body", False))
        return message

    return read


def _headers(headers: Any) -> Headers:
    known = {b"GET": b"GET, HEAD"}
    changed = [
        (name, b", ".join(known.get(one.strip(), one.strip()) for one in value.split(b",")))
        if name.lower() == b"allow"
        else (name, value)
        for name, value in headers
    ]
    return [*changed, *SECURITY_HEADERS]


def _template(request: Any) -> str:
    return str(request.get("path_template") or "other")


def _is_json(headers: Headers) -> bool:
    return header(headers, b"content-type").split(b";")[0].strip().lower() == b"application/json"
