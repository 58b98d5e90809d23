"""What the embedded broker can be told."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BrokerSettings(BaseSettings):
    """Resolved once by the command that starts the broker, and passed in."""

    model_config = SettingsConfigDict(
        env_prefix="HOPLINE_BROKER_", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    data_dir: Annotated[Path, Field(validation_alias="HOPLINE_DATA_DIR")] = Path(".hopline")
    """The state of the whole deployment; the broker keeps to `kafka/` in it."""

    port: Annotated[int, Field(ge=0, le=65535)] = 9092
    """Where clients connect, on 127.0.0.1 only; 0 picks a free one."""

    heap_mb: Annotated[int, Field(ge=128)] = 512
    """Most that the Java heap grows to. The process takes about 150 MB on top."""

    cache_dir: Annotated[Path | None, Field(validation_alias="HOPLINE_CACHE_DIR")] = None
    """Downloads that all deployments of a user share; `hopline` in the user's cache directory if None."""

    xdg_cache_home: Annotated[Path | None, Field(validation_alias="XDG_CACHE_HOME")] = None
    """The user's cache directory (XDG Base Directory Specification); `~/.cache` if None."""

    maven_repository: Annotated[str | None, Field(validation_alias="HOPLINE_MAVEN_REPOSITORY")] = None
    """URL to fetch Kafka's jars from. If None: the mirror of Maven's own settings, else Maven Central."""

    java_home: Annotated[Path | None, Field(validation_alias="JAVA_HOME")] = None
    """Looked at before PATH."""

    @property
    def home(self) -> Path:
        """The broker's own directory: its configuration, its log file and its data."""
        return self.data_dir.absolute() / "kafka"

    @property
    def jar_cache(self) -> Path:
        """Where the jars of every version are kept."""
        own = self.cache_dir or (self.xdg_cache_home or Path.home() / ".cache") / "hopline"
        return own.absolute() / "kafka"
