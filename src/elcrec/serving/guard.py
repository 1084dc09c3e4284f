"""What stands before every endpoint: hosts, keys, rates, metrics, the log of requests."""

from __future__ import annotations

import json
import logging
import time
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from elcrec.serving.hosts import Headers, Hosts, Refusal
from elcrec.serving.keys import Keys, header
from elcrec.serving.metrics import Metrics
from elcrec.serving.problems import BROKEN, Refused

LOG = logging.getLogger("elcrec.serve")
SLASH = "\ud800"
"""Stands for an escaped slash within an id, so that it does not part the path. No id holds it: it is no character."""
HEALTH = ("healthz", "readyz")
"""Asked by machines that restart the server: never too often."""
OPEN = ("", *HEALTH, "openapi/openapi.json")
"""Needs no key: nothing of the model or of people. All else does, whatever the routing makes of its path."""
MOST_CALLERS = 10_000
TOO_MANY = (429, "too many requests: wait a second")
ALWAYS = [(b"x-frame-options", b"DENY"), (b"x-content-type-options", b"nosniff")]
"""In every answer: no page frames it, no browser takes it for something else."""


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

    def __init__(self, app: Any, keys: Keys, hosts: Hosts, rate: Rate, metrics: Metrics) -> None:
        """See :class:`Keys`, :class:`Hosts`, :class:`Rate`, :class:`Metrics`."""
        self._app, self._keys, self._hosts, self._rate, self._metrics = app, keys, hosts, rate, metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request pass, or refuse it; count and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Where GET works, HEAD does: the web server leaves the body out.
        request = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        begun, status = time.perf_counter(), 0

        async def answer(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _headers(message.get("headers", ()))}
            await send(message)

        try:
            refusal = self._refusal(request) or _with_strict_path(request)
            if refusal is None:
                await self._app(request, _whole(receive), answer)
            else:
                await self._refuse(answer, refusal, request["headers"])
        except Exception as error:
            LOG.error("failed", exc_info=error, extra={"fields": {"path": _template(request)}})
            if status:
                raise
            await self._refuse(answer, (500, BROKEN), request["headers"])
        finally:
            self._tell(scope["method"], _template(request), status, time.perf_counter() - begun)

    def _tell(self, method: str, path: str, status: int, seconds: float) -> None:
        self._metrics.count(method, path, status, seconds)
        # The template, not the path: ids of people do not belong into logs.
        fields = {"method": method, "path": path, "status": status, "ms": round(1000 * seconds, 2)}
        LOG.info("request", extra={"fields": fields})

    def _refusal(self, request: Any) -> Refusal | None:
        method, headers = request["method"], request["headers"]
        caller = (request.get("client") or ("",))[0].encode()
        path = "/".join(part for part in request["path"].split("/") if part)
        if self._keys.there and path not in OPEN and method != "OPTIONS":
            key = self._keys.known(headers)
            if key is None and not self._rate.allows(caller):
                return TOO_MANY
            if key is None:
                return 401, "send a valid API key: header 'Authorization: Bearer KEY'"
            caller = key
        if path not in HEALTH and not self._rate.allows(caller):
            return TOO_MANY
        # What another site's page can send without being asked whether it may.
        if method == "POST" and header(headers, b"origin") and not _is_json(headers):
            return 415, "send Content-Type: application/json"
        return self._hosts.refusal(method, headers)

    async def _refuse(self, send: Any, refusal: Refusal, asked: Headers) -> None:
        status, sentence = refusal
        headers = [(b"content-type", b"application/json")]
        headers += {401: [(b"www-authenticate", b"Bearer")], 429: [(b"retry-after", b"1")]}.get(status, [])
        origin = header(asked, b"origin")
        if self._hosts.shares_with(origin):  # its page may read why
            headers += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        body = json.dumps({"error": sentence}).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _with_strict_path(request: Any) -> Refusal | None:
    """Read the path again, so that an escaped slash parts nothing and bytes that are no text name nobody."""
    raw = (request.get("raw_path") or b"").split(b"?")[0].decode("latin-1")
    try:
        unquote_to_bytes(request.get("query_string") or b"").decode()
        if "%" in raw:
            request["path"] = unquote(raw.replace("%2f", "%2F").replace("%2F", SLASH), errors="strict")
    except UnicodeDecodeError:
        return 400, "the address holds bytes that are no UTF-8: percent-encode ids as UTF-8"
    return None


def _whole(receive: Any) -> Any:
    """What is received; a request whose sender goes before it has ended is their mistake, not ours."""
    more = True

    async def read() -> Any:
        nonlocal more
        message = await receive()
        if more and message["type"] == "http.disconnect":
            raise Refused(400, "the connection ended before the request did")
        more = bool(message.get("more_body", False))
        return message

    return read


def _headers(headers: Any) -> Headers:
    known = {b"GET": b"GET, HEAD"}
    told = [
        (name, b", ".join(known.get(one.strip(), one.strip()) for one in value.split(b",")))
        if name.lower() == b"allow"
        else (name, value)
        for name, value in headers
    ]
    return [*told, *ALWAYS]


def _template(request: Any) -> str:
    return str(request.get("path_template") or "other")


def _is_json(headers: Headers) -> bool:
    return header(headers, b"content-type").split(b";")[0].strip().lower() == b"application/json"
