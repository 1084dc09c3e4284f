"""Error responses: each one is a JSON document with one clear sentence."""

from __future__ import annotations

import logging
from typing import Any

from litestar import MediaType, Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, SerializationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from elcrec.errors import ElcrecError, StoreError, UnknownIdError
from elcrec.serving.admission import Overloaded
from elcrec.serving.api.schemas.fields import ErrorResponse

LOG = logging.getLogger("elcrec.serve")
INTERNAL_ERROR = "the server failed to answer: this is our mistake, see its log"
DESCRIPTIONS = {
    400: "Invalid request",
    401: "No valid API key",
    403: "Forbidden on this server",
    404: "Not found",
    408: "The request arrived too slowly",
    409: "The run, the keys or the store cannot be used",
    413: "Too large, or too much work",
    415: "The content type is not JSON",
    421: "The Host header names another server",
    422: "The model cannot answer this request",
    429: "Too many requests",
    431: "Address and headers are too large",
    503: "The store cannot be reached, or the server is overloaded",
}
FRAMEWORK_ERRORS = {
    404: "there is no such endpoint: /openapi/openapi.json lists all",
    405: "this endpoint does not have that method: /openapi/openapi.json lists all",
    413: "the body is too large (--max-body): send less at once",
}
"""Sentences for errors that the framework raises without one that helps."""
CONTRACT = " (/openapi/openapi.json lists the fields of each endpoint)"
ERROR_RESPONSES = {
    status: ResponseSpec(ErrorResponse, description=text, generate_examples=False)
    for status, text in DESCRIPTIONS.items()
}


class ApiError(HTTPException):
    """An error with an HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        """The sentence is the response's ``error``."""
        super().__init__(status_code=status, detail=sentence)


def not_found(error: UnknownIdError) -> ApiError:
    """The resource that the path names does not exist."""
    return ApiError(404, str(error))


def refuse_unknown_parameters(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a mistyped query parameter, which would silently be a default.

    Raises:
        ApiError: The endpoint does not have the parameter, or it is given twice.
    """
    known = set(handler.parsed_fn_signature.parameters) - {"request", "data", *request.path_params}
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            raise ApiError(400, f"unknown parameter {name[:80]!r}: /openapi/openapi.json lists those of each endpoint")
        if given.count(name) > 1:
            raise ApiError(400, f"{name} is given more than once")


def error_response(sentence: str, status: int) -> Response[ErrorResponse]:
    """The response for an error."""
    return Response(ErrorResponse(sentence), status_code=status, media_type=MediaType.JSON)


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorResponse]:
    """Errors of the endpoints and of the framework."""
    if error.status_code >= 500:
        return on_internal_error(_, error)
    answer = error_response(_sentence(error), error.status_code)
    for name, value in (error.headers or {}).items():
        answer.set_header(name, value)
    return answer


def _sentence(error: HTTPException) -> str:
    if isinstance(error, ApiError):
        return error.detail
    extra = error.extra if isinstance(error.extra, list) else []
    causes = [_cause(one) for one in extra if isinstance(one, dict)]
    if causes:
        said = "; ".join(causes)
    elif isinstance(error.__cause__, SerializationException):
        said = f"the body is no JSON of this contract: {error.detail}"
    else:
        return FRAMEWORK_ERRORS.get(error.status_code, str(error.detail))
    return said + CONTRACT if "unknown field" in said else said


def _cause(one: dict[str, Any]) -> str:
    key, message = one.get("key"), str(one.get("message"))
    if message == "'data'":
        return "a JSON document is needed as the body"
    return f"{'body' if key in (None, 'data') else key}: {message}"


def on_elcrec_error(_: Request[Any, Any, Any], error: ElcrecError) -> Response[ErrorResponse]:
    """The caller's mistakes."""
    return error_response(str(error), 422)


def on_store_error(_: Request[Any, Any, Any], error: StoreError) -> Response[ErrorResponse]:
    """The store cannot be used; events that were not acknowledged are not stored."""
    LOG.error("store failed", extra={"fields": {"error": str(error)}})
    return _later("the store cannot be reached: try again later")


def on_overload(_: Request[Any, Any, Any], error: Overloaded) -> Response[ErrorResponse]:
    """Too much work waits."""
    return _later(str(error))


def _later(sentence: str) -> Response[ErrorResponse]:
    response = error_response(sentence, 503)
    response.set_header("retry-after", "1")
    return response


def on_undecodable_body(_: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[ErrorResponse]:
    """The body is not UTF-8."""
    return error_response("the body is no JSON of this contract: it holds bytes that are no UTF-8", 400)


def on_nesting(_: Request[Any, Any, Any], error: RecursionError) -> Response[ErrorResponse]:
    """The body is nested too deeply."""
    return error_response("the body is nested too deeply", 400)


def on_internal_error(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorResponse]:
    """Our mistake; the log has the traceback."""
    LOG.error("failed", exc_info=error, extra={"fields": {"path": request.scope.get("path_template", "")}})
    return error_response(INTERNAL_ERROR, 500)
