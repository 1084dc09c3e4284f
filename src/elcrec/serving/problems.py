"""Every refusal is a JSON document with one clear sentence."""

from __future__ import annotations

import logging
from typing import Any

from litestar import MediaType, Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, SerializationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from elcrec.errors import ElcrecError, UnknownIdError
from elcrec.serving.contracts import Problem

LOG = logging.getLogger("elcrec.serve")
BROKEN = "the server failed to answer: this is our mistake, see its log"
KNOWN = {
    400: "Not what the contract says",
    401: "No valid API key",
    403: "Not allowed here",
    404: "No such thing",
    408: "Too slow",
    409: "The run, the keys or the store cannot be used",
    413: "Too large, or too much work",
    415: "A page's request that is no JSON",
    421: "Another host is meant",
    422: "Not something this model can do",
    429: "Too many requests",
    431: "Address and headers are too large",
    503: "The store cannot be reached, or too much waits already",
}
PROBLEMS = {status: ResponseSpec(Problem, description=text, generate_examples=False) for status, text in KNOWN.items()}


class Refused(HTTPException):
    """A refusal with a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        """What is said to whom asked."""
        super().__init__(status_code=status, detail=sentence)


class Busy(Exception):
    """Nothing is wrong with a request, but too many came before it."""


def not_found(error: UnknownIdError) -> Refused:
    """What the path names is not there."""
    return Refused(404, str(error))


def known_parameters(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let no mistyped parameter pass for a default.

    Raises:
        Refused: The address has one that the page does not know, or the same one twice.
    """
    known = set(handler.parsed_fn_signature.parameters) - {"request", "data", *request.path_params}
    asked = [name for name, _ in request.query_params.multi_items()]
    for name in asked:
        if name not in known:
            raise Refused(400, f"unknown parameter {name[:80]!r}: /openapi lists those of each page")
        if asked.count(name) > 1:
            raise Refused(400, f"{name} is given more than once")


def problem(sentence: str, status: int) -> Response[Problem]:
    """The answer."""
    return Response(Problem(sentence), status_code=status, media_type=MediaType.JSON)


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Refusals of ours and of the framework."""
    if error.status_code >= 500:
        return on_bug(_, error)
    answer = problem(_sentence(error), error.status_code)
    for name, value in (error.headers or {}).items():
        answer.set_header(name, value)
    return answer


def _sentence(error: HTTPException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    causes = [_cause(one) for one in extra if isinstance(one, dict)]
    if causes:
        return "; ".join(causes)
    if isinstance(error.__cause__, SerializationException):
        return f"the body is no JSON of this contract: {error.detail}"
    if error.status_code == 413:
        return error.detail if isinstance(error, Refused) else "the body is too large (--max-body): send less at once"
    if error.status_code == 404:
        return error.detail if isinstance(error, Refused) else "there is no such page: /openapi lists all"
    if error.status_code == 405:
        return "this page does not know that method: /openapi lists all"
    return str(error.detail)


def _cause(one: dict[str, Any]) -> str:
    key, message = one.get("key"), str(one.get("message"))
    if message == "'data'":
        return "a JSON document is needed as the body"
    return f"{'body' if key in (None, 'data') else key}: {message}"


def on_mistake(_: Request[Any, Any, Any], error: ElcrecError) -> Response[Problem]:
    """The caller's mistakes."""
    return problem(str(error), 422)


def on_store(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The store does not answer; what was not acknowledged is not kept."""
    LOG.error("store failed", extra={"fields": {"error": str(error)}})
    return _later("the store cannot be reached: try again later")


def on_busy(_: Request[Any, Any, Any], error: Busy) -> Response[Problem]:
    """Too much is asked at once."""
    return _later(str(error))


def _later(sentence: str) -> Response[Problem]:
    answer = problem(sentence, 503)
    answer.set_header("retry-after", "1")
    return answer


def on_text(_: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[Problem]:
    """Bytes that are no text."""
    return problem("the body is no JSON of this contract: it holds bytes that are no UTF-8", 400)


def on_depth(_: Request[Any, Any, Any], error: RecursionError) -> Response[Problem]:
    """A document nested without end."""
    return problem("the body is nested too deeply", 400)


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Ours."""
    LOG.error("failed", exc_info=error, extra={"fields": {"path": request.scope.get("path_template", "")}})
    return problem(BROKEN, 500)
