"""What the operator decides about the door, from `HOPLINE_*`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.models.connection import GITHUB_API, SLACK_API
from schemas.secrets import MIN_KEY_BYTES
from transport.settings import comma_separated
from transport.telemetry.settings import OtlpSettings, SamplingSettings

MIB = 1024 * 1024


class TokenSettings(BaseSettings):
    """Whose JSON Web Tokens are believed: those of nobody, unless one of the three is set."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_JWT_", frozen=True, env_ignore_empty=True)

    secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Of tokens with HS256."""

    public_key: str = ""
    """In PEM, of tokens with RS256."""

    jwks_url: str = ""
    """A JSON Web Key Set (RFC 7517), read again every five minutes and for keys that it did not have."""

    issuer: str = ""
    """What `iss` must be."""

    audience: str = ""
    """What `aud` must have."""

    tenant_claim: str = "tenant_id"
    """Which claim names the tenant; a token without it is of the default tenant."""

    @property
    def believed(self) -> bool:
        """Whether any token may be valid."""
        return bool(self.secret or self.public_key or self.jwks_url)


class IngressSettings(BaseSettings):
    """Resolved once by the composition root and passed in."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_", frozen=True, env_ignore_empty=True)

    host: str = "127.0.0.1"
    """Interface to listen on; 0.0.0.0 in a container."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """0 takes a free one."""

    public_url: str | None = None
    """What producers reach this deployment by, e.g. https://hooks.example.com. None: as the caller did."""

    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    """Which traces are kept."""

    otlp: OtlpSettings = Field(default_factory=OtlpSettings)
    """Who is told of API requests."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=10 * MIB)] = 10 * MIB
    """Of any request. At most 10 MiB, since the event has to fit into a message of 16 MiB."""

    upload_document_bytes: Annotated[int, Field(ge=1)] = 15 * MIB
    """Of an uploaded file of type document or custom. These four are Dify's."""

    upload_image_bytes: Annotated[int, Field(ge=1)] = 10 * MIB

    upload_audio_bytes: Annotated[int, Field(ge=1)] = 50 * MIB

    upload_video_bytes: Annotated[int, Field(ge=1)] = 100 * MIB

    file_url_ttl_s: Annotated[int, Field(ge=1)] = 86_400
    """How long a link to a stored file leads to it."""

    accept_timeout_s: Annotated[float, Field(ge=0.1, le=300)] = 5.0
    """How long an event is retried towards the broker before the producer is told 503."""

    inflight_max_bytes: Annotated[int, Field(ge=16 * MIB)] = 128 * MIB
    """What the bodies of requests under way may take together; what is more is refused with 503 until the
    broker has caught up. In memory each takes up to four times as much."""

    overload_delay_s: Annotated[float, Field(ge=0, le=60)] = 0.5
    """Events are refused with 503 while the event loop is later than this, which it is when it has more to do
    than it gets CPU for: an answer takes five to seven times as long. 0: never."""

    spool_dir: Path | None = None
    """A folder of its own on a disk that lasts. Events go there while the broker is away, and follow once it
    is back. None: they are refused with 503."""

    spool_max_bytes: Annotated[int, Field(ge=MIB)] = 256 * MIB
    """What is more is refused with 503."""

    drain_timeout_s: Annotated[float, Field(ge=0, le=300)] = 8.0
    """How long a stopping server lets requests that are under way finish."""

    body_timeout_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """How long the body of a request may take; then 408. Uploads of files are not bounded by it."""

    keepalive_timeout_s: Annotated[float, Field(ge=1, le=3600)] = 75.0
    """How long a connection may be without a whole request head: idle, or sending one slowly. As long, on
    Linux, answers wait for who takes nothing of them. Longer than the idle time-out of a proxy in front."""

    max_header_bytes: Annotated[int, Field(ge=1024, le=65_536)] = 8190
    """Of the request line, and of each header; else 400."""

    max_headers: Annotated[int, Field(ge=16, le=1024)] = 128
    """In number; else 400."""

    endpoint_rate_per_s: Annotated[float, Field(ge=0)] = 0
    """Requests to one webhook, on average; what is more is refused with 429. 0 is without a limit. These are
    of the deployment as a whole."""

    endpoint_burst: Annotated[int, Field(ge=0)] = 0
    """How many at once; 0: what comes in one second."""

    tenant_rate_per_s: Annotated[float, Field(ge=0)] = 0
    """Events of one tenant over all that takes events from outside."""

    tenant_burst: Annotated[int, Field(ge=0)] = 0
    """Likewise."""

    rate_share: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many ingresses share the limits: each allows this part of them."""

    jwt: TokenSettings = Field(default_factory=TokenSettings)

    live_streams: Annotated[int, Field(ge=0)] = 1000
    """Live streams that this ingress serves at a time; 503 for more."""

    live_streams_per_tenant: Annotated[int, Field(ge=0)] = 100
    """Of those, of one tenant; 429 for more."""

    live_buffer_bytes: Annotated[int, Field(ge=64 * 1024)] = MIB
    """What waits for one reader at most; who reads more slowly than that is cut off, and may come back."""

    manual_interval_s: Annotated[float, Field(ge=0, le=86_400)] = 10
    """A person may start a workflow by hand once in so many seconds; 0 as often as they like."""

    api_key: SecretStr | None = None
    """A key of the control plane that exists without having been created: the first one."""

    secret_key: SecretStr | None = None
    """At least 32 random bytes, as text: what secrets at rest are encrypted under. The same in all roles."""

    github_webhook_secret: SecretStr | None = None
    """Of the deployment's own GitHub App or webhook, whose events are the default tenant's."""

    github_app_id: str = ""
    """Of that app, to find its installations; so is its key."""

    github_app_private_key: SecretStr | None = None
    """In PEM."""

    github_api_url: str = GITHUB_API
    """Of GitHub Enterprise Server: https://HOST/api/v3."""

    slack_signing_secret: SecretStr | None = None
    """Of the deployment's own Slack app, whose events are the default tenant's."""

    slack_bot_token: SecretStr | None = None
    """Of that app, to find channels by their names."""

    slack_api_url: str = SLACK_API

    egress_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """What may be reached besides public addresses, when a model is asked for the vector of a query."""

    subscriptions_per_tenant: Annotated[int, Field(ge=0)] = 100
    """Plugin subscriptions that one tenant may have."""

    duplicate_memory: Annotated[int, Field(ge=0)] = 100_000
    """How many accepted events are remembered to tell a producer that it has sent one twice."""

    def upload_limit(self, file_type: str) -> int:
        """Bytes of an uploaded file of that type."""
        limits = {
            "image": self.upload_image_bytes,
            "audio": self.upload_audio_bytes,
            "video": self.upload_video_bytes,
        }
        return limits.get(file_type, self.upload_document_bytes)

    _split_allow = field_validator("egress_allow", mode="before")(comma_separated)

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value().encode()) < MIN_KEY_BYTES:
            raise ValueError(f"HOPLINE_SECRET_KEY needs at least {MIN_KEY_BYTES} bytes")
        return key
