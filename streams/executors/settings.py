"""Settings of the executors, resolved once from the environment and passed in."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.executors.agent.settings import AgentSettings
from streams.executors.documents.settings import DocumentSettings
from streams.executors.knowledge.settings import KnowledgeSettings
from streams.executors.tools.settings import ToolSettings
from transport.settings import comma_separated
from transport.telemetry.settings import TraceSettings

_REQUIREMENT_END = re.compile(r"[\s,]*[,\n]\s*(?=[A-Za-z0-9])(?![^\[]*\])")

SwitchableLayer = Literal["network-namespace", "pid-namespace", "mount-namespace", "landlock", "seccomp"]


def _split_requirements(value: Any) -> Any:
    """Likewise, but `requests>=2,<3` is one requirement: a comma parts only where a name follows."""
    return tuple(filter(None, _REQUIREMENT_END.split(value.strip()))) if isinstance(value, str) else value


class OutputLimits(BaseSettings):
    """What a code node may return; names and defaults are those of Dify's `CODE_MAX_*`."""

    model_config = SettingsConfigDict(
        env_prefix="HOPLINE_SANDBOX_OUTPUT_", frozen=True, env_ignore_empty=True
    )

    max_string_length: Annotated[int, Field(ge=1)] = 400_000
    max_number: int | float = 9223372036854775807
    min_number: int | float = -9223372036854775808
    max_precision: Annotated[int, Field(ge=0)] = 20
    """Digits after the decimal point."""
    max_depth: Annotated[int, Field(ge=1)] = 5
    max_number_array_length: Annotated[int, Field(ge=0)] = 1000
    max_string_array_length: Annotated[int, Field(ge=0)] = 30
    max_object_array_length: Annotated[int, Field(ge=0)] = 30


class SandboxSettings(BaseSettings):
    """The processes in which user code runs."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_SANDBOX_", frozen=True, env_ignore_empty=True)

    pool_size: Annotated[int, Field(ge=1, le=128)] = max(4, 2 * (os.cpu_count() or 1))
    """Processes, warm and busy together: the number of scripts that run at once."""
    wait_s: Annotated[float, Field(gt=0)] = 300
    """How long a script waits for a process before its task is given back."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 15
    """Of the clock, for one script."""
    cpu_s: Annotated[int, Field(ge=1)] = 10
    memory_mb: Annotated[int, Field(ge=64)] = 256
    """Address space of one process, beyond that of the interpreter and of what is preloaded."""
    temp_mb: Annotated[int, Field(ge=1)] = 16
    """Of one file, and of all together where a process has a file system of its own."""
    processes: Annotated[int, Field(ge=1)] = 64
    """Threads (and processes, where no filter forbids them) of one script. Where the kernel is older than
    Linux 5.14 or refuses user namespaces: of all scripts together, for they run as one user."""
    open_files: Annotated[int, Field(ge=16)] = 64
    stdout_bytes: Annotated[int, Field(ge=0)] = 65_536
    """Of what a script prints; the rest is cut off."""
    output_bytes: Annotated[int, Field(ge=1024)] = 16 << 20
    """Of the JSON of a result; more than the most that `OutputLimits` lets a node declare in texts."""
    without: Annotated[tuple[SwitchableLayer, ...], NoDecode] = ()
    """Layers of isolation to leave out, where one breaks what scripts need. Each is reported."""
    packages: Annotated[tuple[str, ...], NoDecode] = ()
    """What scripts in Python may import besides the standard library: requirements, as pip takes them."""
    preload: Annotated[tuple[str, ...], NoDecode] = ()
    """Modules of them to import once for all: for those that take long to import."""
    network: bool = False
    """Whether code nodes may use the network, through the egress guard, where their tenant wants it."""
    data_dir: Path = Field(default=Path(".hopline"), validation_alias="HOPLINE_DATA_DIR")
    """The packages are in `sandbox` of it."""
    output: OutputLimits = Field(default_factory=OutputLimits)

    _split_names = field_validator("without", "preload", mode="before")(comma_separated)
    _split_packages = field_validator("packages", mode="before")(_split_requirements)

    @field_validator("packages")
    @classmethod
    def _check_packages(cls, packages: tuple[str, ...]) -> tuple[str, ...]:
        for requirement in packages:
            try:
                Requirement(requirement)
            except InvalidRequirement as wrong:
                raise ValueError(f"{requirement!r} is no requirement: {wrong}") from wrong
        return packages


class EgressSettings(BaseSettings):
    """Where nodes may connect to beyond public addresses."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_EGRESS_", frozen=True, env_ignore_empty=True)

    allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated `host`, `host:port`, address, `address:port`, `[address]:port` or CIDR."""

    _split_allow = field_validator("allow", mode="before")(comma_separated)


class HttpSettings(BaseSettings):
    """The http-request node; defaults are those of Dify's `HTTP_REQUEST_*`."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_HTTP_", frozen=True, env_ignore_empty=True)

    max_connect_timeout_s: Annotated[float, Field(gt=0)] = 10
    """Default and ceiling of a node's own timeout, as are the next two."""
    max_read_timeout_s: Annotated[float, Field(gt=0)] = 600
    max_write_timeout_s: Annotated[float, Field(gt=0)] = 600
    max_text_bytes: Annotated[int, Field(ge=1)] = 1 << 20
    """Of a response's body that is text."""
    max_binary_bytes: Annotated[int, Field(ge=1)] = 10 << 20
    """Of a response's body that is a file."""
    ssl_verify: bool = True
    """For nodes that say nothing about it."""


class FileReadSettings(BaseSettings):
    """Files that nodes read: documents, pictures for models, bodies of requests."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_FILE_", frozen=True, env_ignore_empty=True)

    max_bytes: Annotated[int, Field(ge=1)] = 100 << 20
    """Of one file: it is held in memory while a node works on it."""
    timeout_s: Annotated[float, Field(gt=0)] = 60
    """For fetching one from a URL."""


class ExecutorSettings(BaseSettings):
    """Everything that `build_executors` needs."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    egress: EgressSettings = Field(default_factory=EgressSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    files: FileReadSettings = Field(default_factory=FileReadSettings)
    tools: ToolSettings = Field(default_factory=ToolSettings)
    agent: AgentSettings = Field(default_factory=AgentSettings)
    documents: DocumentSettings = Field(default_factory=DocumentSettings)
    knowledge: KnowledgeSettings = Field(default_factory=KnowledgeSettings)
    traces: TraceSettings = Field(default_factory=TraceSettings)
