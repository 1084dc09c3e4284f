"""The application: endpoints, error handlers, middleware, and its life from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig

from elcrec.errors import ElcrecError, RunError, SettingsError, StoreError
from elcrec.runs.run_files import package_version
from elcrec.serving.admission import Overloaded
from elcrec.serving.api import errors, events, intents, items, model, operations, recommend, users
from elcrec.serving.api.descriptions import DescribedJson
from elcrec.serving.engine import Engine
from elcrec.serving.metrics import Metrics
from elcrec.serving.middleware.hosts import Hosts
from elcrec.serving.middleware.keys import Keys
from elcrec.serving.middleware.requests import RateLimit, RequestMiddleware
from elcrec.serving.options import Options
from elcrec.serving.reload import Reloader
from elcrec.serving.sighup import on_sighup
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import Store

LOG = logging.getLogger("elcrec.serve")
METRICS_EVERY = 2.0
V1 = (
    recommend.recommend,
    recommend.recommend_batch,
    events.add_events,
    users.history_of_user,
    users.user_intents,
    users.history_intents,
    users.delete_user,
    users.find_users,
    users.example_users,
    intents.intents,
    intents.one_intent,
    intents.map_of_users,
    intents.rename_intent,
    items.find_items,
    items.similar_items,
    model.model_card,
    model.reload_run,
)
OPERATIONS = (operations.healthz, operations.readyz, operations.metrics, operations.page, operations.docs)
ERROR_HANDLERS = {
    HTTPException: errors.on_http,
    StoreError: errors.on_store_error,
    ElcrecError: errors.on_elcrec_error,
    Overloaded: errors.on_overload,
    RecursionError: errors.on_nesting,
    UnicodeDecodeError: errors.on_undecodable_body,
    Exception: errors.on_internal_error,
}


def make_app(
    options: Options,
    snapshot: Snapshot,
    store: Store,
    keys: Keys,
    tell_others: Callable[[], None] | None = None,
    shared_metrics: Path | None = None,
) -> RequestMiddleware:
    """The ASGI application of one process.

    Args:
        options: How the server is run.
        snapshot: The model that is served first.
        store: The event store; closed with the application.
        keys: The API keys.
        tell_others: Called at every request to reload, for the other workers; SIGHUP tells this one.
        shared_metrics: Where workers leave their metrics for each other.
    """
    metrics, first = Metrics(shared_metrics), [snapshot]
    del snapshot  # the engine alone holds it, until another takes its place

    @contextlib.asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        engine = Engine(options, first.pop(), store)
        engine.tell_others = tell_others or engine.tell_others
        reloader = Reloader(engine, keys, metrics)
        app.state.engine, app.state.reload = engine, reloader.reload
        engine.snapshot.prepare_in_background()
        on_sighup(lambda: _reload_quietly(reloader))
        sharing = None if shared_metrics is None else asyncio.create_task(_share_metrics(engine, metrics))
        try:
            yield
        finally:
            if sharing is not None:
                sharing.cancel()
            await asyncio.to_thread(engine.close)
            LOG.info("stopped")

    app = Litestar(
        [Router("/v1", route_handlers=V1, guards=[errors.refuse_unknown_parameters]), *OPERATIONS],
        lifespan=[life],
        state=State({"metrics": metrics, "elcrec": package_version()}),
        exception_handlers=ERROR_HANDLERS,  # type: ignore[arg-type]
        request_max_body_size=options.max_body,
        cors_config=CORSConfig(allow_origins=list(options.cors)) if options.cors else None,
        openapi_config=_openapi(),
        logging_config=None,
    )
    hosts = Hosts(options.host, options.allow_hosts, options.api_key_file is None, options.cors)
    return RequestMiddleware(app, keys, hosts, RateLimit(options.rate), metrics)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="elcrec",
        version=package_version(),
        description="Recommendations with learned intents.",
        path="/openapi",
        use_handler_docstrings=True,
        render_plugins=[DescribedJson(path="/openapi.json")],
    )


async def _reload_quietly(reloader: Reloader) -> None:
    with contextlib.suppress(RunError, SettingsError):  # is in the log
        await reloader.reload()


async def _share_metrics(engine: Engine, metrics: Metrics) -> None:
    """Leave this worker's metrics for the others, until cancelled."""
    while True:
        await asyncio.to_thread(metrics.leave, engine.snapshot.lookup.version, engine.batch_sizes)
        await asyncio.sleep(METRICS_EVERY)
