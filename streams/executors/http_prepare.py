"""From an http-request node's `data`, its variables already put in, to a request that can be sent."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from yarl import URL

from schemas.files import is_file
from streams.executors.http_body import BodyItem, Encoded, ReadFile, encode_body
from streams.executors.http_errors import AuthorizationConfigError, InvalidHttpMethodError, InvalidURLError

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
# Those that stay as they are written (WHATWG), "%" included: a peer may have signed what it gets.
_QUERY_SAFE = "".join(chr(i) for i in range(0x21, 0x7F) if chr(i) not in '"#<>')
_PATH_SAFE = "".join(char for char in _QUERY_SAFE if char not in "?`{}")
_BASIC = "Basic "
# Follow from the body we send; a wrong one would leave the peer waiting.
_FRAMING_HEADERS = ("content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """Everything about a request but the timeouts."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    secret_header: str | None
    """The header that carries the credentials: masked in what is shown, not sent on to another origin."""
    encoded_pair: str = ""
    """User and password as basic authorization has them: nobody else would know that for a secret."""
    shown_body: str | None = None
    """What stands for the body in what is shown, where it has files in it."""


async def prepare(config: Mapping[str, Any], execution_id: str, read: ReadFile) -> PreparedRequest:
    """Raises `HttpRequestNodeError` where the node is not well-formed."""
    method = str(config.get("method", "get")).upper()
    if method not in _METHODS:
        raise InvalidHttpMethodError(f"Invalid http method {config.get('method')}")
    credentials = _credentials(config.get("authorization") or {})
    boundary = f"hopline-{execution_id}"
    encoded = await encode_body(_body_type(config), _body_items(config), boundary=boundary, read=read)
    headers = _headers(config, encoded, execution_id) | credentials
    secret_header, sent = next(iter(credentials.items()), (None, ""))
    pair = sent.removeprefix(_BASIC) if sent.startswith(_BASIC) else ""
    return PreparedRequest(method, _url(config), headers, encoded.content, secret_header, pair, encoded.shown)


def key_values(given: Any) -> list[tuple[str, str]]:
    """Headers or parameters: [name, value] pairs from the engine, whose values may have line breaks in them,
    or the lines of the DSL."""
    if isinstance(given, list):
        return [(str(name), str(value)) for name, value in given if name]
    return key_value_lines(str(given or ""))


def key_value_lines(text: str) -> list[tuple[str, str]]:
    """`key: value` on each line; a line without a colon is a key with an empty value."""
    pairs = (line.partition(":") for line in text.splitlines())
    return [(key.strip(), value.strip()) for key, _, value in pairs if key.strip()]


def _url(config: Mapping[str, Any]) -> URL:
    text = str(config.get("url") or "").strip()
    if not text:
        raise InvalidURLError("url is required")
    if not text.startswith(("http://", "https://")):
        raise InvalidURLError("url should start with http:// or https://")
    try:
        url, written = URL(text), URL(text, encoded=True)
        if not url.host:
            raise ValueError("it has no host")
        params = urlencode(key_values(config.get("params")))
        query = "&".join(filter(None, [quote(written.raw_query_string, _QUERY_SAFE), params]))
        path = quote(_without_dots(written.raw_path), _PATH_SAFE)
        return URL.build(
            scheme=url.scheme, authority=url.raw_authority, path=path, query_string=query, encoded=True
        )
    except ValueError as error:
        raise InvalidURLError(f"url is invalid: {error}") from error


def _without_dots(path: str) -> str:
    """The path without its `.` and `..` (RFC 3986, section 5.2.4), which is what a client sends."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[max(len(kept) - 1, 1) :]
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)


def _headers(config: Mapping[str, Any], encoded: Encoded, execution_id: str) -> dict[str, str]:
    given = dict(key_values(config.get("headers")))
    headers = {name: value for name, value in given.items() if name.lower() not in _FRAMING_HEADERS}
    present = {name.lower() for name in headers}
    if encoded.multipart:  # only we know the boundary
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    if encoded.content_type and (encoded.multipart or "content-type" not in present):
        headers["Content-Type"] = encoded.content_type
    if "idempotency-key" not in present:
        # A task that is executed again after a crash is recognisable to the peer.
        headers["Idempotency-Key"] = execution_id
    return headers


def _credentials(authorization: Mapping[str, Any]) -> dict[str, str]:
    if authorization.get("type") != "api-key":
        return {}
    config = authorization.get("config")
    if not isinstance(config, Mapping):
        raise AuthorizationConfigError("authorization config is required")
    key = str(config.get("api_key") or "")
    if not key.strip():
        raise AuthorizationConfigError(
            "API key is required for authorization but was empty. Please provide a valid API key."
        )
    header = str(config.get("header") or "Authorization")
    match config.get("type"):
        case "bearer":
            return {header: f"Bearer {key}"}
        case "basic":
            # A key without a colon is taken as encoded already.
            return {header: _BASIC + (base64.b64encode(key.encode()).decode() if ":" in key else key)}
        case "custom":
            return {header: key}
        case other:
            raise AuthorizationConfigError(f"unknown authorization type {other}")


def _body_type(config: Mapping[str, Any]) -> str:
    return str((config.get("body") or {}).get("type") or "none")


def _body_items(config: Mapping[str, Any]) -> list[BodyItem]:
    """The list of the current DSL, or the plain text of versions before 0.1.3."""
    data = (config.get("body") or {}).get("data") or []
    if isinstance(data, str):
        if _body_type(config) in ("form-data", "x-www-form-urlencoded"):
            return [BodyItem(key, value) for key, value in key_value_lines(data)]
        return [BodyItem("", data)]
    return [_body_item(item) for item in data]


def _body_item(item: Mapping[str, Any]) -> BodyItem:
    key = str(item.get("key") or "")
    if item.get("type") != "file":
        return BodyItem(key, str(item.get("value") or ""))
    given = item.get("file")
    files: list[Any] = given if isinstance(given, list) else [given]
    return BodyItem(key, files=tuple(file for file in files if is_file(file)), is_file=True)
