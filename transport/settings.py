"""Where Kafka, ClickHouse and the object storage are, and how Hopline names what it keeps there."""

import re
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def comma_separated(value: Any) -> Any:
    """A validator for before: of a text its parts, those that are empty left out; anything else as it is."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


class KafkaSettings(BaseSettings):
    """Resolved once from `HOPLINE_*` by each role's composition root and passed in."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_", frozen=True, populate_by_name=True)

    bootstrap_servers: Annotated[str, Field(validation_alias="HOPLINE_KAFKA")] = "127.0.0.1:9092"
    """Comma-separated `host:port` list."""

    topic_prefix: str = "hopline."
    """Put before the registry's name of every topic, consumer group and transactional id."""

    schema_registry: str | None = None
    """URL of a Confluent-compatible registry, or several with commas between them; None means Avro
    single-object encoding."""

    partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Of every topic that workers divide up: the ceiling on their number, so have more from the start."""

    history_partitions: Annotated[int, Field(ge=1, le=10_000)] = 4
    """Of those that only sinks divide up, when they are made; at most `partitions`. The ceiling on the number
    of sinks, each of which writes what a dozen workers do. Every one costs requests of its own."""

    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    """Of every topic; 3 in production."""

    @property
    def min_insync_replicas(self) -> int:
        """How many must have a message before it is acknowledged: most of them, from three on.

        With the broker's own default of 1, all but the leader may be behind; an acknowledged message is lost
        with the leader's disk then.
        """
        return self.replication_factor // 2 + 1 if self.replication_factor >= 3 else 1

    producer_buffer_mb: Annotated[int, Field(ge=32, le=2048)] = 128
    """Of messages that the broker has not acknowledged yet, in MiB. Who has more to send waits."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        """As env_ignore_empty, but for the prefix: topics may have none."""
        return {name: value for name, value in given.items() if value != "" or name == "topic_prefix"}

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        registries = self.schema_registry.split(",") if self.schema_registry else []
        if not all(one.startswith(("http://", "https://")) and _names_a_place(one) for one in registries):
            # Whatever it is, it may have a password in it.
            raise ValueError("HOPLINE_SCHEMA_REGISTRY is http(s)://user:password@host:port")
        return self

    def full_name(self, topic: str) -> str:
        """The topic as the broker knows it, from its name in the registry."""
        return self.topic_prefix + topic

    def short_name(self, topic: str) -> str:
        """The inverse of `full_name`; a topic of another prefix is returned as it is."""
        return topic.removeprefix(self.topic_prefix)


class ClickHouseSettings(BaseSettings):
    """Resolved once by each composition root that reads or writes the run history."""

    model_config = SettingsConfigDict(
        env_prefix="HOPLINE_", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    dsn: Annotated[SecretStr, Field(validation_alias="HOPLINE_CLICKHOUSE")] = SecretStr(
        "chdb://.hopline/clickhouse"
    )
    """`chdb://relative/directory` or `chdb:///absolute/directory` for the engine in this process, with
    `?database=name` where it is not `hopline`; `http(s)://user:password@host:port/database` for a server,
    with `clickhouse(s)` as another name of the scheme."""

    @property
    def path(self) -> Path | None:
        """The directory of the embedded engine; None means a server."""
        match = _EMBEDDED.fullmatch(self.dsn.get_secret_value())
        return Path(match["path"]) if match else None

    @property
    def database(self) -> str:
        """The one that the DSN names, else `hopline`."""
        dsn = self.dsn.get_secret_value()
        match = _EMBEDDED.fullmatch(dsn) or _SERVER.fullmatch(dsn)
        return (match and match["database"]) or "hopline"

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        dsn = self.dsn.get_secret_value()
        if not _EMBEDDED.fullmatch(dsn) and not (_SERVER.fullmatch(dsn) and _names_a_place(dsn)):
            raise ValueError(
                "HOPLINE_CLICKHOUSE is chdb://directory or http(s)://user:password@host:port/database"
            )
        return self


def _names_a_place(url: str) -> bool:
    """A password with a `#` or a `/` in it, which must be encoded there, ends the host and is no port."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class StorageSettings(BaseSettings):
    """Resolved once by each role's composition root; all roles need the same place."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_", frozen=True, env_ignore_empty=True)

    storage: str = ""
    """`s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, with credentials where each
    vendor's own tools look for them (`AWS_*`, `GOOGLE_*`, `AZURE_*`); `file:///absolute/folder`. Empty:
    `storage` in the data directory, which all roles must share."""

    data_dir: Path = Path(".hopline")
    """Where the folder is when there is no URL."""

    @property
    def folder(self) -> Path | None:
        """Absolute; None for a store that is not a folder."""
        if not self.storage:
            return (self.data_dir / "storage").absolute()
        return Path(self.storage.removeprefix("file://")) if self.storage.startswith("file://") else None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.storage and not self.storage.startswith(("file:///", "s3://", "gs://", "az://", "https://")):
            raise ValueError("HOPLINE_STORAGE is s3://, gs://, az:// or https:// bucket, or file:///folder")
        return self


_EMBEDDED = re.compile(r"chdb://(?P<path>[^?]+)(\?database=(?P<database>\w+))?")
_SERVER = re.compile(r"(https?|clickhouses?)://[^/?]+(/(?P<database>\w*))?")
