"""What nodes are told about each other."""

from cli.kafka.config import Node, server_properties
from schemas.topics import TOPICS

NODES = tuple(Node(number, 9000 + number, 9100 + number) for number in (1, 2, 3))


def properties(node: Node, nodes: tuple[Node, ...]) -> dict[str, str]:
    lines = server_properties(node, nodes).splitlines()
    return {name: value for name, sep, value in (line.partition("=") for line in lines) if sep}


def test_one_node_keeps_the_only_replica() -> None:
    told = properties(NODES[0], NODES[:1])
    assert told["controller.quorum.voters"] == "1@127.0.0.1:9101"
    assert told["offsets.topic.replication.factor"] == told["min.insync.replicas"] == "1"


def test_three_nodes_acknowledge_what_two_of_them_have() -> None:
    told = [properties(node, NODES) for node in NODES]
    assert [one["node.id"] for one in told] == ["1", "2", "3"]
    assert [one["advertised.listeners"] for one in told] == [
        f"PLAINTEXT://127.0.0.1:{node.port}" for node in NODES
    ]
    voters = {one["controller.quorum.voters"] for one in told}
    assert voters == {"1@127.0.0.1:9101,2@127.0.0.1:9102,3@127.0.0.1:9103"}
    for one in told:
        assert one["min.insync.replicas"] == one["transaction.state.log.min.isr"] == "2"
        assert (
            one["offsets.topic.replication.factor"] == one["transaction.state.log.replication.factor"] == "3"
        )


def test_offsets_are_known_for_longer_than_there_is_anything_to_read() -> None:
    kept_ms = int(properties(NODES[0], NODES[:1])["offsets.retention.minutes"]) * 60_000
    assert kept_ms > 10 * max(topic.retention_ms for topic in TOPICS.values())
