"""A WEBHOOK trigger made ready for its requests: everything that does not depend on the request, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingress.capture import SECRET_HEADERS
from ingress.errors import MethodNotAllowed, Unauthenticated, Unprocessable, UnsupportedMediaType
from ingress.limits import EndpointLimit, Limits
from ingress.reply import Reply, compile_reply
from schemas.models import TriggerHead
from schemas.secrets import SecretBox, SecretUnreadable
from schemas.sharing import same
from schemas.triggers.delivery import NotBelieved
from schemas.triggers.parameters import Parameters, Taken, compile_parameters
from schemas.triggers.signatures import Verifier, build_verifier
from schemas.triggers.webhook import WebhookConfig


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What requests to one webhook are held against. Holds secrets in the clear: never serialised, in
    memory only."""

    trigger: TriggerHead
    webhook_id: str
    source: str
    """CloudEvents source: the path of the endpoint."""
    methods: frozenset[str]
    content_types: frozenset[str]
    limit: EndpointLimit | None
    tenant_limits: Limits | None
    """None where there are none."""
    verifier: Verifier | None
    secret_headers: frozenset[str]
    """In lower case: what of a request is not kept."""
    parameters: Parameters | None
    """None where everything is taken."""
    naming: tuple[str, ...]
    """See `WebhookConfig.naming`."""
    signed_id: str
    """The header with the delivery id that is signed, where it is not the first that is looked for."""
    window_override_s: float | None
    reply: Reply | None

    def check_line(self, method: str, content_type: str, has_body: bool) -> None:
        """Before the body is read. Raises `MethodNotAllowed`, `UnsupportedMediaType`, `TooMany`."""
        if self.limit is not None:
            self.limit.check(self.trigger.id)
        if method not in self.methods:
            raise MethodNotAllowed(method, self.methods)
        if self.content_types and has_body and content_type not in self.content_types:
            taken = ", ".join(sorted(self.content_types))
            raise UnsupportedMediaType(f"{content_type} is not taken here; send one of {taken}")

    def check_sender(self, headers: Mapping[str, str], raw: bytes, now_s: float) -> None:
        """Raises `Unauthenticated`; then `TooMany`, counted for those who have proved who they are: nobody
        else can use up what the tenant may be sent."""
        if self.verifier is not None:
            try:
                self.verifier.verify(headers, raw, now_s)
            except NotBelieved as bad:
                challenge = {"WWW-Authenticate": self.verifier.challenge}
                raise Unauthenticated(str(bad), headers=challenge) from bad
        if self.tenant_limits is not None:
            self.tenant_limits.check_tenant(self.trigger.tenant_id)

    def take(
        self, query: Mapping[str, Any], headers: Mapping[str, str], body: Any, size_bytes: int, is_form: bool
    ) -> Taken:
        """The parts of a request in their types. Raises `Unprocessable` with all that is wrong."""
        if self.parameters is None:
            return Taken(query, _NONE, body)
        taken, wrong = self.parameters.take(query, headers, body, size_bytes, is_form=is_form)
        if wrong:
            rows = [{"node": None, "field": one.field, "why": one.why} for one in wrong]
            names = ", ".join(dict.fromkeys(one.field for one in wrong))
            raise Unprocessable(f"missing, or not as they should be: {names}", errors=rows)
        return taken


_NONE: Mapping[str, Any] = {}


def compile_endpoint(
    trigger: TriggerHead, config: WebhookConfig, secrets: SecretBox | None, limits: Limits
) -> Endpoint:
    """Raises `SecretUnreadable` when the trigger's secrets were encrypted under another key."""
    own_header = config.signature.secret_header if config.signature else None
    return Endpoint(
        trigger=trigger,
        webhook_id=config.webhook_id,
        source=f"/triggers/webhook/{config.webhook_id}",
        methods=same(frozenset(config.allowed_methods)),
        content_types=same(frozenset(t.lower() for t in config.content_types)),
        limit=limits.endpoint(config.rate_limit),
        tenant_limits=limits if limits.of_tenants else None,
        verifier=_verifier(trigger.tenant_id, config, secrets),
        secret_headers=SECRET_HEADERS | {own_header} if own_header else SECRET_HEADERS,
        parameters=compile_parameters(config.required, config.parameters),
        naming=config.naming,
        signed_id="svix-id" if config.signature and config.signature.scheme == "svix" else "",
        window_override_s=config.dedup_window_s,
        reply=compile_reply(config.response),
    )


def _verifier(tenant_id: str, config: WebhookConfig, secrets: SecretBox | None) -> Verifier | None:
    if config.signature is None:
        return None
    if secrets is None:
        raise SecretUnreadable("HOPLINE_SECRET_KEY is not set")
    clear = [secrets.decrypt(tenant_id, secret) for secret in config.signature.secrets]
    return build_verifier(config.signature, clear)
