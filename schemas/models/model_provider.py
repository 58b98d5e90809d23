"""Where a tenant's models are: an OpenAI-compatible endpoint, and what there is to know of its models."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.models.provider import Provider

ANY_MODEL = "*"
"""The entry of `models` for those that have none of their own."""

API_KEY = "api_key"


_PLACES = 20
"""Prices are told in full: of 1e-999999999 that would be a gigabyte."""
_Price = Annotated[Decimal, Field(ge=0, le=10**9, decimal_places=_PLACES)]


class Pricing(BaseModel):
    """Price of a token = `input` or `output` * `unit`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    input: _Price
    output: _Price
    unit: Decimal = Field(default=Decimal("0.000001"), gt=0, le=1, decimal_places=_PLACES)
    """The default makes them prices of a million tokens."""
    currency: str = Field(default="USD", min_length=1, max_length=10)


class ModelSettings(BaseModel):
    """What a node cannot know about a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    served_as: str | None = None
    """What the endpoint calls the model; None: as the nodes do."""
    mode: Literal["chat", "completion"] | None = None
    """Which of the two interfaces it is called by; None: the one that the node says."""
    context_size: int | None = Field(default=None, ge=1)
    """Tokens of prompt and reply together. The memory of a conversation is cut to what is left of it."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Most that may be asked for of a reply; a node that asks for more gets this."""
    vision: bool = True
    """Takes images and videos. False: they are left out of what is sent."""
    audio: bool = True
    documents: bool = True
    tool_calls: bool = True
    """False: what a node would ask for by a function call it asks for in words."""
    structured_output: Literal["json_schema", "json_object", "prompt"] = "json_schema"
    """How it is told a schema: by `response_format`, or in words with or without JSON mode."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Sent with every request unless the node says otherwise."""
    parameter_names: dict[str, str | None] = Field(default_factory=dict)
    """What the endpoint calls a parameter (`max_tokens: max_completion_tokens`); null leaves it out."""
    pricing: Pricing | None = None


class ModelSource(BaseModel):
    """An endpoint, and how it wants to be asked."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    base_url: str
    """`/chat/completions` and `/completions` are added to it; a query is kept."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with every request, and shown to whoever may see the provider: no place for secrets."""
    api_key_header: str = Field(default="Authorization", min_length=1)
    """In `Authorization` the key is a bearer token; in any other header it stands alone."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """As those of a model, which come before these."""
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    """By the name that nodes use, or `*`. A model without an entry can be used all the same."""
    stream: bool = True
    """Replies are read as they are written, so that a long one does not run into the read timeout."""
    connect_timeout_s: float = Field(default=10, gt=0, le=60)
    read_timeout_s: float = Field(default=120, gt=0, le=1200)
    """Without a byte."""
    timeout_s: float = Field(default=600, gt=0, le=1200)
    """Of one attempt."""
    max_retries: int = Field(default=3, ge=0, le=10)
    """After 408, 409, 429, 5xx and faults of the connection."""
    max_retry_wait_s: float = Field(default=30, gt=0, le=600)
    """Before each retry at most; an endpoint that asks for more is not tried again."""
    default: bool = False
    """Stands in for every provider that a node names and the tenant has not configured."""

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be like https://api.example.com/v1")
        if parts.username or parts.password:
            raise ValueError("must not contain credentials: they belong into credentials.api_key")
        return value

    def settings_of(self, model: str) -> ModelSettings:
        """Its own entry, else that of `*`, else what is assumed of any model."""
        return self.models.get(model) or self.models.get(ANY_MODEL) or ModelSettings()


class ModelProvider(ModelSource, Provider):
    """What nodes find by the name that they give in `model.provider`. Without a credential it is asked
    without a key."""

    @model_validator(mode="after")
    def _has_no_other_credential(self) -> Self:
        check_credentials(self.credentials)
        return self


def check_credentials(given: Mapping[str, str]) -> None:
    """Raises `ValueError` for names that no endpoint is sent."""
    unknown = given.keys() - {API_KEY}
    if unknown:
        raise ValueError(f"unknown credentials {', '.join(sorted(unknown))}: there is only {API_KEY}")
