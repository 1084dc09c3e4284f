"""Server processes: one, or several workers on one port."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import uvicorn

from elcrec.errors import ElcrecError, SettingsError
from elcrec.serving import sighup
from elcrec.serving.app import make_app
from elcrec.serving.logs import log_as_json
from elcrec.serving.middleware.connections import limited_connections
from elcrec.serving.middleware.hosts import check_names, proxy_networks
from elcrec.serving.middleware.keys import Keys
from elcrec.serving.options import Options
from elcrec.serving.second_run import refuse_the_same
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import open_store

LOG = logging.getLogger("elcrec.serve")
BACKLOG = 2048
GRACE = 15
PAUSE = 0.2
LONGEST_PAUSE = 30.0
CALLERS_MISTAKE = 2


def serve(options: Options, listening: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; then requests that are under way are answered first.

    Args:
        options: How the server is run.
        listening: Called with the address when the port is bound.

    Raises:
        ElcrecError: The run, the store, the keys or the port cannot be used.
    """
    log_as_json()
    sighup.block()
    Keys(options.api_key_file)
    refuse_the_same(options.run, options.against)
    proxy_networks(options.trust_proxies)
    check_names(options.allow_hosts, options.cors)
    bound = _bind(options)
    host, port = bound.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if options.api_key_file is None and options.host not in ("127.0.0.1", "::1", "localhost"):
        LOG.warning("any client that reaches this port may read and write: use --api-key-file")
    with bound:
        if options.workers == 1:
            _serve_here(options, bound, lambda: listening(address))
        else:
            listening(address)
            with tempfile.TemporaryDirectory(prefix="elcrec-metrics-") as folder:
                Workers(options, bound, Path(folder)).watch()


def _bind(options: Options) -> socket.socket:
    try:
        family, *_, where = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(BACKLOG)  # connections wait while the model is loaded
    except OSError as error:
        raise SettingsError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from error
    return bound


def _serve_here(
    options: Options,
    bound: socket.socket,
    loaded: Callable[[], None],
    tell_others: Callable[[], None] | None = None,
    shared_metrics: Path | None = None,
) -> None:
    """Serve in this process."""
    keys, snapshot = Keys(options.api_key_file), Snapshot.load(options)
    store = open_store(options.store)  # last: a run that cannot be served leaves nothing behind
    store.adopt(snapshot.lookup.clock.kind)
    version = snapshot.lookup.version
    # Threads that compute and the event loop take turns often: a request must not wait 5 ms for its turn.
    sys.setswitchinterval(0.0005)
    app = make_app(options, snapshot, store, keys, tell_others, shared_metrics)
    del snapshot  # the application holds it, until another model takes its place
    config = uvicorn.Config(
        app,
        lifespan="on",
        http=limited_connections(options),
        ws="none",
        proxy_headers=bool(options.trust_proxies),
        forwarded_allow_ips=proxy_networks(options.trust_proxies),
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE,
    )
    # The web server answers what waits, then raises the signal again: by then all is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    loaded()
    against = {} if options.against is None else {"against": str(options.against)}
    LOG.info("serving", extra={"fields": {"run": str(options.run), "model": version, **against}})
    uvicorn.Server(config).run(sockets=[bound])


def _worker(options: Options, bound: socket.socket, shared_metrics: Path, served: Event) -> None:
    """One of several processes."""
    log_as_json()
    sighup.block()
    try:
        # The parent passes it on to all workers; for one that has loaded the run already, nothing changes.
        _serve_here(options, bound, served.set, lambda: os.kill(os.getppid(), signal.SIGHUP), shared_metrics)
    except ElcrecError as error:
        LOG.error("cannot serve", extra={"fields": {"error": str(error)}})
        sys.exit(CALLERS_MISTAKE)


class Workers:
    """Several processes on one port: restarted when they die, sent the signals that this one gets."""

    def __init__(self, options: Options, bound: socket.socket, shared_metrics: Path) -> None:
        """Start them."""
        self._context = multiprocessing.get_context("spawn")
        self._served = self._context.Event()
        self._arguments = (options, bound, shared_metrics, self._served)
        self._shared_metrics = shared_metrics
        self._stopping = False
        self._pause, self._next_try = PAUSE, 0.0
        self._workers: list[BaseProcess] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        for number in sighup.SIGHUP:
            signal.signal(number, lambda number, _: self._pass_on(number))
        sighup.unblock()
        for _ in range(options.workers):
            self._workers.append(self._start_worker())

    def _start_worker(self) -> BaseProcess:
        worker = self._context.Process(target=_worker, args=self._arguments)
        with sighup.blocked():  # the new process inherits this
            worker.start()
        return worker

    def _pass_on(self, number: int) -> None:
        for worker in self._workers:
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, number)

    def _stop(self) -> None:
        self._stopping = True
        self._pass_on(signal.SIGTERM)

    def watch(self) -> None:
        """Replace workers that die, until stopped.

        Raises:
            SettingsError: They cannot start.
        """
        while not self._stopping:
            time.sleep(PAUSE)
            for place, worker in enumerate(self._workers):
                if not worker.is_alive() and not self._stopping and time.monotonic() >= self._next_try:
                    self._replace(place, worker)
        for worker in self._workers:
            worker.join(GRACE + 5)

    def _replace(self, place: int, dead: BaseProcess) -> None:
        if dead.exitcode == CALLERS_MISTAKE and not self._served.is_set():
            self._stop()
            raise SettingsError("the workers cannot start: see the log above")
        # Once one has served, a mistake may be temporary (a run being replaced, a store out of reach).
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if dead.exitcode == CALLERS_MISTAKE else PAUSE
        self._next_try = time.monotonic() + self._pause
        LOG.error("a worker died: another takes its place", extra={"fields": {"exit": dead.exitcode}})
        (self._shared_metrics / f"{dead.pid}.prom").unlink(missing_ok=True)
        self._workers[place] = self._start_worker()
