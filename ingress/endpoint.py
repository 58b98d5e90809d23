"""A WEBHOOK trigger made ready for its requests: everything that does not depend on the request, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from ingress.errors import MethodNotAllowed, Unauthenticated, Unprocessable, UnsupportedMediaType
from schemas.models import AppTrigger
from schemas.paths import lookup
from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.delivery import NotBelieved
from schemas.triggers.signatures import Verifier, build_verifier
from schemas.triggers.webhook import RequiredParameters, WebhookConfig, WebhookResponse


class Reply(NamedTuple):
    """The trigger's own answer, as it goes over the wire."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What requests to one webhook are held against. Holds secrets in the clear: never serialised, in
    memory only."""

    trigger: AppTrigger
    webhook_id: str
    source: str
    """CloudEvents source: the path of the endpoint."""
    methods: frozenset[str]
    content_types: frozenset[str]
    required: RequiredParameters | None
    """None where nothing is."""
    verifier: Verifier | None
    window_override_s: float | None
    reply: Reply | None

    def check_line(self, method: str, content_type: str, has_body: bool) -> None:
        """Before the body is read. Raises `MethodNotAllowed`, `UnsupportedMediaType`."""
        if method not in self.methods:
            raise MethodNotAllowed(method, self.methods)
        if self.content_types and has_body and content_type not in self.content_types:
            taken = ", ".join(sorted(self.content_types))
            raise UnsupportedMediaType(f"{content_type} is not taken here; send one of {taken}")

    def check_signature(self, headers: Mapping[str, str], raw: bytes, now_s: float) -> None:
        """Raises `Unauthenticated`."""
        if self.verifier is None:
            return
        try:
            self.verifier.verify(headers, raw, now_s)
        except NotBelieved as bad:
            raise Unauthenticated(str(bad), headers={"WWW-Authenticate": "Signature"}) from bad

    def check_required(self, query: Mapping[str, Any], headers: Mapping[str, str], body: Any) -> None:
        """Raises `Unprocessable` with every name that is missing."""
        required = self.required
        if required is None:
            return
        missing = [("query", name) for name in required.query if name not in query]
        missing += [("headers", name) for name in required.headers if name not in headers]
        missing += [("body", path) for path in required.body if not lookup(body, path)[0]]
        if missing:
            rows = [{"node": None, "field": f"{where}.{name}", "why": "missing"} for where, name in missing]
            names = ", ".join(f"{where}.{name}" for where, name in missing)
            raise Unprocessable(f"required but missing: {names}", errors=rows)


def compile_endpoint(trigger: AppTrigger, secrets: SecretBox | None) -> Endpoint:
    """Raises `SecretUnreadable` when the trigger's secrets were encrypted under another key."""
    config = WebhookConfig.model_validate(trigger.config)
    return Endpoint(
        trigger=trigger,
        webhook_id=config.webhook_id,
        source=f"/triggers/webhook/{config.webhook_id}",
        methods=frozenset(config.allowed_methods),
        content_types=frozenset(t.lower() for t in config.content_types),
        required=config.required if config.required != RequiredParameters() else None,
        verifier=_verifier(trigger.tenant_id, config, secrets),
        window_override_s=config.dedup_window_s,
        reply=_reply(config.response) if config.response else None,
    )


def _verifier(tenant_id: str, config: WebhookConfig, secrets: SecretBox | None) -> Verifier | None:
    if config.signature is None:
        return None
    if secrets is None:
        raise SecretUnreadable("HOPLINE_SECRET_KEY is not set")
    clear = [secrets.decrypt(tenant_id, secret) for secret in config.signature.secrets]
    return build_verifier(config.signature, clear)


def _reply(response: WebhookResponse) -> Reply:
    if response.body is None:
        return Reply(response.status, b"", "text/plain")
    if isinstance(response.body, str):
        return Reply(response.status, response.body.encode(), "text/plain")
    return Reply(response.status, orjson.dumps(response.body), "application/json")
