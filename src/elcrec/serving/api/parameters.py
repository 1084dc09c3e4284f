"""What endpoints share: the request type, the engine, parameters and ids in paths."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request
from litestar.params import Parameter

from elcrec.data.ids import MOST_ID_CHARACTERS, id_text
from elcrec.serving.api.errors import ApiError
from elcrec.serving.engine import Engine
from elcrec.serving.second_run import NO_SECOND_RUN
from elcrec.serving.snapshot import Snapshot

HttpRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=50)]
Against = Annotated[bool, Parameter(description="Of the second run, where the server has one.")]
SearchText = Annotated[str, Parameter(max_length=MOST_ID_CHARACTERS)]
ESCAPED_SLASH = "\ud800"
"""Stands for an escaped slash within an id, so that it does not part the path. No id holds it: it is no character."""


def engine_of(request: HttpRequest) -> Engine:
    """The server's engine."""
    engine: Engine = request.app.state.engine
    return engine


def refuse_if_read_only(engine: Engine) -> None:
    """Raise where nothing may be changed.

    Raises:
        ApiError: The server is read-only.
    """
    if engine.options.read_only:
        raise ApiError(403, "this server is read-only")


def answering(engine: Engine, against: bool) -> Snapshot:
    """The model that answers: that of the run, or of the second one.

    Raises:
        ApiError: There is no second one.
    """
    chosen = engine.snapshot.against if against else engine.snapshot
    if chosen is None:
        raise ApiError(400, NO_SECOND_RUN)
    return chosen


def id_in_path(text: str) -> str:
    """An id from a path."""
    return id_text(text.replace(ESCAPED_SLASH, "/"))
