"""Settings of agent nodes."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AgentSettings(BaseSettings):
    """Bounds on one agent node, whatever it asks for."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_AGENT_", frozen=True, env_ignore_empty=True)

    max_iterations: Annotated[int, Field(ge=1)] = 99
    """Ceiling of a node's own maximum_iterations."""
    timeout_s: Annotated[float, Field(gt=0)] = 1200
    """For all of its rounds together."""
    max_observation_chars: Annotated[int, Field(ge=100)] = 50_000
    """Of what a tool gives, for the model to read; the rest is cut off."""
