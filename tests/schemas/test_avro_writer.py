"""What is written by code made for a schema is what fastavro would write."""

import struct
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.avro_writer import writer_for
from schemas.codec import load, parse, schema_names

HOT = (
    "NodeTask", "RunCommand", "TriggerEvent", "WorkflowNodeExecution", "WorkflowRun", "WorkflowTriggerLog",
)  # fmt: skip
SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "All",
        "fields": [
            {"name": "text", "type": "string"},
            {"name": "number", "type": "long", "default": 7},
            {"name": "share", "type": "double"},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}, "default": "B"},
            {"name": "maybe_text", "type": ["null", "string"], "default": None},
            {"name": "maybe_number", "type": ["null", "long"], "default": None},
            {"name": "maybe_share", "type": ["null", "double"], "default": None},
            {"name": "maybe_kind", "type": ["null", "Kind"], "default": None},
            {
                "name": "part",
                "type": {"type": "record", "name": "Part", "fields": [{"name": "id", "type": "string"}]},
            },
            {"name": "maybe_part", "type": ["null", "Part"], "default": None},
        ],
    }
)
WRITE = writer_for(SCHEMA)
LONGS = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 5_000), st.integers(1 << 47, 1 << 56)
)
EDGES = [sign * (1 << bits) + more for bits in range(63) for sign in (1, -1) for more in (-1, 0)]
SHARES, PARTS = st.floats(), st.fixed_dictionaries({"id": st.text()})
RECORDS = st.fixed_dictionaries(
    {"text": st.text(), "share": SHARES, "part": PARTS},
    optional={
        "number": LONGS,
        "kind": st.sampled_from("AB"),
        "maybe_text": st.none() | st.text(),
        "maybe_number": st.none() | LONGS,
        "maybe_share": st.none() | SHARES,
        "maybe_kind": st.none() | st.sampled_from("AB"),
        "maybe_part": st.none() | PARTS,
    },
)


def written(record: dict[str, Any]) -> bytes:
    assert WRITE is not None
    return WRITE(b"head", record)


@settings(max_examples=100)
@given(RECORDS)
def test_the_bytes_are_those_of_fastavro(record: dict[str, Any]) -> None:
    body = BytesIO()
    fastavro.schemaless_writer(body, SCHEMA, record)
    assert written(record) == b"head" + body.getvalue()


def test_numbers_of_every_length() -> None:
    write = writer_for({"type": "record", "name": "N", "fields": [{"name": "n", "type": "long"}]})
    assert write is not None
    for number in EDGES:
        body = BytesIO()
        fastavro.schemaless_writer(body, "long", number)
        assert write(b"", {"n": number}) == body.getvalue()


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": None}, {"text": 1}, {"text": "\ud800"}, {"number": 1 << 63}, {"number": "1"},
        {"number": None}, {"share": "1"}, {"kind": "C"}, {"part": None}, {"part": {}},
        {"maybe_text": 1}, {"maybe_part": {}},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((KeyError, AttributeError, TypeError, ValueError, struct.error)):
        written({"text": "", "share": 0.0, "part": {"id": ""}} | wrong)


def test_the_hot_path_is_written_so() -> None:
    assert set(HOT) <= {name for name in schema_names() if parse(load(name)).write is not None}


@pytest.mark.parametrize("kind", ["bytes", ["string", "null"], {"type": "array", "items": "long"}])
def test_the_rest_is_left_to_fastavro(kind: Any) -> None:
    schema = {"type": "record", "name": "Other", "fields": [{"name": "field", "type": kind}]}
    assert writer_for(fastavro.parse_schema(schema)) is None
    assert writer_for("string") is None
