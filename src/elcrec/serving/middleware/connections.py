"""Limits of a connection: the size of a request's head, and the time a request and its response may take.

The web server itself reads a head of any size and waits for it without end; so a client that sends a byte a minute
holds a connection for as long as it likes. It also accepts pipelined requests without limit, whatever waits for a
response.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from elcrec.serving.options import Options

LINGER = 0.5
MOST_PIPELINED = 100
"""Requests of one connection that may wait for their responses."""


class LimitedConnection(HttpToolsProtocol):
    """A connection with the limits of :attr:`options`."""

    options: Options
    _deadline: asyncio.TimerHandle | None = None
    _undelivered: asyncio.TimerHandle | None = None
    _head: int = 0
    _in_body: bool = False
    _refused: bool = False
    _reading: RequestResponseCycle | None = None
    _final_response: bytes | None = None

    # ------------------------------------------------------------------ the request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or refuse one too many."""
        super().connection_made(transport)
        if len(self.connections) > self.options.max_connections:
            self._refuse(503, "too many connections: try again in a second")
            return
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        if self._refused or self.transport.is_closing():
            return
        if not self._in_body:
            self._head += len(data)
        super().data_received(data)
        if not self._in_body and self._head > self.options.max_header:
            self._too_long()
        elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._start_deadline()  # blank lines between requests are no request

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_body, self._reading = False, None
        if not self._refused:
            self._start_deadline()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers after a chunked body are ignored."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        self._in_body, self._head = True, 0
        if self._refused:
            return
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.options.max_header:
            self._too_long()
            return
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(503, f"{MOST_PIPELINED} requests of this connection wait already: read their answers first")
            return
        super().on_headers_complete()
        self._reading = self.cycle
        self._reading.transport = _ClosedByConnection(self.transport, self._close)

    def on_body(self, body: bytes) -> None:
        """Part of a body; that of a refused request is dropped: it does not belong to the request before."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request has arrived."""
        self._in_body = False
        self._stop_deadline()
        if not self._refused:
            super().on_message_complete()
            self._reading = None

    def send_400_response(self, msg: str) -> None:
        """The bytes are not HTTP."""
        self._refuse(400, "this is no HTTP request")

    def _unsupported_upgrade_warning(self) -> None:
        """The body of an Upgrade request is not read; without a body, nothing is lost."""
        if self.scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            self._reading = self.cycle
            self._refuse(400, "this server speaks HTTP/1.1 only: leave the Upgrade header out")

    def _too_long(self) -> None:
        self._refuse(431, f"address and headers hold more than {self.options.max_header:,} bytes (--max-header)")

    # ------------------------------------------------------------------ time limits

    def _start_deadline(self) -> None:
        """A whole request must arrive within the time limit from now on."""
        self._stop_deadline()
        self._deadline = self.loop.call_later(self.options.timeout, self._too_slow)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.cycle is None and not self._head:
            self.transport.close()  # no request was begun
        else:
            self._refuse(408, f"the request did not arrive within {self.options.timeout:g} s (--timeout)")

    def pause_writing(self) -> None:
        """The client reads slower than the server writes."""
        super().pause_writing()
        if self._undelivered is None:
            self._watch_delivery(self.transport.get_write_buffer_size())

    def _watch_delivery(self, left: int) -> None:
        self._undelivered = self.loop.call_later(self.options.timeout, self._check_delivery, left)

    def _check_delivery(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:  # nothing was read
            self.transport.abort()
        else:
            self._watch_delivery(left)

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self._delivered()

    def _delivered(self) -> None:
        if self._undelivered is not None:
            self._undelivered.cancel()
            self._undelivered = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._stop_deadline()
        self._delivered()
        super().connection_lost(exc)

    # ------------------------------------------------------------------ refusals outside the application

    def _refuse(self, status: int, sentence: str) -> None:
        """Send an error, unless a response has begun, and close; requests from before are answered first."""
        self._stop_deadline()
        if self._refused or self.transport.is_closing():
            return
        self._refused, self._final_response = True, _error_document(status, sentence)
        if self._reading is None:
            waits = self.cycle is not None and not self.cycle.response_complete
        elif waits := bool(self.pipeline):
            self.pipeline.popleft()
        else:
            if self._reading.response_started:
                self._final_response = b""
            self._reading.disconnected = True  # the reader of the body learns that the rest will not come
            self._reading.message_event.set()
        if not waits:
            self._send_final_response()

    def on_response_complete(self) -> None:
        """A response was sent; after the last one before a refused request, so is that request's error."""
        last = not self.pipeline
        super().on_response_complete()
        if last and self._final_response is not None:
            self._send_final_response()

    def _send_final_response(self) -> None:
        response, self._final_response = self._final_response or b"", None
        if self.transport.is_closing():
            return
        self.transport.write(response)
        self._close_late()

    def _close(self) -> None:
        """Close after a response that promised it."""
        if self._in_body and not self.transport.is_closing():  # refused before all of its body was read
            self._refused = True
            self.flow.resume_reading()
            self._close_late()
        else:
            self.transport.close()

    def _close_late(self) -> None:
        """Closed while data is in flight, the connection would be reset before the client reads the response."""
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)


class _ClosedByConnection(asyncio.Transport):
    """The transport that a response is written to; the connection decides when to close it."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self._close = close
        self.write, self.is_closing = transport.write, transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]

    def close(self) -> None:
        self._close()


def limited_connections(options: Options) -> type[LimitedConnection]:
    """The protocol class with the limits of ``options``."""
    return type("ConnectionOfThisServer", (LimitedConnection,), {"options": options})


def _error_document(status: int, sentence: str) -> bytes:
    body = json.dumps({"error": sentence}).encode()
    lines: dict[str, Any] = {
        "content-type": "application/json",
        "content-length": len(body),
        "connection": "close",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        **({"retry-after": 1} if status == 503 else {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{head}\r\n".encode() + body
