"""Endpoints for operating the server: health, metrics, and the explore page."""

from __future__ import annotations

import asyncio

from litestar import MediaType, Response, get

from elcrec.serving.api.errors import ERROR_RESPONSES
from elcrec.serving.api.parameters import HttpRequest, engine_of
from elcrec.serving.api.schemas.fields import ErrorResponse
from elcrec.serving.api.schemas.model import ServerStatus
from elcrec.serving.page import api_page, explore_page

PREPARING = "the intents are being described; recommendations without reasons are answered already"


@get("/healthz", responses=ERROR_RESPONSES, summary="Liveness")
async def healthz(request: HttpRequest) -> ServerStatus:
    """Whether the process lives: always, while it responds."""
    return ServerStatus("ok", engine_of(request).snapshot.lookup.version)


@get("/readyz", summary="Readiness")
async def readyz(request: HttpRequest) -> Response[ServerStatus | ErrorResponse]:
    """Whether the model is loaded, its intents are described, and the store can be written (read-only: read)."""
    engine = engine_of(request)
    fault = PREPARING if engine.snapshot.preparing else await engine.store_health.fault()
    if fault is not None:
        return Response(ErrorResponse(fault), status_code=503)
    version = engine.snapshot.lookup.version
    served = await asyncio.to_thread(request.app.state.metrics.models, version)
    return Response(ServerStatus("ready", version, served))


@get("/metrics", media_type=MediaType.TEXT, summary="Metrics for Prometheus")
async def metrics(request: HttpRequest) -> Response[str]:
    """Counters and times of this process and, as of a moment ago, of the server's other processes."""
    engine, measured = engine_of(request), request.app.state.metrics
    text = await asyncio.to_thread(measured.text, engine.snapshot.lookup.version, engine.batch_sizes)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@get("/", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def page(request: HttpRequest) -> str:
    """The page that explores the model; it may load pictures where the catalogue names some."""
    return explore_page(bool(engine_of(request).snapshot.lookup.pictures))


@get("/docs", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def docs() -> str:
    """The API's documentation, drawn from ``/openapi/openapi.json``."""
    return api_page()
