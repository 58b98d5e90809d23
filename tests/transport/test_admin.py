"""What brokers are asked for when a topic is made."""

import pytest

from schemas.topics import TOPICS
from transport.admin import new_topic
from transport.settings import KafkaSettings


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_most_of_three_replicas_have_what_is_acknowledged(replicas: int, in_sync: int) -> None:
    topic = new_topic(TOPICS["runs"], KafkaSettings(replication_factor=replicas, partitions=8))
    assert (topic.topic, topic.num_partitions, topic.replication_factor) == ("hopline.runs", 8, replicas)
    assert topic.config is not None
    assert topic.config["min.insync.replicas"] == str(in_sync)
    assert topic.config["cleanup.policy"] == "delete"
