"""Kafka's own configuration for one node on one machine."""

import base64
import uuid
from pathlib import Path

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A webhook body of 10 MiB, encoded and with its headers, must fit."""

# Relative to the working directory, which is the broker's home: Kafka reads a comma-separated list here, so
# an absolute path with a comma in it could not be said.
LOG_DIR = "data"


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


def server_properties(port: int, controller_port: int) -> str:
    """`server.properties` for a broker that is its own controller, reachable from this machine only."""
    return _TEMPLATE.format(
        port=port, controller_port=controller_port, log_dir=LOG_DIR, max_message_bytes=MAX_MESSAGE_BYTES
    )


_TEMPLATE = """\
# Written at each start.
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={log_dir}

# One node can hold one replica.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Topics come from the registry, with its partitions and retention: a misspelt name must fail.
auto.create.topics.enable=false
message.max.bytes={max_message_bytes}
replica.fetch.max.bytes={max_message_bytes}

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

# After a kill the broker may register again only when its former self has been silent for this long: with the
# default of 9 s a restart would take 14.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# Idle, the controller would write a record every half second for replicas that don't exist here.
metadata.max.idle.interval.ms=5000
"""
