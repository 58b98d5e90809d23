"""Creates the registry's topics, and tells what is there."""

import asyncio
import logging
import time
from collections.abc import Mapping, Set
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from schemas.topics import TOPICS, Topic
from transport.committed import CommittedOffsets
from transport.errors import BrokerUnreachable, TopicsMismatch
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
_REACH_TIMEOUT_S = 10.0
_OFFSETS_TIMEOUT_S = 5.0
_RETRY_PAUSE_S = 0.1

# For a moment after a partition was made, or has moved.
_NO_LEADER_YET = frozenset(
    {
        # As librdkafka says it: no leaders found, and none that has answered in time.
        KafkaError._NOENT,
        KafkaError._TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
    }
)


@dataclass(frozen=True)
class TopicState:
    """One topic of this deployment as the broker has it."""

    name: str
    partitions: int
    messages: int
    """End offsets minus start offsets, summed: an upper bound on a compacted topic."""
    lag: dict[str, int]
    """Consumer group -> messages that are not done and committed, summed over the partitions."""


async def create_topics(settings: KafkaSettings) -> list[str]:
    """Creates what is missing and returns the names of what it created; doing it twice changes nothing.

    The topics that sinks divide up keep the number that they have, and new ones get the same: so a sink has
    the runs and the nodes of the same keys, and live streams find them. Raises `BrokerUnreachable`, and
    `TopicsMismatch` when those of the sinks differ, or another topic has another number of partitions than
    asked for: keys would no longer meet the rows of their table.
    """
    return await asyncio.to_thread(_create, settings)


async def partition_counts(settings: KafkaSettings) -> dict[str, int]:
    """Every topic that the broker knows, by its full name, and how many partitions it has.

    Raises `BrokerUnreachable`.
    """
    return await asyncio.to_thread(lambda: _existing(_client(settings), settings))


async def describe_topics(settings: KafkaSettings) -> list[TopicState]:
    """What exists of the registry, in its order, with the lag of every group under the prefix."""
    return await asyncio.to_thread(_describe, settings)


def _client(settings: KafkaSettings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})


def _existing(admin: AdminClient, settings: KafkaSettings) -> dict[str, int]:
    try:
        topics = admin.list_topics(timeout=_REACH_TIMEOUT_S).topics
    except KafkaException as error:
        raise BrokerUnreachable(
            f"no Kafka broker answers at {settings.bootstrap_servers}: start one (hopline broker), "
            "or set HOPLINE_KAFKA"
        ) from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _create(settings: KafkaSettings) -> list[str]:
    admin = _client(settings)
    missing = missing_topics(settings, _existing(admin, settings))
    created = []
    for name, future in (admin.create_topics(missing) if missing else {}).items():
        try:
            future.result(_TIMEOUT_S)
            created.append(name)
        except KafkaException as error:
            # Another role was faster: that is what idempotent means.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    _await_leaders(
        admin, [TopicPartition(new.topic, p) for new in missing for p in range(new.num_partitions)]
    )
    return created


def missing_topics(settings: KafkaSettings, existing: Mapping[str, int]) -> list[NewTopic]:
    """What the broker is asked for, beside the partitions of all topics that it has. Pure. Raises
    `TopicsMismatch`, see `create_topics`."""
    history = _history_partitions(settings, existing)
    missing = []
    for topic in TOPICS.values():
        name, partitions = settings.full_name(topic.name), topic.partitions(settings.partitions, history)
        if name not in existing:
            missing.append(new_topic(topic, partitions, settings))
        elif existing[name] != partitions:
            raise TopicsMismatch(_mismatch(topic, existing[name], partitions, settings))
    return missing


def _history_partitions(settings: KafkaSettings, existing: Mapping[str, int]) -> int:
    """Of the topics that sinks divide up. What there is counts: no row hangs on it."""
    names = (settings.full_name(topic.name) for topic in TOPICS.values() if topic.read_by == "sinks")
    asked = min(settings.history_partitions, settings.partitions)
    return next((existing[name] for name in names if name in existing), asked)


def _mismatch(topic: Topic, found: int, wanted: int, settings: KafkaSettings) -> str:
    name = settings.full_name(topic.name)
    if topic.read_by == "sinks":
        return f"topic {name} has {found} partitions, others of the history have {wanted}: make them the same"
    return (
        f"topic {name} has {found} partitions, HOPLINE_PARTITIONS asks for {wanted}: "
        f"set it to {found}, or choose another HOPLINE_TOPIC_PREFIX"
    )


def new_topic(topic: Topic, partitions: int, settings: KafkaSettings) -> NewTopic:
    """As the broker is asked for it. Pure."""
    config = {**topic.config(), "min.insync.replicas": str(settings.min_insync_replicas)}
    return NewTopic(settings.full_name(topic.name), partitions, settings.replication_factor, config=config)


def _await_leaders(admin: AdminClient, partitions: list[TopicPartition]) -> None:
    """A topic exists before its partitions take writes: whoever starts next is spared the first refusals.

    Bounded, and no more than a courtesy: clients ask again by themselves.
    """
    try:
        offsets_of(admin, partitions, OffsetSpec.earliest())
    except KafkaException as error:
        _log.warning("the new topics are not ready after %g s: %s", _TIMEOUT_S, error)


def _describe(settings: KafkaSettings) -> list[TopicState]:
    admin = _client(settings)
    existing = _existing(admin, settings)
    names = [n for t in TOPICS if (n := settings.full_name(t)) in existing]
    partitions = [TopicPartition(name, p) for name in names for p in range(existing[name])]
    # Workers are given changelogs too. They read them to recover, and commit nothing of them.
    worked = {n for n in names if TOPICS[settings.short_name(n)].rows_of is None}
    first = offsets_of(admin, partitions, OffsetSpec.earliest())
    groups = _groups(admin, settings, partitions)
    # Last, or what is done meanwhile would be more than there is.
    last = offsets_of(admin, partitions, OffsetSpec.latest())
    states = []
    for name in names:
        tps = [(name, p) for p in range(existing[name])]
        lag = {
            group: sum(last[tp] - max(reading.done.get(tp, 0), first[tp]) for tp in tps)
            for group, reading in groups.items()
            if name in reading.topics & worked
        }
        total = sum(last[tp] - first[tp] for tp in tps)
        states.append(TopicState(settings.short_name(name), existing[name], total, lag))
    return states


def offsets_of(
    admin: AdminClient, partitions: list[TopicPartition], spec: OffsetSpec
) -> dict[tuple[str, int], int]:
    """By full name and number. Blocks while a partition has no leader that answers, 30 s at most. Raises
    `KafkaException`."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return offsets_now(admin, partitions, spec)
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER_YET or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_PAUSE_S)
            # Else the client may go by what it has once heard, that a partition has no leader, for minutes.
            admin.list_topics(timeout=_REACH_TIMEOUT_S)


def offsets_now(
    admin: AdminClient, partitions: list[TopicPartition], spec: OffsetSpec
) -> dict[tuple[str, int], int]:
    """Likewise, but asked for once: raises `KafkaException` also while a partition has no leader. Blocks, for
    some 5 s at most."""
    if not partitions:
        return {}
    futures = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=_OFFSETS_TIMEOUT_S)
    return {(tp.topic, tp.partition): found.result(_TIMEOUT_S).offset for tp, found in futures.items()}


class _Reading(NamedTuple):
    """One group."""

    topics: Set[str]
    """Of which it has committed something, or a member has a partition."""
    done: Mapping[tuple[str, int], int]
    """Records of a partition, from its first on, where it has committed anything."""


def _groups(
    admin: AdminClient, settings: KafkaSettings, partitions: list[TopicPartition]
) -> dict[str, _Reading]:
    names = [
        g.group_id
        for g in admin.list_consumer_groups().result(_TIMEOUT_S).valid
        if g.group_id.startswith(settings.topic_prefix)
    ]
    if not names:
        return {}
    described = admin.describe_consumer_groups(names, request_timeout=_TIMEOUT_S)
    groups = {}
    for name, found in described.items():
        members = found.result(_TIMEOUT_S).members
        assigned = {one.topic for member in members for one in member.assignment.topic_partitions}
        with closing(CommittedOffsets(settings, name)) as offsets:
            commits = offsets.of(partitions, _TIMEOUT_S)
        done = {place: commit.records for place, commit in commits.items()}
        groups[name] = _Reading(assigned | {topic for topic, _ in done}, done)
    return groups
