"""How a worker reads, keeps and gives up. Resolved by the composition root and passed in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streams.shell.inbox import Limits
from transport.settings import KafkaSettings


@dataclass(frozen=True)
class ShellSettings:
    """The defaults are those that held under kills (see docs/adr/0003)."""

    kafka: KafkaSettings
    worker_id: str
    """Stable over restarts and unique among the workers of a group: one that has died and is started again
    gets its partitions back without a rebalance, and finds its RocksDB."""
    data_dir: Path
    """RocksDB goes to `<data_dir>/<worker_id>`; a folder must not be shared by two workers."""
    store: Literal["memory", "rocksdb"] = "memory"
    group: str = "workers"
    """Consumer group, without the prefix."""

    topics_wait_s: float = 10.0
    """How long a starting worker waits for its topics."""
    session_timeout_s: float = 6.0
    """A killed worker's partitions move on after this time."""
    heartbeat_s: float = 1.0
    hung_s: float = 5.0
    """A worker whose event loop stands still for so long sends no more heartbeats."""
    hung_exit_s: float = 30.0
    """And exits after that time, to be started again."""
    rebalance_timeout_s: float = 20.0
    """How long the group waits for a member that still has work under way."""
    release_timeout_s: float = 10.0
    """How long work under way may take when partitions are taken away; then the process exits."""
    drain_timeout_s: float = 8.0
    """How long tasks are waited for when the worker is told to stop; runs go on meanwhile."""
    task_grace_s: float = 2.0
    """How long tasks are waited for when partitions are taken away; later ones are executed again."""
    commit_s: float = 0.5
    """How often offsets are committed."""
    last_commit_s: float = 3.0
    """How long letting go of partitions waits for its commit."""
    retries: int = 1
    """How often outputs are sent again after the producer has given up."""

    batch: Limits = field(default_factory=lambda: Limits(1000, 8 * 1024 * 1024))
    """The most a stage decides at a time."""
    held: Limits = field(default_factory=lambda: Limits(4000, 32 * 1024 * 1024))
    """The most that is read ahead for a stage."""
    due_limit: int = 1000
    """The most rows that are due are served in one turn."""
    due_poll_s: float = 0.5
    """The longest time between two looks at the clock while rows with a due time exist."""
