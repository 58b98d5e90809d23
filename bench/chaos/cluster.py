"""A Kafka of three brokers, each a process of its own that can be killed, stopped and set up again."""

import asyncio
import json
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata

from bench.fleet import Processes, lasting_port, signal_tree
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.config import LOG_DIR, Cluster, Node, new_cluster_id
from cli.kafka.settings import BrokerSettings

REPLICAS = 3
_METADATA_TIMEOUT_S = 5.0
_POLL_S = 0.5
# KRaft's own: which node leads the quorum, and in which epoch, as far as this node knows.
_QUORUM_STATE = Path(LOG_DIR, "__cluster_metadata-0", "quorum-state")


class NoLeader(Exception):
    """A partition has none at the moment, or nobody says which; so has the quorum."""


class Broker:
    """One of them, which finds its data again at each start. Used like a `bench.fleet.Member`."""

    def __init__(self, node: Node, home: Path, heap_mb: int, cluster: Cluster) -> None:
        settings = BrokerSettings(data_dir=home, port=node.port, heap_mb=heap_mb)
        self.node = node
        self.name = f"broker-{node.id}"
        self._home = settings.home
        self._embedded = EmbeddedBroker(settings, cluster=cluster)

    @property
    def running(self) -> bool:
        """Whether its process lives, which says nothing of whether it answers."""
        return self._embedded.running

    @property
    def pid(self) -> int:
        """Of the process that ran last."""
        assert self._embedded.pid is not None, "not started"
        return self._embedded.pid

    @property
    def exit_code(self) -> int | None:
        """Of the process that ran last; None while it runs."""
        return self._embedded.exit_code

    async def wait(self) -> int:
        """Until the process that runs now has ended."""
        return await self._embedded.wait()

    async def start(self) -> None:
        """Returns when it answers, for which most of the brokers must be there. Raises `BrokerProblem`."""
        await self._embedded.start(lambda _: None)

    async def kill(self) -> None:
        """SIGKILL."""
        await self._embedded.kill()

    async def stop(self) -> bool:
        """SIGTERM: it hands over what it leads; whether it ended by itself in time."""
        await self._embedded.stop()
        return self.exit_code != -signal.SIGKILL

    def freeze(self) -> None:
        """SIGSTOP."""
        signal_tree(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        signal_tree(self.pid, signal.SIGCONT)

    def quorum(self) -> tuple[int, int]:
        """Epoch and id of the active controller as this node has last heard; -1 for none."""
        try:
            state = json.loads((self._home / _QUORUM_STATE).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return -1, -1
        return int(state["leaderEpoch"]), int(state["leaderId"])


class ThreeBrokers(Processes):
    """What two of the three have is acknowledged: so one may be away, and nothing is lost with any one."""

    def __init__(self, home: Path, *, heap_mb: int = 256) -> None:
        nodes = tuple(Node(number, lasting_port(), lasting_port()) for number in range(1, REPLICAS + 1))
        cluster = Cluster(new_cluster_id(), nodes)
        self.brokers: Sequence[Broker] = [
            Broker(node, home / f"broker-{node.id}", heap_mb, cluster) for node in nodes
        ]
        self.bootstrap_servers = ",".join(f"127.0.0.1:{node.port}" for node in nodes)

    async def _start(self, stack: AsyncExitStack) -> None:
        for broker in self.brokers:
            stack.push_async_callback(broker.kill)
        await asyncio.gather(*(broker.start() for broker in self.brokers))

    async def leader(self, topic: str, partition: int) -> Broker:
        """Of a partition of a topic, by its full name and modulo their number. Raises `NoLeader`."""
        return self._by_id(await asyncio.to_thread(self._leader_id, topic, partition))

    async def controller(self) -> Broker:
        """The active one. Raises `NoLeader`."""
        _, leader_id = max(broker.quorum() for broker in self.brokers)
        return self._by_id(leader_id)

    async def until_whole(self, timeout_s: float) -> bool:
        """Waits until every replica of every partition is in sync; whether that was in time."""
        deadline = time.monotonic() + timeout_s
        while not await asyncio.to_thread(self._is_whole):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    def _by_id(self, node_id: int) -> Broker:
        for broker in self.brokers:
            if broker.node.id == node_id:
                return broker
        raise NoLeader

    def _leader_id(self, topic: str, partition: int) -> int:
        try:
            partitions = self._topics()[topic].partitions
            return int(partitions[partition % len(partitions)].leader)
        except (KafkaException, KeyError) as unknown:
            raise NoLeader from unknown

    def _is_whole(self) -> bool:
        try:
            topics = self._topics().values()
        except KafkaException:
            return False
        partitions = (partition for topic in topics for partition in topic.partitions.values())
        return all(len(partition.isrs) == len(partition.replicas) for partition in partitions)

    def _topics(self) -> Mapping[str, TopicMetadata]:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        return admin.list_topics(timeout=_METADATA_TIMEOUT_S).topics
