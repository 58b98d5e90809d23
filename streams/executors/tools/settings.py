"""Settings of tools. The size of what they reply is bounded as for the http-request node (HOPLINE_HTTP_*)."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ToolSettings(BaseSettings):
    """Calls of tools, and sessions with MCP servers."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_TOOL_", frozen=True, env_ignore_empty=True)

    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60
    """For one call, connecting and reading included, where the provider says nothing."""
    session_idle_s: Annotated[float, Field(gt=0)] = 300
    """How long a session with an MCP server is kept after its last call, and a list of its tools at all."""
