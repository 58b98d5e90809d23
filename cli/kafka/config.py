"""Kafka's own configuration for nodes on one machine."""

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import MAX_MESSAGE_BYTES

# Relative to the working directory, which is the broker's home: Kafka reads a comma-separated list here, so
# an absolute path with a comma in it could not be said.
LOG_DIR = "data"


@dataclass(frozen=True, slots=True)
class Node:
    """One node, which is broker and controller at once."""

    id: int
    port: int
    """Where clients connect."""
    controller_port: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes that keep each other's data. All of their ports stay theirs, also while one is down."""

    id: str
    """See `new_cluster_id`."""
    nodes: tuple[Node, ...]


def new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes, URL-safe base64, unpadded."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def cluster_id_of(log_dir: Path) -> str | None:
    """The id that a log directory was formatted with, None if it is not formatted."""
    try:
        lines = (log_dir / "meta.properties").read_text().splitlines()
    except FileNotFoundError:
        return None
    ids = [line.partition("=")[2] for line in lines if line.startswith("cluster.id=")]
    return ids[0] if ids else None


def server_properties(node: Node, nodes: tuple[Node, ...]) -> str:
    """`server.properties` for one of these nodes, reachable from this machine only.

    Three nodes and more keep three replicas, and acknowledge what two of them have.
    """
    replicas = min(3, len(nodes))
    return _TEMPLATE.format(
        node=node,
        voters=",".join(f"{one.id}@127.0.0.1:{one.controller_port}" for one in nodes),
        log_dir=LOG_DIR,
        max_message_bytes=MAX_MESSAGE_BYTES,
        replicas=replicas,
        min_in_sync=max(1, replicas - 1),
    )


_TEMPLATE = """\
# Written at each start.
process.roles=broker,controller
node.id={node.id}
listeners=PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{node.port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters={voters}
log.dirs={log_dir}

# One node can hold one replica.
min.insync.replicas={min_in_sync}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={min_in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={min_in_sync}

# Topics come from the registry, with its partitions and retention: a misspelt name must fail.
auto.create.topics.enable=false
message.max.bytes={max_message_bytes}
replica.fetch.max.bytes={max_message_bytes}

# How far a group has come is known for as long as there is anything to read: with the default, workers that
# were away for a week would begin anew, and execute again what has long been done.
offsets.retention.minutes=5256000

# A worker that starts is waited for by nobody; a group is rebalanced when the next one comes.
group.initial.rebalance.delay.ms=0

# Sized for a machine that does other work too. The defaults are for a dedicated server with 50 partitions of
# offsets, 128 MiB of cleaner memory, and 20 MiB of index reserved for each partition.
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
share.coordinator.state.topic.num.partitions=8
num.network.threads=2
num.io.threads=4
background.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=268435456
log.index.size.max.bytes=1048576

# A fetch that has been answered stays in the list of each partition that it named until so many have, and
# ours name all that a role reads. With the default of 1000 a pause of 90 ms every 6 s, at 300 runs a second.
fetch.purgatory.purge.interval.requests=100

# After a kill the broker may register again only when its former self has been silent for this long: with the
# default of 9 s a restart would take 14.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# Idle, the controller would write a record every half second, to tell replicas that they are up to date.
metadata.max.idle.interval.ms=5000
"""
