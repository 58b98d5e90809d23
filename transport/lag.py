"""How far a role is behind: the lag of its partitions, asked for now and then, and never by what is read."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from transport.admin import offsets_now
from transport.committed import CommittedOffsets
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

_INTERVAL_S = 10.0
_TIMEOUT_S = 5.0

Partition = tuple[str, int]
"""Full name of the topic and number."""


class LagMeter(Collector):
    """`hopline_consumer_lag{topic,partition}`: messages that the group has not committed yet.

    What a consumer itself knows about the ends of its partitions is as old as its last fetch, and it fetches
    nothing while it is full: just when somebody looks. So the broker is asked, with a client apart from the
    one that reads, three requests each 10 s. Without an answer there is no figure.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        assigned: Callable[[], Collection[Partition]],
        registry: CollectorRegistry,
    ) -> None:
        """`group` without the prefix; `assigned`: what this process reads now, asked for in any thread."""
        self._settings = settings
        self._group = settings.full_name(group)
        self._assigned = assigned
        self._lag: dict[Partition, int] = {}
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """For Prometheus, from any thread."""
        lag = GaugeMetricFamily(
            "hopline_consumer_lag",
            "Messages of the partitions that this process reads which are not done and committed.",
            labels=("topic", "partition"),
        )
        for (topic, partition), messages in sorted(self._lag.items()):
            lag.add_metric((self._settings.short_name(topic), str(partition)), messages)
        yield lag

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Asks until it is left, which waits for no answer: the broker may be away."""
        stopping = threading.Event()
        threading.Thread(target=self._measure_until, args=(stopping,), name="lag", daemon=True).start()
        try:
            yield
        finally:
            stopping.set()

    def _measure_until(self, stopping: threading.Event) -> None:
        admin = AdminClient({"bootstrap.servers": self._settings.bootstrap_servers, "log_level": 0})
        with closing(CommittedOffsets(self._settings, self._group)) as offsets:
            while True:
                try:
                    self._lag = self._measure(admin, offsets)
                except (KafkaException, TimeoutError) as failed:
                    _log.debug("no lag: %s", failed)
                    self._lag = {}
                except Exception:  # or the figures would stay as they are, and look well
                    _log.exception("no lag")
                    self._lag = {}
                if stopping.wait(_INTERVAL_S):
                    return

    def _measure(self, admin: AdminClient, offsets: CommittedOffsets) -> dict[Partition, int]:
        partitions = [TopicPartition(*one) for one in self._assigned()]
        if not partitions:
            return {}
        committed = offsets.of(partitions, _TIMEOUT_S)
        unread = [tp for tp in partitions if (tp.topic, tp.partition) not in committed]
        done = {place: commit.records for place, commit in committed.items()}
        done |= offsets_now(admin, unread, OffsetSpec.earliest())
        ends = offsets_now(admin, partitions, OffsetSpec.latest())
        return {place: max(0, end - done[place]) for place, end in ends.items()}
