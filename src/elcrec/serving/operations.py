"""Endpoints for those who run the server, and its page."""

from __future__ import annotations

import asyncio
import logging

from litestar import MediaType, Response, get, post

from elcrec.errors import RunError, SettingsError
from elcrec.serving.contracts import Problem, Reloaded, State
from elcrec.serving.engine import Engine
from elcrec.serving.explore_page import explore_page
from elcrec.serving.keys import Keys
from elcrec.serving.lists import Ask, engine_of
from elcrec.serving.metrics import Metrics
from elcrec.serving.problems import PROBLEMS, Refused

LOG = logging.getLogger("elcrec.serve")
FRESH = 2.0


@get("/healthz", responses=PROBLEMS, summary="Whether the process lives")
async def healthz(request: Ask) -> State:
    """Always, while it answers."""
    return State("ok", engine_of(request).snapshot.model.version)


@get("/readyz", summary="Whether it can answer")
async def readyz(request: Ask) -> Response[State | Problem]:
    """Whether the model is there and the store takes events (read-only: gives them)."""
    engine = engine_of(request)
    fault = await engine.store_health.fault()
    if fault is not None:
        return Response(Problem(fault), status_code=503)
    return Response(State("ready", engine.snapshot.model.version))


@get("/metrics", media_type=MediaType.TEXT, summary="Metrics for Prometheus")
async def metrics(request: Ask) -> Response[str]:
    """Counters and times of this process and, as of a moment ago, of the server's others."""
    engine, measured = engine_of(request), request.app.state.metrics
    text = await asyncio.to_thread(measured.text, engine.snapshot.model.version, _batches(engine))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _batches(engine: Engine) -> dict[str, dict[int, int]]:
    return {"lists": engine.lists.sizes, "slow-lists": engine.slow_lists.sizes, "store": engine.commits.sizes}


async def leave_metrics(engine: Engine, measured: Metrics) -> None:
    """Keep this worker's part fresh for the others, until cancelled."""
    while True:
        await asyncio.to_thread(measured.leave, engine.snapshot.model.version, _batches(engine))
        await asyncio.sleep(FRESH)


@post("/reload", status_code=200, responses=PROBLEMS, summary="Load the run again")
async def reload_run(request: Ask) -> Reloaded:
    """Load the run the server was started with, if its files changed; a damaged one is refused, the old goes on."""
    engine = engine_of(request)
    if engine.options.api_key_file is None:
        raise Refused(403, "reloading over HTTP needs a server with --api-key-file; or send it SIGHUP")
    state = request.app.state
    try:
        changed, other_keys = await reload_and_count(engine, state.api_keys, state.metrics)
    except SettingsError as error:
        raise Refused(409, f"{error}; the keys and the model from before go on") from error
    except RunError as error:
        engine.tell_others()  # the keys are taken over
        raise Refused(409, f"{error}; the model from before goes on") from error
    if changed or other_keys:
        engine.tell_others()
    return Reloaded(engine.snapshot.model.version, changed)


async def reload_and_count(engine: Engine, keys: Keys, metrics: Metrics) -> tuple[bool, bool]:
    """Read keys and run again, with a line in the log.

    Returns:
        Whether another model answers now, and whether other keys are valid.

    Raises:
        SettingsError: The keys cannot be read; nothing has changed.
        RunError: The run is no good; the keys are taken over.
    """
    try:
        other_keys = keys.reread()
        changed = await engine.reload()
    except (SettingsError, RunError) as error:
        metrics.reloads["refused"] += 1
        LOG.error("reload refused", extra={"fields": {"error": str(error)}})
        raise
    metrics.reloads["changed" if changed else "unchanged"] += 1
    fields = {"model": engine.snapshot.model.version, "changed": changed, "keys_changed": other_keys}
    LOG.info("reloaded", extra={"fields": fields})
    return changed, other_keys


@get("/", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def page() -> str:
    """The page to explore the model with."""
    return explore_page()
