"""The edges of a connection: how much it may bring before it is understood, and how long it may take.

The web server reads a request's head without end and waits for it for ever; so a client that sends a byte a minute
holds a connection for as long as it likes. And it takes requests in a row as fast as they are sent, whatever waits
for an answer.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from elcrec.serving.options import Options

LINGER = 0.5
IN_A_ROW = 100
"""Requests of one connection that may wait for their answers."""


class Edges(HttpToolsProtocol):
    """A connection with limits: those of :attr:`options`."""

    options: Options
    _deadline: asyncio.TimerHandle | None = None
    _undelivered: asyncio.TimerHandle | None = None
    _head: int = 0
    _in_body: bool = False
    _away: bool = False
    _reading: RequestResponseCycle | None = None
    _last_word: bytes | None = None

    # ------------------------------------------------------------------ what comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One more, or one too many."""
        super().connection_made(transport)
        if len(self.connections) > self.options.max_connections:
            self._turn_away(503, "too many connections: try again in a second")
            return
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        if self._away or self.transport.is_closing():
            return
        if not self._in_body:
            self._head += len(data)
        super().data_received(data)
        if not self._in_body and self._head > self.options.max_header:
            self._too_long()
        elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._expect()  # blank lines between requests are no request

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_body, self._reading = False, None
        if not self._away:
            self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after a body in parts come more, which nobody needs."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_body, self._head = True, 0
        if self._away:
            return
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.options.max_header:
            self._too_long()
            return
        if len(self.pipeline) >= IN_A_ROW:
            self._turn_away(503, f"{IN_A_ROW} requests of this connection wait already: read their answers first")
            return
        super().on_headers_complete()
        self._reading = self.cycle

    def on_body(self, body: bytes) -> None:
        """Part of a body; of a request that was turned away, nothing: it is not the one before it that goes on."""
        if not self._away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._in_body = False
        self._settle()
        if not self._away:
            super().on_message_complete()
            self._reading = None

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._turn_away(400, "this is no HTTP request")

    def _unsupported_upgrade_warning(self) -> None:
        """What comes with a wish for another protocol is not read as this one; without a body, nothing is missed."""
        if self.scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            self._reading = self.cycle
            self._turn_away(400, "this server speaks HTTP/1.1 only: leave the Upgrade header out")

    def _too_long(self) -> None:
        self._turn_away(431, f"address and headers hold more than {self.options.max_header:,} bytes (--max-header)")

    # ------------------------------------------------------------------ how long it takes

    def _expect(self) -> None:
        """A whole request, from now on within the limit."""
        self._settle()
        self._deadline = self.loop.call_later(self.options.timeout, self._too_slow)

    def _settle(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.cycle is None and not self._head:
            self.transport.close()  # it never asked
        else:
            self._turn_away(408, f"the request did not arrive within {self.options.timeout:g} s (--timeout)")

    def pause_writing(self) -> None:
        """More is answered than the client has taken."""
        super().pause_writing()
        if self._undelivered is None:
            self._watch_delivery(self.transport.get_write_buffer_size())

    def _watch_delivery(self, left: int) -> None:
        self._undelivered = self.loop.call_later(self.options.timeout, self._check_delivery, left)

    def _check_delivery(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:  # nothing was taken
            self.transport.abort()
        else:
            self._watch_delivery(left)

    def resume_writing(self) -> None:
        """The client has taken it."""
        super().resume_writing()
        self._delivered()

    def _delivered(self) -> None:
        if self._undelivered is not None:
            self._undelivered.cancel()
            self._undelivered = None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._settle()
        self._delivered()
        super().connection_lost(exc)

    # ------------------------------------------------------------------ refusals before there is a request

    def _turn_away(self, status: int, sentence: str) -> None:
        """Answer, unless an answer has begun, and close; what was asked before is answered first."""
        self._settle()
        if self._away or self.transport.is_closing():
            return
        self._away, self._last_word = True, _document(status, sentence)
        if self._reading is None:
            waits = self.cycle is not None and not self.cycle.response_complete
        elif waits := bool(self.pipeline):
            self.pipeline.popleft()
        else:
            if self._reading.response_started:
                self._last_word = b""
            self._reading.disconnected = True  # who reads the body learns that the rest will not come
            self._reading.message_event.set()
        if not waits:
            self._say_last_word()

    def on_response_complete(self) -> None:
        """One is answered; after the last before one that was turned away, so is that."""
        last = not self.pipeline
        super().on_response_complete()
        if last and self._last_word is not None:
            self._say_last_word()

    def _say_last_word(self) -> None:
        word, self._last_word = self._last_word or b"", None
        if self.transport.is_closing():
            return
        self.transport.write(word)
        # Closed while something is on its way here, the connection would be reset before the answer is read.
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)


def edges(options: Options) -> type[Edges]:
    """Connections with the limits of ``options``."""
    return type("LimitedEdges", (Edges,), {"options": options})


def _document(status: int, sentence: str) -> bytes:
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
