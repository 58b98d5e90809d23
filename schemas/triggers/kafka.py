"""Topics of another Kafka: each message starts a run."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from schemas.triggers.config import TriggerConfig

Format = Literal["json", "avro", "text", "bytes"]
"""`avro` and `json` take the framing of Confluent's serializers; `bytes` gives Base64."""

_SERVER = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"


class KafkaSecurity(BaseModel):
    """How the brokers and we know each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """Of SASL."""
    username: str = ""
    password: str = ""
    certificate: str = ""
    """PEM of the authority that has signed the brokers' certificates, where the machine does not know it."""
    client_certificate: str = ""
    """PEM; with `client_key`, for brokers that want one."""
    client_key: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.protocol.startswith("SASL") and not (self.username and self.password):
            raise ValueError(f"{self.protocol} needs username and password")
        if bool(self.client_certificate) != bool(self.client_key):
            raise ValueError("client_certificate and client_key go together")
        return self


class SchemaRegistry(BaseModel):
    """A registry with the interface of Confluent's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^?#]+$")
    username: str = ""
    password: str = ""


class KafkaConfig(TriggerConfig):
    """The `config` of a KAFKA trigger."""

    type: ClassVar[str] = "KAFKA"
    sealed: ClassVar[tuple[str, ...]] = ("security.password", "security.client_key", "registry.password")

    bootstrap_servers: str = Field(pattern=rf"^{_SERVER}(,{_SERVER})*$", max_length=2000)
    """`host:port`, comma-separated."""
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    group: str = Field(default="", max_length=200)
    """Consumer group; "": one of this trigger's own. Its offsets say where to go on."""
    security: KafkaSecurity = KafkaSecurity()

    value_format: Format = "json"
    key_format: Format = "text"
    registry: SchemaRegistry | None = None
    """Needed for `avro`."""
    begin: Literal["earliest"] | AwareDatetime | None = None
    """Where partitions begin that the group has no offset of: with messages of that time. None: when the
    trigger was created."""
    consumers: Annotated[int, Field(ge=1, le=32)] = 1
    """That share the partitions; they may be in different workers."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.order.id`, `key`, `headers.traceparent`). A start
    variable that is not named here takes the value of that name from the body."""

    @model_validator(mode="after")
    def _can_be_decoded(self) -> Self:
        if "avro" in (self.value_format, self.key_format) and self.registry is None:
            raise ValueError("avro needs a registry")
        return self

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs

    def group_of(self, trigger_id: str) -> str:
        """The name of the consumer group."""
        return self.group or f"hopline-{trigger_id}"

    def client(self) -> dict[str, Any]:
        """The settings of librdkafka by which the brokers are reached."""
        given = self.security
        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": given.protocol,
        }
        if given.protocol.startswith("SASL"):
            settings |= {
                "sasl.mechanism": given.mechanism,
                "sasl.username": given.username,
                "sasl.password": given.password,
            }
        pems = {
            "ssl.ca.pem": given.certificate,
            "ssl.certificate.pem": given.client_certificate,
            "ssl.key.pem": given.client_key,
        }
        return settings | {name: pem for name, pem in pems.items() if pem}
