"""How values are written into the parts of a request: styles of OpenAPI (RFC 6570)."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from schemas.openapi import Parameter
from streams.executors.tools.errors import ToolParameterError

Pairs = list[tuple[str, str]]

_SEPARATORS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


def plain(value: Any) -> str:
    """One value as text: what is no text as JSON, so `true` rather than `True`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def path_text(parameter: Parameter, value: Any) -> str:
    """What takes the place of `{name}`, encoded. Raises `ToolParameterError`: `.` and `..` would lead to
    another path of the server, however they are encoded, and nothing at all likewise."""
    separator = {"label": ".", "matrix": ";"}.get(parameter.style, ",") if parameter.explode else ","
    text = separator.join(map(_quoted, _members(parameter, value)))
    if text in ("", ".", ".."):
        raise ToolParameterError(f"parameter {parameter.name!r} is part of the path, and cannot be {text!r}")
    if parameter.style == "label":
        return f".{text}"
    if parameter.style == "matrix":
        return f";{text}" if _is_exploded_object(parameter, value) else f";{quote(parameter.name)}={text}"
    return text


def query_pairs(parameter: Parameter, value: Any) -> Pairs:
    """Names and values, not yet encoded. An empty text is not sent, as in Dify."""
    if value == "" and not parameter.required:
        return []
    if parameter.as_json or not isinstance(value, list | Mapping):
        return [(parameter.name, plain(value))]
    if parameter.style == "deepObject" and isinstance(value, Mapping):
        return [(f"{parameter.name}[{key}]", plain(one)) for key, one in value.items()]
    if parameter.explode and isinstance(value, Mapping):
        return [(str(key), plain(one)) for key, one in value.items()]
    if parameter.explode:
        return [(parameter.name, plain(one)) for one in value]
    return [(parameter.name, _SEPARATORS.get(parameter.style, ",").join(_members(parameter, value)))]


def header_text(parameter: Parameter, value: Any) -> str:
    """Raises `ToolParameterError` for a line break: it would begin another header."""
    text = ",".join(_members(parameter, value))
    if any(ord(character) < 32 and character != "\t" for character in text):
        raise ToolParameterError(f"parameter {parameter.name!r} is a header, and has a line break in it")
    return text


def _members(parameter: Parameter, value: Any) -> list[str]:
    if parameter.as_json or not isinstance(value, list | Mapping):
        return [plain(value)]
    if isinstance(value, list):
        return [plain(one) for one in value]
    if parameter.explode:
        return [f"{key}={plain(one)}" for key, one in value.items()]
    return [text for key, one in value.items() for text in (str(key), plain(one))]


def _is_exploded_object(parameter: Parameter, value: Any) -> bool:
    return parameter.explode and isinstance(value, Mapping)


def _quoted(text: str) -> str:
    return quote(text, safe="=")
