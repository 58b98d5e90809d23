"""Containers hold what the codec would have decoded, for any reader of Avro files."""

from io import BytesIO

import fastavro
import pytest

from schemas.codec import Codec, SingleObjectCodec, schema_names
from schemas.errors import UndecodableValue
from sinks.container import Container
from tests.sinks import records


class OtherFraming:
    """A codec whose values begin differently, as those of a schema registry do."""

    def __init__(self) -> None:
        self._inner = SingleObjectCodec()

    def encode(self, schema: str, record: object) -> bytes:
        return b"\0" + self._inner.encode(schema, record)  # type: ignore[arg-type]

    def decode(self, schema: str, value: bytes | None) -> dict[str, object]:
        return self._inner.decode(schema, (value or b"")[1:])


@pytest.mark.parametrize("codec", [SingleObjectCodec(), OtherFraming()], ids=["single-object", "other"])
def test_a_container_holds_the_records(codec: Codec) -> None:
    container = Container("WorkflowRun", codec)
    runs = [records.run(error="x" * 300), records.run(finished_at=records.START_US)]
    packed = container.pack(container.body(codec.encode("WorkflowRun", run)) for run in runs)
    found = list(fastavro.reader(BytesIO(packed)))
    assert [row["id"] for row in found] == [run["id"] for run in runs]  # type: ignore[index]
    assert found[0]["error"] == "x" * 300  # type: ignore[index]


@pytest.mark.parametrize("schema", schema_names())
def test_every_schema_makes_a_container_that_can_be_opened(schema: str) -> None:
    assert list(fastavro.reader(BytesIO(Container(schema, records.CODEC).pack([])))) == []


@pytest.mark.parametrize("value", [None, b"", b"text", b"\xc3\x01" + b"\0" * 20])
def test_a_value_in_no_known_frame_is_undecodable(value: bytes | None) -> None:
    with pytest.raises(UndecodableValue):
        Container("WorkflowRun", records.CODEC).body(value)


def test_a_value_of_another_schema_is_undecodable() -> None:
    value = records.CODEC.encode("TriggerEvent", records.event())
    with pytest.raises(UndecodableValue, match="TriggerEvent where WorkflowRun was expected"):
        Container("WorkflowRun", records.CODEC).body(value)
