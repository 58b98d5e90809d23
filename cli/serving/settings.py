"""What a role in the foreground is told that its own package does not read."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MetricsSettings(BaseSettings):
    """For the roles that take no HTTP requests."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_METRICS_", frozen=True, env_ignore_empty=True)

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where Prometheus finds this process's metrics; 0 serves none."""
