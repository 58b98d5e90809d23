"""What a request is refused with: problem documents (RFC 9457) that say what to change.

Problem
├── Malformed             400  send something else
├── Unauthenticated       401  credentials or signature
├── Forbidden             403  somebody else may
├── NotFound              404
├── MethodNotAllowed      405  one of `Allow`
├── TooSlow               408  send it faster
├── Conflict              409  the state of the thing forbids it
├── Gone                  410  it was here, and is over
├── TooLarge              413  send less
├── UnsupportedMediaType  415  another content type
├── Unprocessable         422  `errors` names each field
├── TooMany               429  the same request again, after `Retry-After`
└── Unavailable           503  the same request again, after `Retry-After`
"""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from ingress.express.request import EventRequest
from schemas.errors import InvalidDefinition, reason
from transport.errors import TransportError

_log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 1


class Problem(Exception):
    """Any refusal. `detail` is for the caller; `extensions` become members of the document."""

    status = 500

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions

    def response(self) -> web.Response:
        """The document. Its type is `about:blank`, so that the title is the status's phrase."""
        return problem_response(self.status, self.detail, self.headers, self.extensions)


class Malformed(Problem):
    """The request cannot be read."""

    status = 400


class Unauthenticated(Problem):
    """No credentials, or wrong ones."""

    status = 401


class Forbidden(Problem):
    """The caller is known, and may not."""

    status = 403


class NotFound(Problem):
    """Nothing is there, or it belongs to somebody else."""

    status = 404


class MethodNotAllowed(Problem):
    """The endpoint takes other methods."""

    status = 405

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        names = ", ".join(sorted(allowed))
        super().__init__(f"{method} is not taken here; use one of {names}", headers={"Allow": names})


class TooSlow(Problem):
    """The body has not come in the time that it is given."""

    status = 408

    def response(self) -> web.Response:
        """The document; the connection ends with it, since more of the body may come."""
        response = super().response()
        response.force_close()
        return response


class Conflict(Problem):
    """What is asked does not fit the state of the thing."""

    status = 409


class Gone(Problem):
    """It was here, and is over."""

    status = 410


class TooLarge(Problem):
    """More bytes than are taken."""

    status = 413


class UnsupportedMediaType(Problem):
    """A content type that the endpoint does not take."""

    status = 415


class Unprocessable(Problem):
    """Readable, but not what is wanted: `errors` has a row for each field."""

    status = 422


class TooMany(Problem):
    """A rate limit is reached."""

    status = 429

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class Unavailable(Problem):
    """Not now: the producer sends it again."""

    status = 503

    def __init__(self, detail: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


def problem_response(
    status: int, detail: str, headers: Mapping[str, str], extensions: Mapping[str, Any]
) -> web.Response:
    """A problem document as an answer."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extensions}
    body = orjson.dumps(document, default=str)
    return web.Response(status=status, body=body, content_type=PROBLEM_JSON, headers=headers)


def invalid(error: ValidationError, within: str = "") -> Unprocessable:
    """What pydantic found, one row a field; `within` is where in the body the model begins."""
    rows = [
        {"node": None, "field": ".".join(filter(None, (within, *map(str, one["loc"])))), "why": reason(one)}
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return Unprocessable(f"{len(rows)} field(s) of the body are not as they should be", errors=rows)


def refused(error: InvalidDefinition) -> Unprocessable:
    """What is wrong in a definition, one row a problem."""
    rows = [{"node": p.node, "field": p.field, "why": p.why} for p in error.problems]
    return Unprocessable(f"the definition has {len(rows)} problem(s)", errors=rows)


def answer_to(request: EventRequest, raised: Exception) -> web.Response:
    """The problem document for whatever a handler or aiohttp itself has raised; raises what is no failure."""
    match raised:
        case Problem():
            return raised.response()
        case InvalidDefinition():
            return refused(raised).response()
        case TransportError() | TimeoutError():
            return Unavailable(f"{str(raised) or 'it took too long'}; send it again").response()
        case web.HTTPException():
            if raised.status < HTTPStatus.BAD_REQUEST:
                raise raised
            return _of_aiohttp(request, raised)
    _log.error("%s %s failed", request.method, request.path, exc_info=raised)
    return fault(500)


def fault(status: int) -> web.Response:
    """The problem document for what the caller can do nothing about."""
    return problem_response(status, "this is a fault of the server; its log has the reason", {}, {})


def _of_aiohttp(request: EventRequest, raised: web.HTTPException) -> web.Response:
    if isinstance(raised, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(request.method, raised.allowed_methods).response()
    if isinstance(raised, web.HTTPNotFound):
        return NotFound(f"nothing is at {request.path}; /openapi.json lists what there is").response()
    if isinstance(raised, web.HTTPRequestEntityTooLarge):
        return too_large(request.client_max_size).response()
    return problem_response(raised.status, raised.text or raised.reason, {}, {})


def too_large(limit_bytes: int) -> TooLarge:
    """For a body over the limit of the deployment."""
    return TooLarge(f"the body is larger than {limit_bytes} bytes; send less (HOPLINE_MAX_BODY_BYTES)")


def too_slow(timeout_s: float) -> TooSlow:
    """For a body that has had its time."""
    return TooSlow(f"the body has not come within {timeout_s:g} s (HOPLINE_BODY_TIMEOUT_S)")
