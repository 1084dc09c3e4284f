"""The application: endpoints, contracts, limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import redis
from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from elcrec.errors import ElcrecError, RunError, SettingsError
from elcrec.runs.run_files import package_version
from elcrec.serving import catalogue_pages, hangup, lists, operations, people_pages
from elcrec.serving.engine import Engine, Snapshot
from elcrec.serving.guard import Guard, Rate
from elcrec.serving.hosts import Hosts
from elcrec.serving.keys import Keys
from elcrec.serving.metrics import Metrics
from elcrec.serving.options import Options
from elcrec.serving.problems import (
    Busy,
    known_parameters,
    on_bug,
    on_busy,
    on_depth,
    on_http,
    on_mistake,
    on_store,
    on_text,
)
from elcrec.serving.store import Store

LOG = logging.getLogger("elcrec.serve")
V1 = (
    lists.recommend,
    lists.recommend_batch,
    people_pages.add_events,
    people_pages.user_history,
    people_pages.user_intents,
    people_pages.history_intents,
    people_pages.forget_user,
    people_pages.find_users,
    catalogue_pages.intents,
    catalogue_pages.one_intent,
    catalogue_pages.map_of_users,
    catalogue_pages.rename_intent,
    catalogue_pages.find_items,
    catalogue_pages.similar_items,
    catalogue_pages.model_card,
    operations.reload_run,
)
OPERATIONS = (operations.healthz, operations.readyz, operations.metrics, operations.page)


def make_app(
    options: Options,
    snapshot: Snapshot,
    store: Store,
    keys: Keys,
    tell_others: Any = None,
    shared_metrics: Path | None = None,
) -> Guard:
    """The ASGI application of one process.

    Args:
        options: How it is run.
        snapshot: The model that answers first.
        store: Where events are kept; closed with the application.
        keys: Who may ask.
        tell_others: Called when the run on disk changed, for the other workers; SIGHUP tells this one.
        shared_metrics: Where workers leave their metrics for each other.
    """
    metrics, first = Metrics(shared_metrics), [snapshot]
    del snapshot  # the engine alone holds it, until another takes its place

    @contextlib.asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        engine = Engine(options, first.pop(), store)
        if tell_others is not None:
            engine.tell_others = tell_others
        app.state.engine = engine
        engine.snapshot.prepare_beside()
        _listen_to_hangup(engine, keys, metrics)
        leaving = None
        if shared_metrics is not None:
            leaving = asyncio.create_task(operations.leave_metrics(engine, metrics))
        try:
            yield
        finally:
            if leaving is not None:
                leaving.cancel()
            await asyncio.to_thread(engine.close)
            LOG.info("stopped")

    app = Litestar(
        [Router("/v1", route_handlers=V1, guards=[known_parameters]), *OPERATIONS],
        lifespan=[life],
        state=State({"metrics": metrics, "api_keys": keys, "elcrec": package_version()}),
        exception_handlers={
            HTTPException: on_http,
            ElcrecError: on_mistake,
            Busy: on_busy,
            RecursionError: on_depth,
            UnicodeDecodeError: on_text,
            sqlite3.Error: on_store,
            redis.RedisError: on_store,
            Exception: on_bug,
        },
        request_max_body_size=options.max_body,
        cors_config=CORSConfig(allow_origins=list(options.cors)) if options.cors else None,
        openapi_config=OpenAPIConfig(
            title="elcrec",
            version=package_version(),
            description="Recommendations with learned intents.",
            path="/openapi",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )
    hosts = Hosts(options.host, options.allow_hosts, options.api_key_file is None, options.cors)
    return Guard(app, keys, hosts, Rate(options.rate), metrics)


def _listen_to_hangup(engine: Engine, keys: Keys, metrics: Metrics) -> None:
    """SIGHUP reloads, where this process may listen to signals."""
    if threading.current_thread() is not threading.main_thread() or not hangup.HANGUP:
        return
    reloading: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        with contextlib.suppress(RunError, SettingsError):  # is in the log
            await operations.reload_and_count(engine, keys, metrics)

    def on_hangup() -> None:
        task = asyncio.get_running_loop().create_task(reload())
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup)
    hangup.listen()
