"""Every example of every topic survives the wire; every released schema can still be read."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_one

from schemas import codec as wire
from schemas.codec import SingleObjectCodec
from schemas.errors import UndecodableValue, UnencodableValue
from schemas.topics import TOPICS
from transport.definitions import MODELS

AVRO = Path(wire.__file__).parent / "avro"
EXAMPLES = Path(wire.__file__).parent / "examples"
CODEC = SingleObjectCodec()


def example(topic: str) -> dict[str, Any]:
    def bytes_of(value: dict[str, Any]) -> Any:
        return base64.b64decode(value["base64"]) if set(value) == {"base64"} else value

    record: dict[str, Any] = json.loads((EXAMPLES / f"{topic}.json").read_text(), object_hook=bytes_of)
    return record


WITH_EXAMPLE = sorted(path.stem for path in EXAMPLES.glob("*.json"))


def test_every_topic_in_use_has_an_example() -> None:
    assert set(WITH_EXAMPLE) == {t.name for t in TOPICS.values() if t.schema}


@pytest.mark.parametrize("topic", WITH_EXAMPLE)
def test_an_example_survives_the_wire(topic: str) -> None:
    schema = TOPICS[topic].schema
    assert schema is not None
    record = example(topic)
    assert CODEC.decode(schema, CODEC.encode(schema, record)) == record


@pytest.mark.parametrize("topic", WITH_EXAMPLE)
def test_a_stranger_reads_it_with_nothing_but_the_avsc_files(topic: str) -> None:
    schema = TOPICS[topic].schema
    value = CODEC.encode(schema or "", example(topic))
    parsed = fastavro.schema.load_schema(str(AVRO / f"hopline.{schema}.avsc"))
    canonical = fastavro.schema.to_parsing_canonical_form(parsed)
    assert value[:2] == b"\xc3\x01"
    assert value[2:10].hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    record = fastavro.schemaless_reader(BytesIO(value[10:]), parsed, None)
    assert isinstance(record, dict)
    assert set(record) == set(example(topic))


@pytest.mark.parametrize("topic", [t for t in WITH_EXAMPLE if t in MODELS])
def test_the_body_of_a_definition_is_its_model(topic: str) -> None:
    assert MODELS[topic].model_validate_json(example(topic)["body"])


def test_the_fingerprint_is_the_one_of_the_avro_specification() -> None:
    # CRC-64-AVRO of the canonical form "int" is 7275d51a3f395c8f, and travels with its low byte first.
    assert wire.fingerprint("int") == bytes.fromhex("7275d51a3f395c8f")[::-1]


@pytest.mark.parametrize("name", wire.schema_names())
def test_the_current_schema_is_in_its_history(name: str) -> None:
    known = [wire.fingerprint(schema) for schema in wire.history(name)]
    assert wire.fingerprint(wire.load(name)) in known, (
        f"hopline.{name}.avsc has changed: add it to avro/history/{name}/ under the next number, "
        "so that what is written with it today can be read for ever"
    )


@pytest.mark.parametrize("name", wire.schema_names())
def test_whatever_an_earlier_release_wrote_is_read(name: str) -> None:
    for schema in wire.history(name):
        parsed = wire.parse(schema)
        for _ in range(20):
            value = wire.write(b"\xc3\x01" + wire.fingerprint(schema), parsed, generate_one(parsed.avro))
            current = CODEC.decode(name, value)
            assert set(current) == {field["name"] for field in wire.load(name)["fields"]}


def test_a_field_without_default_would_break_the_rule() -> None:
    old = wire.load("Definition")
    new = {**old, "fields": [*old["fields"], {"name": "added", "type": "string"}]}
    body = wire.write(b"", wire.parse(old), generate_one(wire.parse(old).avro))
    with pytest.raises(UndecodableValue):
        wire.read(body, 0, wire.parse(old), wire.parse(new), "Definition")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "does not start with C3 01"),
        (b"", "does not start with C3 01"),
        (b"{}", "does not start with C3 01"),
        (b"\xc3\x01" + b"\0" * 8, "fingerprint 0000000000000000 is unknown"),
        (CODEC.encode("TriggerEvent", example("trigger.events")), "a value of TriggerEvent where"),
        (CODEC.encode("WorkflowRun", example("runs"))[:-3], "damaged WorkflowRun"),
        (CODEC.encode("WorkflowRun", example("runs")) + b"x", "bytes are left over"),
    ],
)
def test_what_is_no_value_says_why(value: bytes | None, why: str) -> None:
    with pytest.raises(UndecodableValue, match=why):
        CODEC.decode("WorkflowRun", value)


def test_a_record_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UnencodableValue, match="WorkflowRun"):
        CODEC.encode("WorkflowRun", {"id": "x"})
