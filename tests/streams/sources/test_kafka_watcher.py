"""Topics of another Kafka (here: of the broker that all tests share), consumed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import aiohttp
import fastavro
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.codec import SingleObjectCodec
from schemas.event_data import MOST_LEVELS
from schemas.triggers.kafka import KafkaConfig
from streams.sources.kafka.watcher import KafkaSource
from streams.sources.watching import Unavailable
from tests.streams.sources.watched import Watched
from transport.egress import EgressPolicy
from transport.plugin_http import PluginHttp

pytestmark = pytest.mark.broker

CODEC = SingleObjectCodec()
AT_MS = int(time.time() * 1000) + 50 * 60_000
"""Later than any trigger of these tests is made, and not so late that the broker refuses it (one hour)."""


class Other:
    """The other Kafka, with a topic of two partitions."""

    def __init__(self, servers: str, topic: str) -> None:
        self.servers, self.topic = servers, topic
        self._producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 16_000_000})

    def create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.servers})
        for created in admin.create_topics([NewTopic(self.topic, 2, 1)]).values():
            created.result(30)

    def produce(self, values: Iterable[bytes | None], partition: int = 0, **rest: Any) -> None:
        refused: list[object] = []
        for value in values:
            self._producer.produce(
                self.topic, value, partition=partition,
                on_delivery=lambda error, _: refused.append(error) if error else None, **rest,
            )  # fmt: skip
        assert self._producer.flush(30) == 0
        assert refused == []

    def watched(self, **config: Any) -> Watched:
        given = {"group": self.topic, **config}
        return Watched(KafkaConfig(bootstrap_servers=self.servers, topic=self.topic, **given))


@pytest.fixture
async def other(broker: str, topic_prefix: str) -> Other:
    found = Other(broker, f"{topic_prefix}orders")
    await asyncio.to_thread(found.create)
    return found


@pytest.fixture
async def source() -> AsyncIterator[KafkaSource]:
    async with aiohttp.ClientSession() as session:
        policy = EgressPolicy(["127.0.0.1", "localhost"])
        yield KafkaSource(policy, PluginHttp(session), CODEC, most_consumers=2, timeout_s=30)


def bodies(watched: Watched) -> list[Any]:
    return [event.data["body"] for event in watched.events]


async def test_a_message_becomes_an_event(other: Other, source: KafkaSource) -> None:
    headers = [("trace", b"abc"), ("raw", b"\xff"), ("many", b"1"), ("many", b"2"), ("none", None)]
    other.produce([b'{"id": 7}'], key=b"k", headers=headers, timestamp=AT_MS)
    watched = other.watched()
    async with watched.by(source):
        [event] = await watched.until(1)
    assert event.data["body"] == {"id": 7}
    assert event.data["key"] == "k"
    assert event.data["headers"] == {"trace": "abc", "raw": "/w==", "many": ["1", "2"], "none": None}
    assert event.data["record"] == {
        "topic": other.topic, "partition": 0, "offset": 0, "timestamp": AT_MS,
    }  # fmt: skip
    assert event.identity == f"{other.topic}/0/0@{AT_MS}"
    assert event.event_type == "kafka.message"


async def test_an_event_is_in_the_trace_of_its_message(other: Other, source: KafkaSource) -> None:
    sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    other.produce([b"1"], headers=[("traceparent", sent.encode())])
    other.produce([b"2"], headers=[("traceparent", sent.encode()), ("traceparent", b"x")])
    watched = other.watched(begin="earliest")
    async with watched.by(source):
        events = await watched.until(2)
    assert {(event.data["body"], event.traceparent) for event in events} == {(1, sent), (2, None)}


async def test_nothing_is_committed_before_it_is_published(other: Other, source: KafkaSource) -> None:
    other.produce([b"1", b"2"])
    other.produce([b"3"], partition=1)
    watched = other.watched(begin="earliest")
    published = watched._publish

    async def fail(events: Any) -> None:
        await published(events)
        raise Unavailable("our broker is away")

    watched._publish = fail  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="our broker"):
        await source.watch(watched.watch())
    before = [event.identity for event in watched.events]
    assert before
    watched._publish = published  # type: ignore[method-assign]
    watched.events.clear()
    async with watched.by(source):
        await watched.until(3)
        await watched.at_rest()
        other.produce([b"4"])
        await watched.until(4)
        await watched.at_rest()
    assert sorted(bodies(watched)) == [1, 2, 3, 4]
    assert set(before) <= {event.identity for event in watched.events}
    watched.events.clear()
    other.produce([b"5"], partition=1)
    async with watched.by(source):
        await watched.until(1)
    assert bodies(watched) == [5]


async def test_a_partition_begins_with_messages_of_a_time(other: Other, source: KafkaSource) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    at_ms = int(at.timestamp() * 1000)
    other.produce([b'"old"'], timestamp=at_ms - 1)
    other.produce([b'"new"'], timestamp=at_ms)
    watched = other.watched(begin=at)
    async with watched.by(source):
        await watched.until(1)
        other.produce([b'"later"'], partition=1, timestamp=at_ms - 1)
        await watched.until(2)
    # Partition 1 had no message of that time: it begins at its end.
    assert bodies(watched) == ["new", "later"]


async def test_where_a_partition_begins_is_kept_before_its_first_message(
    other: Other, source: KafkaSource
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    at_ms = int(at.timestamp() * 1000)
    other.produce([b'"before"'], partition=1, timestamp=at_ms - 1)
    other.produce([b'"first"'], timestamp=at_ms)
    watched = other.watched(begin=at)
    async with watched.by(source):
        await watched.until(1)
        await watched.at_rest()
    # Of a producer whose clock is behind, while nobody consumes.
    other.produce([b'"late"'], partition=1, timestamp=at_ms - 1)
    async with watched.by(source):
        await watched.at_rest()
        other.produce([b'"last"'], partition=1, timestamp=at_ms)
        await watched.until(3)
    assert bodies(watched) == ["first", "late", "last"]


async def test_what_cannot_be_decoded_is_a_dead_letter_and_the_rest_goes_on(
    other: Other, source: KafkaSource
) -> None:
    other.produce([b"{broken"], key=b"k", headers=[("h", b"v")])
    other.produce([b'"fine"', None])
    watched = other.watched(begin="earliest")
    async with watched.by(source):
        await watched.until(2)
    assert bodies(watched) == ["fine", None]
    [letter] = [CODEC.decode("DeadLetter", send.value or b"") for send in watched.sent]
    assert (letter["topic"], letter["offset"]) == (f"kafka/t1/{other.topic}", 0)
    assert (letter["key"], letter["value"], letter["stage"]) == (b"k", b"{broken", "sources")
    assert letter["reason"].startswith("Undecodable: the message is no JSON")


async def test_json_that_no_event_can_hold_is_a_dead_letter(other: Other, source: KafkaSource) -> None:
    other.produce([b"[" * levels + b"]" * levels for levels in (MOST_LEVELS, MOST_LEVELS + 1, 1000)])
    other.produce([b"2"])
    watched = other.watched(begin="earliest")
    async with watched.by(source):
        await watched.until(2)
    assert bodies(watched)[1:] == [2]
    letters = [CODEC.decode("DeadLetter", send.value or b"") for send in watched.sent]
    assert [letter["offset"] for letter in letters] == [1, 2]
    assert "250 levels" in letters[0]["reason"]


async def test_headers_count_for_what_an_event_may_take(other: Other, source: KafkaSource) -> None:
    other.produce([b"1"], headers=[("h", b"\x01" * 3_000_000)])  # six bytes each, in JSON
    other.produce([b"2"])
    watched = other.watched(begin="earliest")
    async with watched.by(source):
        await watched.until(1)
    assert bodies(watched) == [2]
    [letter] = [CODEC.decode("DeadLetter", send.value or b"") for send in watched.sent]
    assert "takes more than" in letter["reason"]


async def test_avro_that_takes_more_as_json_is_a_dead_letter(other: Other, source: KafkaSource) -> None:
    item = {"type": "record", "name": "Item", "fields": [{"name": "n" * 100, "type": "int"}]}
    schema = {"schema": orjson.dumps({"type": "array", "items": item}).decode()}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(schema)

    app = web.Application()
    app.router.add_get("/schemas/ids/1", answer)
    count = 200_000
    written = BytesIO()
    fastavro.schemaless_writer(written, {"type": "array", "items": "int"}, [0] * count)
    other.produce([b"\0\0\0\0\1" + written.getvalue(), b"\0\0\0\0\1\0"])
    async with TestServer(app) as registry:
        url = str(registry.make_url("/"))
        watched = other.watched(begin="earliest", value_format="avro", registry={"url": url})
        async with watched.by(source):
            await watched.until(1)
    assert bodies(watched) == [[]]
    [letter] = [CODEC.decode("DeadLetter", send.value or b"") for send in watched.sent]
    assert "takes more than" in letter["reason"]


async def test_several_consumers_share_the_partitions(other: Other, source: KafkaSource) -> None:
    one = other.watched(begin="earliest", consumers=2)
    two = other.watched(begin="earliest", consumers=2)
    two.slot = 1
    async with one.by(source), two.by(source):
        assert source.slots(cast(KafkaConfig, one.settings)) == 2
        sent = 0
        async with asyncio.timeout(60):
            while not (one.events and two.events):
                other.produce([orjson.dumps(sent)], partition=sent % 2)
                sent += 1
                await asyncio.sleep(0.1)
    # Which of the two had a partition before both had one does not matter.
    assert {event.identity.split("@")[0] for event in (*one.events, *two.events)} <= {
        f"{other.topic}/{n % 2}/{n // 2}" for n in range(sent)
    }


async def test_a_worker_has_only_so_many_consumers(other: Other, source: KafkaSource) -> None:
    source._open = 2
    with pytest.raises(Unavailable, match="HOPLINE_SOURCES_CONSUMERS"):
        await source.watch(other.watched().watch())


async def test_a_topic_that_is_not_there_is_told(other: Other, source: KafkaSource) -> None:
    other.topic += ".missing"
    with pytest.raises(Unavailable, match="Unknown topic"):
        await source.watch(other.watched().watch())


async def test_a_broker_that_is_not_there_is_told(other: Other, source: KafkaSource) -> None:
    other.servers = "127.0.0.1:1"
    source._timeout_s = 0.5
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        await source.watch(other.watched().watch())


async def test_private_addresses_are_not_connected_to(other: Other, source: KafkaSource) -> None:
    source._policy = EgressPolicy([])
    with pytest.raises(Unavailable, match="HOPLINE_EGRESS_ALLOW"):
        await source.watch(other.watched().watch())


def test_credentials_become_settings_of_the_client() -> None:
    security = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": "u", "password": "p"}
    config = KafkaConfig.model_validate({
        "bootstrap_servers": "a.example.com:9093,[2001:db8::1]:9093", "topic": "t",
        "security": {**security, "certificate": "PEM"},
    })  # fmt: skip
    assert config.client() == {
        "bootstrap.servers": "a.example.com:9093,[2001:db8::1]:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
        "ssl.ca.pem": "PEM",
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"bootstrap_servers": "host"}, "bootstrap_servers"),
        ({"value_format": "avro"}, "avro needs a registry"),
        ({"security": {"protocol": "SASL_SSL"}}, "needs username and password"),
        ({"security": {"protocol": "SSL", "client_key": "k"}}, "go together"),
        ({"topic": "no topic"}, "topic"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        KafkaConfig.model_validate({"bootstrap_servers": "h:9092", "topic": "t", **change})


def test_the_sample_is_a_config() -> None:
    sample = Path(__file__).parents[3] / "samples/order-review/kafka.json"
    config = KafkaConfig.model_validate_json(sample.read_bytes())
    assert config.group_of("t1") == "hopline-t1"
    assert config.mapping() == {"customer": "body.customer.name"}
