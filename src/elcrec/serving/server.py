"""Processes: one that answers, or several on one port."""

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
from elcrec.serving import hangup
from elcrec.serving.app import make_app
from elcrec.serving.edges import edges
from elcrec.serving.engine import Snapshot
from elcrec.serving.hosts import check_names, proxy_networks
from elcrec.serving.keys import Keys
from elcrec.serving.logs import log_as_json
from elcrec.serving.options import Options
from elcrec.serving.store import open_store

LOG = logging.getLogger("elcrec.serve")
BACKLOG = 2048
LAST_WORDS = 15
PAUSE = 0.2
LONGEST_PAUSE = 30.0
MISTAKE = 2


def serve(options: Options, listening: Callable[[str], None]) -> None:
    """Answer until told to stop (SIGTERM, Ctrl-C): then what was asked is answered first.

    Args:
        options: How.
        listening: Told the address when the port is ours.

    Raises:
        ElcrecError: The run, the store, the keys or the port cannot be used.
    """
    log_as_json()
    hangup.hold()
    Keys(options.api_key_file)
    proxy_networks(options.trust_proxies)
    check_names(options.allow_hosts, options.cors)
    bound = _bind(options)
    host, port = bound.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if options.api_key_file is None and options.host not in ("127.0.0.1", "::1", "localhost"):
        LOG.warning("anybody who reaches this port may ask and write: use --api-key-file")
    with bound:
        if options.workers == 1:
            _one(options, bound, lambda: listening(address))
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
        bound.listen(BACKLOG)  # who comes before the model is loaded waits
    except OSError as error:
        raise SettingsError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from error
    return bound


def _one(
    options: Options,
    bound: socket.socket,
    loaded: Callable[[], None],
    tell_others: Callable[[], None] | None = None,
    shared_metrics: Path | None = None,
) -> None:
    """This process answers."""
    keys, snapshot = Keys(options.api_key_file), Snapshot.load(options)
    store = open_store(options.store)  # last: a run that cannot be served leaves nothing behind
    store.adopt(snapshot.model.clock.kind)
    version = snapshot.model.version
    # Threads that compute and the one that answers take turns often: a list must not wait 5 ms for its turn.
    sys.setswitchinterval(0.0005)
    app = make_app(options, snapshot, store, keys, tell_others, shared_metrics)
    del snapshot  # the application's, until another model takes its place
    config = uvicorn.Config(
        app,
        lifespan="on",
        http=edges(options),
        ws="none",
        proxy_headers=bool(options.trust_proxies),
        forwarded_allow_ips=proxy_networks(options.trust_proxies),
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=LAST_WORDS,
    )
    # The web server answers what was asked, then gives these their signal again: by then all is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    loaded()
    LOG.info("serving", extra={"fields": {"run": str(options.run), "model": version}})
    uvicorn.Server(config).run(sockets=[bound])


def _worker(options: Options, bound: socket.socket, shared_metrics: Path, served: Event) -> None:
    """One of several processes."""
    log_as_json()
    hangup.hold()
    try:
        # The parent passes it on to all; who has loaded the run already has nothing to do.
        _one(options, bound, served.set, lambda: os.kill(os.getppid(), signal.SIGHUP), shared_metrics)
    except ElcrecError as error:
        LOG.error("cannot serve", extra={"fields": {"error": str(error)}})
        sys.exit(MISTAKE)


class Workers:
    """Several processes on one port: kept alive, told what this one is told."""

    def __init__(self, options: Options, bound: socket.socket, shared_metrics: Path) -> None:
        """Start them."""
        self._context = multiprocessing.get_context("spawn")
        self._served = self._context.Event()
        self._start = (options, bound, shared_metrics, self._served)
        self._shared_metrics = shared_metrics
        self._stopping = False
        self._pause, self._next_try = PAUSE, 0.0
        self._alive: list[BaseProcess] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        for number in hangup.HANGUP:
            signal.signal(number, lambda number, _: self._pass_on(number))
        hangup.listen()
        for _ in range(options.workers):
            self._alive.append(self._another())

    def _another(self) -> BaseProcess:
        worker = self._context.Process(target=_worker, args=self._start)
        with hangup.held():  # as it is born
            worker.start()
        return worker

    def _pass_on(self, number: int) -> None:
        for worker in self._alive:
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, number)

    def _stop(self) -> None:
        self._stopping = True
        self._pass_on(signal.SIGTERM)

    def watch(self) -> None:
        """Replace who dies, until told to stop.

        Raises:
            SettingsError: They cannot start.
        """
        while not self._stopping:
            time.sleep(PAUSE)
            for place, worker in enumerate(self._alive):
                if not worker.is_alive() and not self._stopping and time.monotonic() >= self._next_try:
                    self._replace(place, worker)
        for worker in self._alive:
            worker.join(LAST_WORDS + 5)

    def _replace(self, place: int, dead: BaseProcess) -> None:
        if dead.exitcode == MISTAKE and not self._served.is_set():
            self._stop()
            raise SettingsError("the workers cannot start: see the log above")
        # Once one has served, a mistake may pass (a run being replaced, a store out of reach), and the others go on.
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if dead.exitcode == MISTAKE else PAUSE
        self._next_try = time.monotonic() + self._pause
        LOG.error("a worker died: another takes its place", extra={"fields": {"exit": dead.exitcode}})
        (self._shared_metrics / f"{dead.pid}.prom").unlink(missing_ok=True)
        self._alive[place] = self._another()
