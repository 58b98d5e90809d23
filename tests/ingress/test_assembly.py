"""Records of the history, put together again from the object storage."""

import logging
from typing import Any

import orjson
import pytest
from obstore.store import MemoryStore

from ingress.assembly import MOST_BYTES, Assembler
from schemas.references import digest_of, reference, value_key
from schemas.summaries import OFFLOADED, offloaded, summary
from transport.errors import StorageUnavailable
from transport.storage import Storage
from transport.values import Upload, ValueStore

TENANT = "0b9e2d6c-0000-5000-8000-0000000000aa"
RUN = "0b9e2d6c-0000-5000-8000-000000000001"
LARGE = "x" * 100_000


@pytest.fixture
def values() -> ValueStore:
    return ValueStore(Storage(MemoryStore()))


async def stored(values: ValueStore, value: Any, tenant_id: str = TENANT, size: int | None = None) -> str:
    """What a record has in the place of the value, which is in the storage."""
    content = orjson.dumps(value)
    await values.put_all([Upload(value_key(tenant_id, RUN, digest_of(content)), content)])
    shown = offloaded(summary(value, 100), RUN, digest_of(content), len(content) if size is None else size)
    return orjson.dumps(shown).decode()


def row(**documents: Any) -> dict[str, Any]:
    return {"id": "r", "tenant_id": TENANT, "status": "SUCCEEDED", **documents}


async def test_every_part_of_a_record_becomes_whole(values: ValueStore) -> None:
    parts = ("inputs", "outputs", "process_data", "trigger_data")
    given = row(**{name: await stored(values, {name: LARGE}) for name in parts}, error=None)
    other = row(inputs='{"a": 1}', outputs=None)
    await Assembler(values).assemble([given, other])
    assert {name: orjson.loads(given[name]) for name in parts} == {name: {name: LARGE} for name in parts}
    assert other == row(inputs='{"a": 1}', outputs=None)


async def test_a_value_that_is_no_object_becomes_whole(values: ValueStore) -> None:
    given = row(outputs=await stored(values, [LARGE, 1]))
    await Assembler(values).assemble([given])
    assert orjson.loads(given["outputs"]) == [LARGE, 1]


async def test_values_by_reference_in_it_are_whole_too(values: ValueStore) -> None:
    inner = orjson.dumps(LARGE)
    await values.put_all([Upload(value_key(TENANT, RUN, digest_of(inner)), inner)])
    given = row(outputs=await stored(values, {"text": reference(inner, LARGE), "n": 1}))
    await Assembler(values).assemble([given])
    assert orjson.loads(given["outputs"]) == {"text": LARGE, "n": 1}


async def test_what_is_gone_stays_a_summary(values: ValueStore, caplog: pytest.LogCaptureFixture) -> None:
    gone = orjson.dumps(offloaded({"a": "x..."}, RUN, "0" * 64, 10)).decode()
    given = row(inputs=gone, outputs=await stored(values, {"a": LARGE}))
    with caplog.at_level(logging.INFO, "ingress.assembly"):
        await Assembler(values).assemble([given])
    assert given["inputs"] == gone
    assert orjson.loads(given["outputs"]) == {"a": LARGE}
    assert any("inputs of r stays a summary" in record.getMessage() for record in caplog.records)


async def test_what_is_of_another_tenant_stays_a_summary(values: ValueStore) -> None:
    theirs = await stored(values, {"a": LARGE}, tenant_id="0b9e2d6c-0000-5000-8000-0000000000bb")
    given = row(outputs=theirs)
    await Assembler(values).assemble([given])
    assert given["outputs"] == theirs


@pytest.mark.parametrize("mark", [None, 1, {}, {"owner": "../x", "digest": "0" * 64}, {"owner": RUN}])
async def test_a_mark_that_somebody_made_up_leads_nowhere(values: ValueStore, mark: Any) -> None:
    document = orjson.dumps({OFFLOADED: mark}).decode()
    given = row(outputs=document, inputs=orjson.dumps({"a": OFFLOADED}).decode())
    before = dict(given)
    await Assembler(values).assemble([given])
    assert given == before


async def test_an_answer_is_bounded(values: ValueStore) -> None:
    half = MOST_BYTES // 2
    rows = [
        row(outputs=await stored(values, {"n": n}, size=size))
        for n, size in enumerate((half, half + 1, half, 1))
    ]
    await Assembler(values).assemble(rows)
    assert [OFFLOADED in orjson.loads(one["outputs"]) for one in rows] == [False, True, False, True]


async def test_a_storage_that_does_not_answer_is_said() -> None:
    class Away(Storage):
        async def get(self, key: str, max_bytes: int | None = None) -> bytes:
            raise StorageUnavailable("not now")

    given = row(outputs=await stored(ValueStore(Storage(MemoryStore())), {"a": LARGE}))
    with pytest.raises(StorageUnavailable):
        await Assembler(ValueStore(Away(MemoryStore()))).assemble([given])
