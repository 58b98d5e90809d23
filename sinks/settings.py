"""How the sink batches."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from transport.telemetry.settings import OtlpSettings


class SinkSettings(BaseSettings):
    """Resolved once from `HOPLINE_SINK_*` by the composition root."""

    model_config = SettingsConfigDict(
        env_prefix="HOPLINE_SINK_", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    batch_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """A batch of so many records is written at once."""

    batch_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    """So is one of so many bytes. A batch can be larger by what one read of the consumer brings."""

    batch_interval_s: Annotated[float, Field(ge=0, le=60)] = 0.025
    """Least time between the starts of two batches: an insert costs 5 to 10 ms of a CPU however few its rows
    are, and leaves a part to be merged. What comes after a longer silence is written at once; under load the
    distance grows with the rows a second, up to `batch_distance_s`."""

    batch_settle_s: Annotated[float, Field(ge=0, le=1)] = 0.02
    """How long the end of a run waits at most for the nodes that were sent with it: they are in another
    partition, and a run should not be seen to have ended before its nodes."""

    batch_age_s: Annotated[float, Field(ge=0, le=60)] = 0.25
    """How long records that nobody waits for (events, trigger logs, nodes of a run that goes on) may wait
    for more of their kind."""

    rollup_interval_s: Annotated[float, Field(gt=0, le=3600)] = 15.0
    """Least time between two refreshes of the rollups, and so about how far they are behind the raw tables.
    Each computes the minute that is being written anew: at a third of it a run costs twice as much."""

    retention_days: Annotated[int, Field(ge=0, validation_alias="HOPLINE_RETENTION_DAYS")] = 0
    """How long ClickHouse keeps events, trigger logs, runs, node executions and dead letters; 0: for ever."""

    retention_tenants: Annotated[
        dict[str, Annotated[int, Field(ge=0)]], Field(validation_alias="HOPLINE_RETENTION_TENANTS")
    ] = {}
    """Likewise for these tenants instead: a JSON object, id -> days."""

    retention_metrics_days: Annotated[int, Field(ge=0, validation_alias="HOPLINE_RETENTION_METRICS_DAYS")] = 0
    """How long it keeps the rollups."""

    drain_timeout_s: Annotated[float, Field(ge=0, le=300, validation_alias="HOPLINE_DRAIN_TIMEOUT_S")] = 8.0
    """How long a stopping sink tries to write what it has read; another one reads again what it could not."""

    batch_distance_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    """The most that the distance grows to: with 10,000 rows a second."""

    otlp: OtlpSettings = Field(default_factory=OtlpSettings)
    """Who is told of spans besides ClickHouse."""

    retry_max_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Ceiling of the pause between two attempts at a batch, which starts at 0.1 s and doubles."""
