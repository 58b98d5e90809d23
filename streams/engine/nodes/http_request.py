"""http-request: a task whose every text is filled in here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.nodes.http_request import Authorization, Body, BodyItem, HttpRequestData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Task
from streams.engine.pool import Pool, getter, or_none
from streams.engine.texts import Text, compile_text

Pairs = list[list[str]]
_Fill = Callable[[Pool], Any]
_DIFY = {"retry_enabled", "max_retries", "retry_interval"}
"""Of a retry configuration: what the executor knows of it."""


@dataclass(frozen=True, slots=True)
class HttpRequestNode:
    """The task's config has method, url, headers and params (both as [name, value] pairs), body {type, data},
    authorization {type, config}, timeout, ssl_verify, error_strategy and retry_config. An item of the body
    has a key, and a value or a file.
    """

    data: HttpRequestData
    url: Text
    headers: Text
    params: Callable[[Pool], Pairs]
    body: _Fill
    authorization: _Fill

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        url = self.url(pool)
        if not url.startswith(("http://", "https://")):
            raise NodeFailure(f"url must start with http:// or https://, is {url!r}", "InvalidURLError")
        timeout = self.data.timeout
        config = {
            "type": self.data.type,
            "title": self.data.title,
            "method": self.data.method,
            "url": url,
            # As in Dify, a variable may stand for several headers: lines are told apart after filling.
            "headers": _pairs(self.headers(pool)),
            "params": self.params(pool),
            "body": self.body(pool),
            "authorization": self.authorization(pool),
            "timeout": timeout.model_dump() if timeout else None,
            "ssl_verify": self.data.ssl_verify,
            # Whether an HTTP error status is a failure of the node depends on how it handles failures.
            "error_strategy": self.data.error_strategy,
            "retry_config": self.data.retry_config.model_dump(include=_DIFY),
        }
        return Task(config, {})


def compile_http_request(data: HttpRequestData) -> HttpRequestNode:
    """All texts of the node, compiled."""
    return HttpRequestNode(
        data=data,
        url=compile_text(data.url),
        headers=compile_text(data.headers),
        params=_compile_params(data.params),
        body=_compile_body(data.body),
        authorization=_compile_authorization(data.authorization),
    )


def _pairs(lines: str) -> Pairs:
    pairs = (line.partition(":") for line in lines.splitlines() if line.strip())
    return [[name.strip(), value.strip()] for name, _, value in pairs]


def _compile_params(lines: str) -> Callable[[Pool], Pairs]:
    """Lines are told apart before filling: a value may have line breaks in it."""
    texts = [(compile_text(name), compile_text(value)) for name, value in _pairs(lines) if name]
    return lambda pool: [[name(pool), value(pool)] for name, value in texts]


def _compile_body(body: Body | None) -> _Fill:
    if body is None or body.type == "none":
        return lambda _: {"type": "none", "data": []}
    items = [_compile_item(item) for item in body.data]
    return lambda pool: {"type": body.type, "data": [fill(pool) for fill in items]}


def _compile_item(item: BodyItem) -> _Fill:
    key, value, file = compile_text(item.key), compile_text(item.value), getter(item.file)
    if item.type == "file" or item.file:
        return lambda pool: {"key": key(pool), "type": "file", "file": or_none(file(pool))}
    return lambda pool: {"key": key(pool), "type": "text", "value": value(pool)}


def _compile_authorization(authorization: Authorization) -> _Fill:
    config = authorization.config
    if authorization.type == "no-auth" or config is None:
        return lambda _: {"type": "no-auth", "config": None}
    api_key = compile_text(config.api_key)

    def fill(pool: Pool) -> dict[str, Any]:
        key = api_key(pool)
        if not key.strip():
            raise NodeFailure("the API key is empty", "AuthorizationConfigError")
        return {
            "type": "api-key",
            "config": {"type": config.type, "api_key": key, "header": config.header or "Authorization"},
        }

    return fill
