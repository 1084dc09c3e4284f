"""Options of a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elcrec.process.threads import available_cores, given_threads


@dataclass(frozen=True)
class Options:
    """The options of ``elcrec serve``.

    Attributes:
        run: The run folder; may be a link that is turned to another run before a reload.
        store: The event store: a SQLite file, or ``redis://...``; see :func:`elcrec.serving.store.open_store`.
        host: Address to listen on.
        port: Port to listen on; 0: any that is free.
        api_key_file: One key a line; None: no key is needed, and there is no reload over HTTP.
        workers: Processes.
        read_only: Refuse everything that changes something.
        unknown_user: Fallback for a user without a history: ``popular``, ``intents`` or ``error``.
        cors: Origins whose pages may send requests.
        allow_hosts: Names that requests may be addressed to, in addition to this machine's; see
            :mod:`elcrec.serving.middleware.hosts`.
        trust_proxies: Addresses and networks whose ``X-Forwarded-For`` is believed.
        max_k: Most recommendations of a request.
        max_history: Longest history in a request.
        max_work: What a request may cost; see :mod:`elcrec.serving.admission`.
        max_body: Largest body, bytes.
        max_header: Most bytes of a request's address and headers.
        max_connections: Connections at once, of each worker.
        timeout: Seconds in which a request must arrive, and in which a client must take some of its answer.
        rate: Requests a second and client; 0: no limit.
        device: auto, cpu or cuda.
        approximate: Search an approximate index of the items where the policy is plain.
        against: The folder of a second run, whose recommendations are shown next to those of ``run``; None: there is
            none.
    """

    run: Path
    store: str
    host: str = "127.0.0.1"
    port: int = 8000
    api_key_file: Path | None = None
    workers: int = 1
    read_only: bool = False
    unknown_user: str = "popular"
    cors: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    trust_proxies: tuple[str, ...] = ()
    max_k: int = 1000
    max_history: int = 1000
    max_work: int = 10_000_000
    max_body: int = 1_000_000
    max_header: int = 32_768
    max_connections: int = 512
    timeout: float = 30.0
    rate: float = 0.0
    device: str = "cpu"
    approximate: bool = False
    against: Path | None = None

    @property
    def runs(self) -> list[Path]:
        """The run, and the second one, if there is one."""
        return [self.run] if self.against is None else [self.run, self.against]

    @property
    def threads(self) -> int:
        """Threads of a matrix product: half the cores, shared by the workers; the other half serves HTTP."""
        return given_threads() or max(1, available_cores() // 2 // self.workers)
