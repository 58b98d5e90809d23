"""The command lines of the Java programs in Kafka's jars."""

from dataclasses import dataclass
from pathlib import Path

# The first two print the whole configuration at each start, the third reports each compaction.
_QUIET_LOGGERS = (
    "kafka.server.KafkaConfig",
    "org.apache.kafka.common.config.AbstractConfig",
    "org.apache.kafka.storage.internals.log.LogCleaner",
)

# A tool ends before the optimising compiler could pay, and what it prints is its result.
_TOOL_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

# The serial collector is the smallest, and a broker that shares its machine has no cores for another.
# 64 MB to begin with, because Java would take 1/64 of the machine's memory.
_BROKER_OPTIONS = (
    "-Xms64m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    *(f"-Dorg.slf4j.simpleLogger.log.{logger}=warn" for logger in _QUIET_LOGGERS),
)


@dataclass(frozen=True, slots=True)
class Jvm:
    """A Java with Kafka's jars."""

    java: Path
    jars: Path
    """Directory of the class path."""

    def tool(self, main_class: str, *arguments: str) -> list[str]:
        """One of Kafka's own commands, e.g. `org.apache.kafka.tools.consumer.ConsoleConsumer`."""
        return self._command(_TOOL_OPTIONS, main_class, *arguments)

    def broker(self, heap_mb: int, temporary: Path) -> list[str]:
        """The broker on `server.properties` of its working directory.

        It unpacks native libraries into `temporary`, an absolute path: /tmp may be mounted noexec, and a
        killed broker would leave them there.
        """
        options = (f"-Xmx{heap_mb}m", f"-Djava.io.tmpdir={temporary}", *_BROKER_OPTIONS)
        return self._command(options, "kafka.Kafka", "server.properties")

    def _command(self, options: tuple[str, ...], *main: str) -> list[str]:
        return [str(self.java), *options, "-cp", f"{self.jars}/*", *main]
