"""Limits of the sources that workers watch, from `HOPLINE_SOURCES_*`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SourceSettings(BaseSettings):
    """Resolved once by the composition root and passed in."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_SOURCES_", frozen=True, env_ignore_empty=True)

    retry_min_s: Annotated[float, Field(gt=0)] = 1
    """The first pause while a source is away; each further one is twice as long."""
    retry_max_s: Annotated[float, Field(gt=0)] = 60
    """Up to this."""
    timeout_s: Annotated[float, Field(gt=0)] = 60
    """For one answer of a source."""
    concurrency: Annotated[int, Field(ge=1)] = 32
    """Mailboxes that one worker speaks with at the same time. Those that wait for mail do not count."""
    consumers: Annotated[int, Field(ge=1)] = 64
    """Consumers of other Kafkas in one worker, each with its threads and up to 16 MiB read ahead."""
    mail_max_bytes: Annotated[int, Field(ge=1024)] = 25 << 20
    """Of a message. Of a larger one the workflow gets the headers and the beginning of its text."""
