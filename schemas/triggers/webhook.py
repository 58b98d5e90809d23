"""Webhooks: an address of their own that takes any HTTP request that fits."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.nodes.trigger import Parameter, TriggerWebhookData
from schemas.triggers.config import TriggerConfig
from schemas.triggers.parameters import ParameterSchemas, RequiredParameters
from schemas.triggers.signature import SignatureConfig
from schemas.variables import ValueType

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
METHODS: tuple[Method, ...] = get_args(Method)

_PATH = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
"""Segments of what RFC 3986 leaves unreserved: no client writes them in two ways, and none is `..`."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_THE_SERVER = frozenset({
    "connection", "content-length", "date", "keep-alive", "server", "set-cookie", "te", "trailer",
    "transfer-encoding", "upgrade", "www-authenticate",
})  # fmt: skip
_DEDUP_KEYS: Final[Mapping[str, tuple[str, ...]]] = {"stripe": ("body.id",), "slack": ("body.event_id",)}
"""Producers that name their deliveries in the body."""


class WebhookResponse(BaseModel):
    """What an accepted request is answered with, instead of 202 and the trigger_id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(default=202, ge=200, le=399)
    headers: dict[str, str] = Field(default_factory=dict, max_length=50)
    body: Any = None
    """JSON; a string is sent as text."""
    template: str | None = Field(default=None, max_length=20_000)
    """Instead of `body`: Jinja2 over the event and `trigger_id`, `event_id`, `duplicate`. Sent as text,
    unless `headers` has a content-type."""

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        if self.template is not None and self.body is not None:
            raise ValueError("either body or template")
        for name, value in self.headers.items():
            if not _TOKEN.fullmatch(name) or not value.isprintable() or not value.isascii():
                raise ValueError(f"headers: {name!r} cannot be sent with this value")
            if name.lower() in _OF_THE_SERVER:
                raise ValueError(f"headers: {name} is the server's own")
        return self


class RateLimit(BaseModel):
    """How many requests are taken; what is more is refused with 429."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_s: float = Field(gt=0, le=1_000_000)
    """On average, over all ingresses."""
    burst: int = Field(default=0, ge=0, le=1_000_000)
    """At once, after a pause. 0: what comes in one second, at least 1."""


class WebhookConfig(TriggerConfig):
    """The `config` of a WEBHOOK trigger."""

    type: ClassVar[str] = "WEBHOOK"
    node_type: ClassVar[str] = "trigger-webhook"
    sealed: ClassVar[tuple[str, ...]] = ("signature.secrets",)

    webhook_id: str = Field(min_length=16, max_length=255, pattern=r"^[A-Za-z0-9_-]+$")
    webhook_path: str | None = Field(default=None, max_length=255)
    """A second address, to be remembered: segments of letters, digits, `-`, `.`, `_` and `~`. Nobody else in
    the deployment can have it. It can be guessed, so it needs a signature."""
    allowed_methods: tuple[Method, ...] = ("POST",)
    content_types: tuple[str, ...] = ()
    """Media types that are taken, without parameters; empty takes all."""
    required: RequiredParameters = RequiredParameters()
    parameters: ParameterSchemas = ParameterSchemas()
    signature: SignatureConfig | None = None
    dedup_key: tuple[str, ...] = Field(default=(), max_length=10)
    """Dotted paths into the event whose values together name it (`body.order.id`), instead of a delivery id
    or the content; where one is not there, these do. Empty: `body.id` for Stripe,
    `body.event_id` for Slack."""
    dedup_window_s: float | None = Field(default=None, ge=0)
    """None: 30 s for content hashes, 24 h for delivery ids and keys. 0 switches deduplication off."""
    rate_limit: RateLimit | None = None
    """Where the deployment has a limit, the lower one counts."""
    response: WebhookResponse | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.repository.full_name`, `headers.x-github-event`,
    `query.page`, `method`, `path`). A start variable that is not named here takes the value of that name
    from the body, else from the query."""

    @field_validator("webhook_path")
    @classmethod
    def _normal(cls, path: str | None) -> str | None:
        if path is None:
            return None
        if not _PATH.fullmatch(path := path.strip("/")):
            raise ValueError("segments of letters, digits, -, ., _ and ~, none of which begins with a dot")
        return path

    def index_key(self, trigger_id: str) -> str:
        """Its id, by whichever address a request has come."""
        return self.webhook_id

    @property
    def address(self) -> str:
        """The last part of its URL."""
        return self.webhook_path or self.webhook_id

    @property
    def addresses(self) -> tuple[str, ...]:
        """See `TriggerConfig.addresses`."""
        return (self.webhook_id, self.webhook_path) if self.webhook_path else (self.webhook_id,)

    @property
    def naming(self) -> tuple[str, ...]:
        """`dedup_key`, or what stands for it."""
        return self.dedup_key or _DEDUP_KEYS.get(self.signature.scheme if self.signature else "", ())

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs

    @classmethod
    def from_node(cls, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Of Dify's trigger-webhook node: its method, media type, parameters and answer.

        Raises `ValueError` for a method or a status that no webhook has.
        """
        if data.get("type") != cls.node_type or "trigger_type" in data:
            return super().from_node(data)
        node = TriggerWebhookData.model_validate(data)
        method, media_type = node.method.upper(), node.content_type.partition(";")[0].strip().lower()
        if method not in METHODS:
            raise ValueError(f"method is {node.method!r}, not one of {', '.join(METHODS)}")
        bodiless = method in ("GET", "HEAD") or not media_type
        return {
            "allowed_methods": [method],
            "content_types": [] if bodiless else [media_type],
            "parameters": {
                "query": _of_texts(node.params),
                "headers": _of_texts(node.headers),
                "body": _body(node.body, media_type),
            },
            "response": _answer(data),
        }


def _of_texts(parameters: list[Parameter]) -> dict[str, Any] | None:
    """Of values that come as texts. Another type than these is left to the node, as in Dify."""
    types = {ValueType.NUMBER: "number", ValueType.BOOLEAN: "boolean"}
    return _object({one.name: {"type": types.get(one.type, "string")} for one in parameters}, parameters)


def _body(parameters: list[Parameter], media_type: str) -> dict[str, Any] | None:
    """A text or bytes are there or not; a form has texts, and files that are objects; JSON has everything."""
    if media_type in ("text/plain", "application/octet-stream"):
        return {"not": {"enum": [None, ""]}} if any(one.required for one in parameters) else None
    if media_type != "application/json":
        texts = [one for one in parameters if one.type is not ValueType.FILE]
        return _of_texts(texts)
    return _object({one.name: dict(_JSON_TYPES.get(one.type, {})) for one in parameters}, parameters)


def _object(properties: dict[str, Any], parameters: list[Parameter]) -> dict[str, Any] | None:
    required = [one.name for one in parameters if one.required and one.name in properties]
    if not properties:
        return None
    # An optional value may be null: Dify takes what is declared and absent alike.
    return {
        "type": ["object"] if required else ["object", "null"],
        "properties": properties,
        "required": required,
    }


_JSON_TYPES: Final[Mapping[ValueType, Mapping[str, Any]]] = {
    ValueType.STRING: {"type": "string"},
    ValueType.NUMBER: {"type": "number"},
    ValueType.BOOLEAN: {"type": "boolean"},
    ValueType.OBJECT: {"type": "object"},
    ValueType.ARRAY_STRING: {"type": "array", "items": {"type": "string"}},
    ValueType.ARRAY_NUMBER: {"type": "array", "items": {"type": "number"}},
    ValueType.ARRAY_BOOLEAN: {"type": "array", "items": {"type": "boolean"}},
    ValueType.ARRAY_OBJECT: {"type": "array", "items": {"type": "object"}},
}


def _answer(data: Mapping[str, Any]) -> dict[str, Any]:
    """As Dify makes it: what looks like JSON is JSON, another text is a message."""
    status, text = data.get("status_code") or 200, str(data.get("response_body") or "")
    if not isinstance(status, int) or not 200 <= status <= 399:
        raise ValueError(f"status_code is {status!r}, not a number from 200 to 399")
    if not text:
        return {"status": status, "body": {"status": "success", "message": "Webhook processed successfully"}}
    if text.strip().startswith(("{", "[")):
        try:
            return {"status": status, "body": orjson.loads(text)}
        except orjson.JSONDecodeError:
            pass
    return {"status": status, "body": {"message": text}}
