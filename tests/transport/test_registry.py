"""The Confluent wire format, against Confluent's own client, serializer and deserializer.

The registry itself is not to be had from a package registry, so a small server speaks the part of its REST
API that the client uses; ids and schemas are what Confluent's client makes of them.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from cli.errors import CommandFailed
from cli.settings import resolve
from schemas.codec import load
from schemas.errors import UndecodableValue
from schemas.topics import TOPICS
from tests.schemas.test_codec import WITH_EXAMPLE, example
from transport.registry import ConfluentCodec, RegistryUnreachable, open_codec
from transport.settings import KafkaSettings


class Registry:
    """Subjects and schemas, as Confluent's REST API shows them."""

    def __init__(self) -> None:
        self.schemas: list[str] = []
        self.subjects: dict[str, list[int]] = {}

    async def register(self, request: web.Request) -> web.Response:
        schema = (await request.json())["schema"]
        if schema not in self.schemas:
            self.schemas.append(schema)
        schema_id = self.schemas.index(schema) + 1
        versions = self.subjects.setdefault(request.match_info["subject"], [])
        if schema_id not in versions:
            versions.append(schema_id)
        return web.json_response({"id": schema_id})

    async def lookup(self, request: web.Request) -> web.Response:
        schema_id = int(request.match_info["id"])
        if not 0 < schema_id <= len(self.schemas):
            return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)
        return web.json_response({"schema": self.schemas[schema_id - 1]})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/subjects/{subject}/versions", self.register)
        app.router.add_get("/schemas/ids/{id}", self.lookup)
        return app


@pytest.fixture
def registry() -> Iterator[str]:
    """In a thread of its own, since Confluent's client blocks."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(Registry().app())

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield f"http://127.0.0.1:{port}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


SETTINGS = KafkaSettings()


@pytest.fixture
def codec(registry: str) -> Iterator[ConfluentCodec]:
    made = ConfluentCodec(SETTINGS, registry)
    yield made
    made.close()


@pytest.fixture
def client(registry: str) -> Iterator[SchemaRegistryClient]:
    made = SchemaRegistryClient({"url": registry})
    yield made
    made.close()


def context(topic: str) -> SerializationContext:
    return SerializationContext(SETTINGS.full_name(topic), MessageField.VALUE)


@pytest.mark.parametrize("topic", WITH_EXAMPLE)
def test_confluents_deserializer_reads_what_we_write(
    codec: ConfluentCodec, client: SchemaRegistryClient, topic: str
) -> None:
    value = codec.encode(TOPICS[topic].schema or "", example(topic))
    theirs = AvroDeserializer(client)
    record: dict[str, Any] = theirs(value, context(topic))
    assert set(record) == set(example(topic))
    assert record.get("id") == example(topic).get("id")


def test_we_read_what_confluents_serializer_writes(
    codec: ConfluentCodec, client: SchemaRegistryClient
) -> None:
    theirs = AvroSerializer(client, json.dumps(load("WorkflowRun")))
    value = theirs(example("runs"), context("runs"))
    assert value is not None
    assert codec.decode("WorkflowRun", value) == example("runs")


def test_a_schema_that_is_not_ours_is_fetched_by_its_id_and_resolved(
    codec: ConfluentCodec, client: SchemaRegistryClient
) -> None:
    wider = load("WorkflowRun")
    wider = {**wider, "fields": [*wider["fields"], {"name": "later", "type": "string", "default": ""}]}
    theirs = AvroSerializer(client, json.dumps(wider))
    value = theirs({**example("runs"), "later": "x"}, context("runs"))
    assert codec.decode("WorkflowRun", value) == example("runs")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "Confluent wire format"),
        (b"\xc3\x01" + b"x" * 20, "Confluent wire format"),
        (b"\x00\x00\x00\x03\xe7body", "no schema 999"),
    ],
)
def test_what_is_no_value_says_why(codec: ConfluentCodec, value: bytes | None, why: str) -> None:
    with pytest.raises(UndecodableValue, match=why):
        codec.decode("WorkflowRun", value)


def test_another_schema_than_expected_is_refused(codec: ConfluentCodec) -> None:
    value = codec.encode("TriggerEvent", example("trigger.events"))
    with pytest.raises(UndecodableValue, match="TriggerEvent where"):
        codec.decode("WorkflowRun", value)


def test_the_setting_chooses_the_framing(registry: str) -> None:
    with_registry = open_codec(KafkaSettings(schema_registry=registry))
    assert isinstance(with_registry, ConfluentCodec)
    with_registry.close()
    assert with_registry.encode("WorkflowRun", example("runs"))[:1] == b"\x00"
    assert open_codec(SETTINGS).encode("WorkflowRun", example("runs"))[:2] == b"\xc3\x01"


@pytest.mark.parametrize(
    "url", ["ftp://me:s3cret@there", "me:s3cret@there:8081", "http://me:s3cret#@there:8081"]
)
def test_what_is_no_address_of_a_registry_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(CommandFailed, match="HOPLINE_SCHEMA_REGISTRY is http") as refused:
        resolve(KafkaSettings, schema_registry=url)
    assert "s3cret" not in str(refused.value)


def test_a_registry_may_have_several_addresses() -> None:
    several = "http://me:s3cret@one:8081,https://other/registry"
    assert KafkaSettings(schema_registry=several).schema_registry == several


def test_a_registry_that_is_not_there_is_said_so() -> None:
    with pytest.raises(RegistryUnreachable, match="HOPLINE_SCHEMA_REGISTRY"):
        open_codec(KafkaSettings(schema_registry="http://127.0.0.1:1"))
