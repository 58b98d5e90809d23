"""What brokers are asked for when a topic is made."""

import pytest

from schemas.topics import HISTORY, TOPICS
from transport.admin import missing_topics, new_topic
from transport.errors import TopicsMismatch
from transport.settings import KafkaSettings


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_most_of_three_replicas_have_what_is_acknowledged(replicas: int, in_sync: int) -> None:
    topic = new_topic(TOPICS["runs"], 8, KafkaSettings(replication_factor=replicas))
    assert (topic.topic, topic.num_partitions, topic.replication_factor) == ("hopline.runs", 8, replicas)
    assert topic.config is not None
    assert topic.config["min.insync.replicas"] == str(in_sync)
    assert topic.config["cleanup.policy"] == "delete"


def asked_for(settings: KafkaSettings, existing: dict[str, int]) -> dict[str, int]:
    return {
        new.topic.removeprefix("hopline."): new.num_partitions for new in missing_topics(settings, existing)
    }


def test_what_no_worker_divides_up_has_fewer_partitions() -> None:
    asked = asked_for(KafkaSettings(), {})
    assert asked.keys() == TOPICS.keys()
    assert [asked[name] for name in ("trigger.events", "run.commands", "changelog.runs")] == [12] * 3
    assert [asked[name] for name in HISTORY if name != "trigger.events"] == [4] * 6
    assert asked["definitions.workflows"] == 1


def test_sinks_share_no_more_partitions_than_workers() -> None:
    assert set(asked_for(KafkaSettings(partitions=3), {}).values()) == {3, 1}


def test_the_history_keeps_its_partitions_and_what_is_added_gets_as_many() -> None:
    there = {f"hopline.{name}": topic.partitions(12, 12) for name, topic in TOPICS.items()}
    del there["hopline.trigger.logs"]
    for settings in (KafkaSettings(), KafkaSettings(history_partitions=1)):
        assert asked_for(settings, there) == {"trigger.logs": 12}


def test_topics_of_the_history_that_differ_are_refused() -> None:
    there = {"hopline.runs": 4, "hopline.node.executions": 12}
    with pytest.raises(
        TopicsMismatch, match=r"node\.executions has 12 partitions, others of the history have 4"
    ):
        missing_topics(KafkaSettings(), there)
