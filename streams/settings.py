"""What a worker can be told, from `HOPLINE_*`."""

import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.engine.options import DEFAULTS, Clock, Options
from streams.offload import Mode
from streams.sources.settings import SourceSettings
from transport.telemetry.settings import SamplingSettings

MOST_WAIT_S = 100 * 366 * 86_400
"""So far ahead all times are dates, and exact to the microsecond as floats of seconds."""


class WorkerSettings(BaseSettings):
    """Resolved once by the composition root and passed in."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_", frozen=True, env_ignore_empty=True)

    worker_id: str = Field(default_factory=socket.gethostname)
    """Unique among the workers and stable over restarts: a worker that has died and is started again gets its
    partitions back without a rebalance, and finds its stores."""

    data_dir: Path = Path(".hopline")
    """The RocksDB stores are in `workers/<worker_id>` of it."""

    store: Literal["memory", "rocksdb"] = "rocksdb"
    """Where tables live. Memory is faster, and is read back from the changelog at each start."""

    secret_key: str = ""
    """At least 32 random bytes, as text: what secrets at rest are encrypted under. The same in all roles."""

    public_url: str = ""
    """What the ingress is reached by: links to files that models and tools fetch begin with it."""

    file_url_ttl_s: Annotated[int, Field(ge=1)] = 86_400
    """How long a link to a stored file leads to it."""

    offload: Mode = "SELECTIVE"
    """Which inputs, outputs and process data the history keeps as a summary; the whole is in the storage."""

    offload_threshold_bytes: Annotated[int, Field(ge=0)] = 256 * 1024
    """Of each of them; SELECTIVE and SYNC_ONLY offload what is larger."""

    every_node_a_hop: bool = False
    """Send every node through `node.tasks.*`, the pure ones too."""

    run_max_steps: Annotated[int, Field(ge=1)] = DEFAULTS.max_steps
    run_max_s: Annotated[int, Field(ge=1)] = DEFAULTS.max_run_s
    run_max_wait_s: Annotated[int, Field(ge=1, le=MOST_WAIT_S)] = DEFAULTS.max_wait_s
    run_max_loop_rounds: Annotated[int, Field(ge=1)] = DEFAULTS.max_loop_rounds
    run_max_depth: Annotated[int, Field(ge=1)] = DEFAULTS.max_depth
    run_max_hop_mb: Annotated[int, Field(ge=1)] = DEFAULTS.max_hop_bytes >> 20
    """Limits of a run, see `Options`."""

    run_max_call_depth: Annotated[int, Field(ge=0)] = 5
    """Workflows called as tools, one by the other; with 0 none can be called."""

    node_timeout_s: Annotated[float, Field(gt=0)] = DEFAULTS.max_node_s
    node_queue_s: Annotated[float, Field(ge=0)] = DEFAULTS.node_queue_s
    """Of one attempt at a node that an executor works on, see `Options`."""

    node_requests: Annotated[int, Field(ge=0, le=10_000)] = 100
    """How many requests to others are noted in the record of a node. Further ones are made all the same."""

    executor_concurrency: Annotated[int, Field(ge=1)] = 200
    """Node tasks under way at the same time in one worker."""

    drain_timeout_s: Annotated[float, Field(ge=0, le=300)] = 8.0
    """How long a stopping worker waits for node tasks that are under way; then others execute them again."""

    finished_ttl_s: Annotated[float, Field(ge=0)] = 3600.0
    """How long a finished run is remembered, so that a command that comes late or again changes nothing."""

    conversation_turns: Annotated[int, Field(ge=1)] = 100
    """Turns that are kept of each conversation, for nodes with a memory."""

    conversation_ttl_s: Annotated[float, Field(gt=0)] = 30 * 86_400.0
    """How long a conversation is kept that nobody goes on with."""

    conversation_wait_s: Annotated[float, Field(ge=0)] = 1200.0
    """How long a turn of a conversation waits for the end of the one before; with 0 turns overlap."""

    sources: SourceSettings = Field(default_factory=SourceSettings)
    """What the worker watches by itself."""

    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    """Which traces are kept."""

    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where this worker serves its metrics, and how it is; 0 serves nothing."""

    def engine_options(self, clock: Clock) -> Options:
        """What the engine is to keep to."""
        return Options(
            max_steps=self.run_max_steps,
            max_run_s=self.run_max_s,
            max_node_s=self.node_timeout_s,
            node_queue_s=self.node_queue_s,
            max_wait_s=self.run_max_wait_s,
            max_loop_rounds=self.run_max_loop_rounds,
            max_depth=self.run_max_depth,
            max_hop_bytes=self.run_max_hop_mb << 20,
            every_node_a_hop=self.every_node_a_hop,
            clock=clock,
        )
