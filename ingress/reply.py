"""A trigger's own answer to an accepted request: made once, or rendered of each event."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jinja2 import TemplateSyntaxError

from schemas.template import compile_template
from schemas.triggers.webhook import WebhookResponse

_log = logging.getLogger(__name__)

_MAX_STEPS = 10_000
"""Of a template: some ten milliseconds, in which the process answers nobody else."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer as it goes over the wire, but for a body that depends on the event."""

    status: int
    headers: Mapping[str, str]
    """With its Content-Type."""
    body: bytes
    render: Callable[[Mapping[str, Any]], str] | None = None

    def body_for(self, event: Mapping[str, Any], **more: Any) -> bytes | None:
        """None where the template fails: the event is accepted all the same, and must not be sent again."""
        if self.render is None:
            return self.body
        try:
            return self.render({**event, **more}).encode("utf-8", "replace")
        except Exception as failed:  # a template can raise whatever the methods that it calls raise
            why = f"{type(failed).__name__}: {failed}"
            _log.info("the answer to %s cannot be rendered: %s", event["path"], why)
            return None


def compile_reply(response: WebhookResponse | None) -> Reply | None:
    """None where the trigger has no answer of its own. Raises `ValueError` for a template that is none."""
    if response is None:
        return None
    if response.template is not None:
        try:
            render = compile_template(response.template, _MAX_STEPS)
        except (TemplateSyntaxError, RecursionError) as wrong:
            raise ValueError(str(wrong) or "it is nested too deeply") from wrong
        return Reply(response.status, _headers(response, "text/plain; charset=utf-8"), b"", render)
    if response.body is None or isinstance(response.body, str):
        body = (response.body or "").encode()
        return Reply(response.status, _headers(response, "text/plain; charset=utf-8"), body)
    return Reply(response.status, _headers(response, "application/json"), orjson.dumps(response.body))


def _headers(response: WebhookResponse, content_type: str) -> Mapping[str, str]:
    given = {name.lower() for name in response.headers}
    return response.headers if "content-type" in given else {**response.headers, "Content-Type": content_type}
