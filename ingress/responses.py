"""JSON answers of the control plane."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from ingress.body import parse_json, read_body
from ingress.errors import invalid

_M = TypeVar("_M", bound=BaseModel)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """`value` as JSON; a model as it serialises itself, dates in RFC 3339."""
    body = orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def read_model(request: web.Request, model: type[_M]) -> _M:
    """The body as `model`; an absent body as `{}`. Raises `Malformed`, `Unprocessable`."""
    raw = await read_body(request)
    try:
        return model.model_validate(parse_json(raw, request.charset) if raw else {})
    except ValidationError as wrong:
        raise invalid(wrong) from wrong


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
