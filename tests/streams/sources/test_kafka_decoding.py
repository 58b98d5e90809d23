"""From messages of other Kafkas to values, and what is none."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import aiohttp
import fastavro
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.triggers.kafka import SchemaRegistry
from streams.sources.kafka.decoding import Undecodable, decode
from streams.sources.kafka.registry import Registry
from streams.sources.watching import Unavailable
from transport.egress import EgressPolicy
from transport.guarded_session import EgressGuard
from transport.plugin_http import PluginHttp

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
ORDER: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "total", "type": MONEY},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "raw", "type": ["null", "bytes"]},
        {"name": "buyer", "type": "Person"},
    ],
}
PERSON = {"type": "record", "name": "Person", "fields": [{"name": "name", "type": "string"}]}
ENDLESS = {
    "type": "record",
    "name": "Box",
    "fields": [
        {"name": "inner", "type": {"type": "array", "items": {"type": "record", "name": "E", "fields": []}}}
    ],
}
SCHEMAS = {
    1: {"schema": orjson.dumps(PERSON).decode()},
    2: {
        "schema": orjson.dumps(ORDER).decode(),
        "references": [{"name": "Person", "subject": "person", "version": 3}],
    },
    3: {"schema": "syntax = 'proto3';", "schemaType": "PROTOBUF"},
    4: {"schema": '{"type": "no such type"}'},
    5: {"schema": orjson.dumps(ENDLESS).decode()},
}


class Server:
    """A stand-in for a registry, with the paths of Confluent's."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        assert aiohttp.BasicAuth.decode(request.headers["Authorization"])[:2] == ("u", "p")
        if request.path == "/subjects/person/versions/3":
            return web.json_response({"subject": "person", "version": 3, **SCHEMAS[1]})
        found = SCHEMAS.get(int(request.path.rpartition("/")[2]))
        if found is None:
            return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)
        return web.json_response(found, status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, Registry]]:
    stand_in, app = Server(), web.Application()
    app.router.add_get("/{path:.*}", stand_in.answer)
    async with TestServer(app) as running, EgressGuard(EgressPolicy(["127.0.0.1"])).session() as session:
        config = SchemaRegistry(url=str(running.make_url("/")), username="u", password="p")
        yield stand_in, Registry(PluginHttp(session), config)


def avro(schema_id: int, *schemas: Any, value: Any) -> bytes:
    """Framed; `schemas` are those that are referred to, then the one of the value."""
    named: dict[str, Any] = {}
    *_, parsed = [fastavro.parse_schema(schema, named) for schema in schemas]
    written = BytesIO()
    fastavro.schemaless_writer(written, parsed, value)
    return b"\0" + schema_id.to_bytes(4, "big") + written.getvalue()


@pytest.mark.parametrize(
    ("content", "kind", "value"),
    [
        (b'{"a": [1, null]}', "json", {"a": [1, None]}),
        (b'\x00\x00\x00\x00\x07{"framed": true}', "json", {"framed": True}),
        ("grüße".encode(), "text", "grüße"),
        (b"\x00\xff", "bytes", "AP8="),
        (None, "avro", None),
    ],
)
async def test_formats(content: bytes | None, kind: Any, value: Any) -> None:
    assert await decode(content, kind, None) == value


@pytest.mark.parametrize(
    ("content", "kind"), [(b"{", "json"), (b"", "json"), (b"\xff", "text"), (b"x", "avro")]
)
async def test_what_is_not_in_its_format_is_told(content: bytes, kind: Any) -> None:
    with pytest.raises(Undecodable):
        await decode(content, kind, None)


async def test_avro_with_logical_types_and_references(server: tuple[Server, Registry]) -> None:
    stand_in, registry = server
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    order = {"id": 7, "total": Decimal("12.50"), "at": at, "raw": b"\xff", "buyer": {"name": "Ann"}}
    for _ in range(2):
        value = await decode(avro(2, PERSON, ORDER, value=order), "avro", registry)
    assert value == {
        "id": 7, "total": "12.50", "at": "2026-11-21T10:00:00+00:00", "raw": "/w==", "buyer": {"name": "Ann"},
    }  # fmt: skip
    assert stand_in.asked == ["/schemas/ids/2", "/subjects/person/versions/3"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\0\0\0\0\x01", "does not fit its schema"),
        (b"\0\0\0\0\x03", "type PROTOBUF"),
        (b"\0\0\0\0\x04", "no Avro schema"),
        (b"\0\0\0\0\x05\xfe\xff\xff\xff\x0f", "values that take no bytes"),
        (b"\0\0\0\0\x09", "has no /schemas/ids/9"),
    ],
)
async def test_messages_that_no_schema_fits(
    server: tuple[Server, Registry], content: bytes, why: str
) -> None:
    with pytest.raises(Undecodable, match=why):
        await decode(content, "avro", server[1])


async def test_a_registry_that_is_away_is_no_fault_of_the_message(server: tuple[Server, Registry]) -> None:
    stand_in, registry = server
    stand_in.status = 503
    with pytest.raises(Unavailable, match="503"):
        await decode(b"\0\0\0\0\x01", "avro", registry)
    stand_in.status = 200
    assert await decode(avro(1, PERSON, value={"name": "Ann"}), "avro", registry) == {"name": "Ann"}
