"""What the commands can be told through the environment, besides the settings of the roles that they run."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.errors import CommandFailed
from schemas.errors import reason

_S = TypeVar("_S", bound=BaseSettings)

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class ClientSettings(BaseSettings):
    """Where the HTTP API is, and who is calling."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_", frozen=True, env_ignore_empty=True)

    url: str = "http://127.0.0.1:8080"
    """Base URL of any ingress; a path in it stays in front of the routes."""

    api_key: str | None = None
    """Bearer token of the control plane; None takes what `hopline up` has left in the data directory."""

    data_dir: Path = Path(".hopline")
    """The data directory of `hopline up`."""

    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """How long one request may take."""

    def bearer_token(self) -> str | None:
        """None where no key has been given and no key file can be read."""
        if self.api_key:
            return self.api_key.strip()
        try:
            return (self.data_dir / "api-key").read_text().strip()
        except OSError:
            return None


class UpSettings(BaseSettings):
    """What `hopline up` takes from the environment; its options come first."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_", frozen=True, env_ignore_empty=True)

    data_dir: Path = Path(".hopline")
    """The state of everything; a second start finds it again."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Of the HTTP API."""

    egress_allow: str = ""
    """What nodes may connect to beyond public addresses; the samples' receiver is added."""


class LogSettings(BaseSettings):
    """What a role in the foreground writes to stderr."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_LOG_", frozen=True, env_ignore_empty=True)

    level: LogLevel = "INFO"

    @field_validator("level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


def resolve(settings: type[_S], **given: Any) -> _S:
    """From what was given and the environment. Raises `CommandFailed` that names what is wrong."""
    try:
        return settings(**given)
    except ValidationError as wrong:
        prefix = settings.model_config.get("env_prefix", "")
        told = "; ".join(_variable(prefix, error["loc"]) + reason(error) for error in wrong.errors())
        raise CommandFailed(f"{told}: correct the environment") from wrong


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    """With a colon; "" for what is wrong with several together, which the message names itself."""
    if not location:
        return ""
    name = ".".join(map(str, location))
    return f"{name if name.startswith('HOPLINE_') else f'{prefix}{name}'.upper()}: "
