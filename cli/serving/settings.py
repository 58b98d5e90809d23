"""What a role in the foreground is told that its own package does not read."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.errors import CommandFailed


class MetricsSettings(BaseSettings):
    """For the roles that take no HTTP requests."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_METRICS_", frozen=True, env_ignore_empty=True)

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where this process serves its metrics, and how it is; 0 serves nothing."""


@contextmanager
def explaining(port: int) -> Iterator[None]:
    """Turns the refusal of a port for metrics into `CommandFailed`."""
    try:
        yield
    except OSError as refused:
        if refused.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise CommandFailed(
            f"cannot serve metrics on port {port} ({refused.strerror}): choose another HOPLINE_METRICS_PORT"
        ) from refused
