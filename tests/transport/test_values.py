"""Large values in the object storage."""

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.references import digest_of, reference, value_key
from transport.errors import ObjectMissing, StorageUnavailable
from transport.storage import Storage
from transport.values import Upload, ValueStore


class Shaky(Storage):
    """Refuses the first writes."""

    def __init__(self, refusals: int) -> None:
        super().__init__(MemoryStore())
        self.refusals = refusals
        self.writes = 0

    async def put(self, key: str, content: bytes, content_type: str = "") -> None:
        self.writes += 1
        if self.writes <= self.refusals:
            raise StorageUnavailable("not now")
        await super().put(key, content)


async def test_what_was_put_is_at_hand_and_elsewhere_it_is_fetched() -> None:
    storage = Storage(MemoryStore())
    one = ValueStore(storage)
    await one.put_all([Upload("values/t/o/a", b"1"), Upload("values/t/o/b", b"2")])
    assert one.cached("values/t/o/a") == b"1"
    other = ValueStore(storage)
    assert other.cached("values/t/o/a") is None
    assert await other.get("values/t/o/a") == b"1"
    assert other.cached("values/t/o/a") == b"1"
    with pytest.raises(ObjectMissing):
        await other.get("values/t/o/c")


async def test_the_same_object_is_written_once() -> None:
    storage = Shaky(0)
    values = ValueStore(storage)
    for _ in range(3):
        await values.put_all([Upload("values/t/o/a", b"1")])
    assert storage.writes == 1
    await values.put_all([Upload("values/t/o/a", b"1", anew=True)])
    assert storage.writes == 2


async def test_a_write_that_is_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.values._PAUSE_S", 0.0)
    await ValueStore(storage := Shaky(4)).put_all([Upload("values/t/o/a", b"1")])
    assert await storage.get("values/t/o/a") == b"1"
    with pytest.raises(StorageUnavailable):
        await ValueStore(Shaky(5)).put_all([Upload("values/t/o/a", b"1")])


async def test_only_so_much_is_remembered() -> None:
    values = ValueStore(Storage(MemoryStore()), cache_bytes=10)
    for name in "abc":
        await values.put_all([Upload(name, b"12345")])
    await values.put_all([Upload("large", b"x" * 11)])
    assert [values.cached(name) for name in ("a", "b", "c", "large")] == [None, b"12345", b"12345", None]
    assert await values.get("large") == b"x" * 11


async def test_references_are_resolved_within_their_owner() -> None:
    values = ValueStore(Storage(MemoryStore()))
    inner = b'"text"'
    outer = b'{"deep": %b}' % orjson.dumps(reference(inner, "text"))
    for content in (inner, outer):
        await values.put_all([Upload(value_key("t", "run", digest_of(content)), content)])
    value = {"a": reference(outer, None), "b": [reference(inner, None)], "c": 1}
    assert await values.resolve("t", "run", value) == {"a": {"deep": "text"}, "b": ["text"], "c": 1}
    for tenant, owner in (("t", "other"), ("u", "run")):
        with pytest.raises(ObjectMissing):
            await values.resolve(tenant, owner, value)
