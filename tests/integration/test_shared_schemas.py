"""A release reads what a later one writes beside it, on a real broker."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from schemas import codec as wire
from schemas.codec import SingleObjectCodec
from schemas.errors import UndecodableValue
from transport import shared_schemas
from transport.admin import create_topics
from transport.settings import KafkaSettings
from transport.shared_schemas import SharedSchemas, share_schemas

pytestmark = pytest.mark.broker

RECORD = {
    "kind": "CANCEL", "command_id": "c", "workflow_run_id": "run", "tenant_id": "t", "app_id": "a",
    "workflow_id": "w", "version": "v", "issued_at": 1, "payload": "{}",
}  # fmt: skip


def later_schema() -> dict[str, Any]:
    schema: dict[str, Any] = deepcopy(wire.load("RunCommand"))
    schema["fields"].append({"name": "of_a_later_release", "type": "string"})
    return schema


async def test_what_a_later_release_writes_is_read_once_it_has_shared_its_schemas(
    broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(settings)
    assert set(await asyncio.to_thread(share_schemas, settings)) == set(wire.schema_names())
    assert await asyncio.to_thread(share_schemas, settings) == []

    later = later_schema()
    mark = wire.fingerprint(later)
    value = wire.write(b"\xc3\x01" + mark, wire.parse(later), {**RECORD, "of_a_later_release": "x"})
    reader = SingleObjectCodec(SharedSchemas(settings).find)
    with pytest.raises(UndecodableValue, match="unknown: written by a newer release"):
        await asyncio.to_thread(reader.decode, "RunCommand", value)

    with monkeypatch.context() as patched:
        patched.setattr(shared_schemas, "current_schemas", lambda: {mark: ("RunCommand", later)})
        assert await asyncio.to_thread(share_schemas, settings) == ["RunCommand"]
        patched.setattr(shared_schemas, "_LOOK_AGAIN_S", 0.0)
        reader = SingleObjectCodec(SharedSchemas(settings).find)
        record = await asyncio.to_thread(reader.decode, "RunCommand", value)
    assert {name: record[name] for name in RECORD} == RECORD
    assert "of_a_later_release" not in record
    monkeypatch.setattr(shared_schemas, "_read", None)
    assert reader.decode("RunCommand", value) == record, "it is known from now on"


async def test_a_broker_that_is_away_keeps_nobody_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_schemas, "_TIMEOUT_S", 0.2)
    away = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    assert await asyncio.to_thread(share_schemas, away) == []
    assert SharedSchemas(away).find(b"12345678") is None
