"""What consumer groups have committed, for whoever is no member of theirs."""

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from transport.settings import KafkaSettings


class CommittedOffsets:
    """Of one group. Blocks; used by one thread at a time, and closed in the end.

    A consumer that joins nothing asks for them. The admin client has a call for it as well, which ends the
    process with a segmentation fault when the coordinator of the group has just moved (issue 5040 of
    librdkafka, open in 2.16).
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """`group` by its full name."""
        self._consumer = Consumer(
            {"bootstrap.servers": settings.bootstrap_servers, "group.id": group, "log_level": 0}
        )

    def of(self, partitions: Sequence[TopicPartition], timeout_s: float) -> dict[tuple[str, int], int]:
        """By full name and number; partitions without one are left out. Raises `KafkaException`."""
        answer = self._consumer.committed(list(partitions), timeout=timeout_s)
        return {(one.topic, one.partition): one.offset for one in answer if one.offset >= 0}

    def close(self) -> None:
        """Nothing can be asked afterwards."""
        self._consumer.close()
