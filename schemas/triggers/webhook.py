"""Webhooks: an address of their own that takes any HTTP request that fits."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.triggers.config import TriggerConfig
from schemas.triggers.signature import SignatureConfig


class WebhookResponse(BaseModel):
    """What an accepted request is answered with, instead of 202 and the trigger_id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(default=202, ge=200, le=299)
    body: Any = None
    """JSON; a string is sent as text."""


class RequiredParameters(BaseModel):
    """Names that must be there, else the request is refused with 422."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    """Dotted paths into a JSON or form body."""


class WebhookConfig(TriggerConfig):
    """The `config` of a WEBHOOK trigger."""

    type: ClassVar[str] = "WEBHOOK"
    node_type: ClassVar[str] = "trigger-webhook"
    sealed: ClassVar[tuple[str, ...]] = ("signature.secrets",)

    webhook_id: str = Field(min_length=16, pattern=r"^[A-Za-z0-9_-]+$")
    allowed_methods: tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"], ...] = ("POST",)
    content_types: tuple[str, ...] = ()
    """Media types that are taken, without parameters; empty takes all."""
    required: RequiredParameters = RequiredParameters()
    signature: SignatureConfig | None = None
    dedup_window_s: float | None = Field(default=None, ge=0)
    """None: 30 s for content hashes, 24 h for delivery ids. 0 switches deduplication off."""
    response: WebhookResponse | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.repository.full_name`, `headers.x-github-event`,
    `query.page`, `method`, `path`). A start variable that is not named here takes the value of that name
    from the body, else from the query."""

    def index_key(self, trigger_id: str) -> str:
        """Its address."""
        return self.webhook_id

    @property
    def address(self) -> str:
        """The last part of its path."""
        return self.webhook_id

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs
