"""Errors as problem+json (RFC 9457): what is wrong and what to do, but no trace and no path of the server."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pixlake.errors import AccessDenied, BadImage, BadInput, MissingObject, PixlakeError, TransientError
from pixlake.iceberg.lakes import Lake

RETRY_SECONDS = 2
_LOG = logging.getLogger(__name__)
_TOO_LARGE = frozenset({"too_large", "too_many_pixels", "side_too_long"})


def make_problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> Response:
    """The answer with this status; a status that asks to come again says when."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    later = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {}
    return Response(msgspec.json.encode(body), status, {**later, **(headers or {})}, "application/problem+json")


async def answer_http(_: Request, error: Exception) -> Response:
    """What the app itself refuses."""
    assert isinstance(error, HTTPException)
    return make_problem(error.status_code, error.detail, error.headers)


async def answer_disconnect(_: Request, __: Exception) -> Response:
    """Nobody reads it."""
    return Response(status_code=400)


async def answer_unknown(request: Request, error: Exception) -> Response:
    """A fault of the app, whose trace is for the log."""
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return make_problem(500, "the server failed; its log says why")


async def answer_error(request: Request, error: Exception) -> Response:
    """What Pixlake raises, by its class; what only the operator can mend is told to the log alone."""
    assert isinstance(error, PixlakeError)
    if isinstance(error, BadImage):
        status = 413 if error.reason in _TOO_LARGE else 400
        return make_problem(status, error.detail, reason=error.reason)
    if isinstance(error, BadInput) and not isinstance(error, AccessDenied):
        status = 404 if isinstance(error, MissingObject) else 422
        return make_problem(status, conceal(str(error), request.app.state.lake))
    _LOG.error("%s: %s", type(error).__name__, error)
    if isinstance(error, TransientError):
        return make_problem(503, "the lake did not answer; ask again in a moment")
    return make_problem(500, "the server may not read what it needs; its log says what")


def conceal(text: str, lake: Lake) -> str:
    """`text` without where the lake lies."""
    text = text.replace(lake.uri, "the lake")
    return text.replace(str(lake.folder), "the lake") if lake.folder else text


HANDLERS = {
    HTTPException: answer_http,
    ClientDisconnect: answer_disconnect,
    PixlakeError: answer_error,
    Exception: answer_unknown,
}
