"""Where knowledge is looked up, resolved once from the environment and passed in."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class KnowledgeSettings(BaseSettings):
    """Of the knowledge-retrieval node and of the stage that fills the index."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_KNOWLEDGE_", frozen=True, env_ignore_empty=True)

    url: Annotated[str, Field(pattern=r"^https?://[^/]+")] = "http://127.0.0.1:8080"
    """Where an ingress answers searches of the index."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    """Of one search, in the index or by an external API."""
