"""Endpoints of the model: its card, and loading another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litestar import get, post

from elcrec.errors import RunError, SettingsError
from elcrec.serving.api.errors import ERROR_RESPONSES, ApiError
from elcrec.serving.api.parameters import HttpRequest, engine_of
from elcrec.serving.api.schemas.model import ModelCard, ReloadResponse, SecondRun
from elcrec.serving.second_run import names_of
from elcrec.serving.snapshot import Snapshot

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec


@get("/model", responses=ERROR_RESPONSES, summary="Model card")
async def model_card(request: HttpRequest) -> ModelCard:
    """The served model: version, data, settings and accuracy."""
    engine = engine_of(request)
    snapshot, options = engine.snapshot, engine.options
    model = snapshot.model
    names = names_of(*options.runs)
    comparable = await asyncio.to_thread(lambda: snapshot.is_measured_alike)  # the first time it reads both logs
    return ModelCard(
        version=snapshot.lookup.version,
        recipe=model.recipe,
        elcrec=request.app.state.elcrec,
        loaded=snapshot.loaded,
        n_users=len(model.users),
        n_items=len(model.items),
        n_events=len(model.log),
        n_intents=model.settings.n_intents,
        max_seq_len=model.settings.max_seq_len,
        exclude_seen=model.settings.exclude_seen,
        unknown_user=options.unknown_user,  # type: ignore[arg-type]
        read_only=options.read_only,
        max_k=options.max_k,
        max_history=options.max_history,
        metrics=_metrics(model),
        pictures=bool(snapshot.lookup.pictures),
        name=names[0],
        against=None if snapshot.against is None else _second_run(snapshot.against, names[1], comparable),
    )


def _second_run(snapshot: Snapshot, name: str, comparable: bool) -> SecondRun:
    model = snapshot.model
    return SecondRun(
        name=name,
        version=snapshot.lookup.version,
        recipe=model.recipe,
        n_users=len(model.users),
        n_items=len(model.items),
        n_events=len(model.log),
        n_intents=model.settings.n_intents,
        metrics=_metrics(model),
        comparable=comparable,
    )


def _metrics(model: ELCRec) -> dict[str, Any]:
    return {part: model.metrics[part] for part in ("valid", "test") if part in model.metrics}


@post("/reload", status_code=200, responses=ERROR_RESPONSES, summary="Load the run again")
async def reload_run(request: HttpRequest) -> ReloadResponse:
    """Load the runs that the server was started with, if files of one changed; a damaged run is refused.

    The other workers load them, too, after this response: ``/readyz`` names the models that are still served.
    """
    engine = engine_of(request)
    if engine.options.api_key_file is None:
        raise ApiError(403, "reloading over HTTP needs a server with --api-key-file; or send it SIGHUP")
    try:
        changed = await request.app.state.reload()
    except SettingsError as error:
        raise ApiError(409, f"{error}; the keys and the model from before go on") from error
    except RunError as error:
        raise ApiError(409, f"{error}; the model from before goes on") from error
    finally:
        engine.tell_others()  # always: one of them may have refused what this one had taken over
    model, *second = (one.lookup.version for one in engine.snapshot.both)
    return ReloadResponse(model, changed, second[0] if second else None)
