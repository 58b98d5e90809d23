"""What the operator decides about telemetry: the variables of OpenTelemetry, and two of our own."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from transport.settings import comma_separated

SamplerName = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


class SamplingSettings(BaseSettings):
    """Which traces are kept. The same in all roles. Names and meanings are those of the OpenTelemetry
    specification, "SDK environment variables"."""

    model_config = SettingsConfigDict(env_prefix="OTEL_TRACES_SAMPLER", frozen=True, env_ignore_empty=True)

    name: Annotated[SamplerName, Field(validation_alias="OTEL_TRACES_SAMPLER")] = "parentbased_always_on"

    ratio: Annotated[float, Field(ge=0, le=1, validation_alias="OTEL_TRACES_SAMPLER_ARG")] = 1.0
    """The share of traces that the samplers with `traceidratio` keep."""


class TraceSettings(BaseSettings):
    """What the requests of nodes say of their trace."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_TRACE_", frozen=True, env_ignore_empty=True)

    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Who is told: comma-separated hosts, `*.example.com` for all below one, `*` for everybody. Nobody else
    gets a `traceparent`: what one's own services need is no business of third parties."""

    _split_hosts = field_validator("hosts", mode="before")(comma_separated)

    @field_validator("hosts")
    @classmethod
    def _in_lower_case(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(str.lower, hosts))


class OtlpSettings(BaseSettings):
    """Whether anything leaves by OTLP: only with an endpoint. Further variables of OTLP (headers, time-outs,
    compression, certificates) are read by the exporters themselves."""

    model_config = SettingsConfigDict(env_prefix="OTEL_", frozen=True, env_ignore_empty=True)

    sdk_disabled: bool = False
    exporter_otlp_endpoint: str = ""
    """Base URL for all signals."""
    exporter_otlp_traces_endpoint: str = ""
    """The whole URL for traces."""
    exporter_otlp_logs_endpoint: str = ""
    """The whole URL for logs."""
    traces_exporter: str = "otlp"
    logs_exporter: str = "otlp"
    """`none` sends nothing of the signal."""

    @property
    def sends_traces(self) -> bool:
        """Whether anybody listens."""
        return self._sends(self.exporter_otlp_traces_endpoint, self.traces_exporter)

    @property
    def sends_logs(self) -> bool:
        """Likewise."""
        return self._sends(self.exporter_otlp_logs_endpoint, self.logs_exporter)

    def _sends(self, endpoint: str, exporter: str) -> bool:
        return bool(endpoint or self.exporter_otlp_endpoint) and exporter == "otlp" and not self.sdk_disabled
