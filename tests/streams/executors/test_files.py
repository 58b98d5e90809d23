"""Files as nodes read and make them: from the storage, and from a server through the guard."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from obstore.store import MemoryStore

from streams.executors.errors import FileUnreadable
from streams.executors.files import Files, name_of
from streams.executors.settings import FileReadSettings
from transport.egress import EgressPolicy
from transport.files import FileLinks, FileStore
from transport.guarded_session import EgressGuard
from transport.storage import Storage


@dataclass
class Served:
    files: Files
    url: str


async def _answer(request: web.Request) -> web.Response:
    return web.Response(
        body=b"x" * int(request.query["size"]), status=int(request.query.get("status", "200"))
    )


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    app = web.Application()
    app.router.add_get("/a.bin", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    store = FileStore(Storage(MemoryStore()), FileLinks("s" * 32, "https://hooks.example", 60))
    port = runner.addresses[0][1]
    async with EgressGuard(EgressPolicy([f"127.0.0.1:{port}"])).session() as session:
        yield Served(Files(store, session, FileReadSettings(max_bytes=100)), f"http://127.0.0.1:{port}/a.bin")
    await runner.cleanup()


async def test_what_a_node_made_another_one_reads(served: Served) -> None:
    made = await served.files.save_file("t", b"\x89PNG", identity="exec/0", mime_type="image/png")
    assert (made["transfer_method"], made["type"], made["filename"]) == ("tool_file", "image", "file.png")
    assert await served.files.read_file(made, "t") == b"\x89PNG"
    again = await served.files.save_file("t", b"\x89PNG", identity="exec/0", mime_type="image/png")
    other = await served.files.save_file("t", b"", identity="exec/1")
    assert again["related_id"] == made["related_id"] != other["related_id"]


async def test_another_tenants_file_is_not_there(served: Served) -> None:
    made = await served.files.save_file("t", b"1", identity="exec/0", filename="a.txt")
    with pytest.raises(FileUnreadable, match=r"'a\.txt'"):
        await served.files.read_file(made, "u")


async def test_a_storage_key_in_a_value_leads_nowhere(served: Served) -> None:
    made = await served.files.save_file("t", b"1", identity="exec/0")
    forged = {**made, "related_id": "none", "storage_key": f"files/t/{made['related_id']}", "tenant_id": "t"}
    with pytest.raises(FileUnreadable):
        await served.files.read_file(forged, "u")


@pytest.mark.parametrize("key", ["remote_url", "url"])
async def test_a_remote_file_is_fetched(served: Served, key: str) -> None:
    remote = {"transfer_method": "remote_url", key: served.url + "?size=100"}
    assert await served.files.read_file(remote, "t") == b"x" * 100
    assert served.files.url_of(remote, "t") == remote[key]


@pytest.mark.parametrize(
    ("query", "why"), [("?size=101", "more than 100 bytes"), ("?size=1&status=404", "status 404")]
)
async def test_a_remote_file_that_cannot_be_had(served: Served, query: str, why: str) -> None:
    with pytest.raises(FileUnreadable, match=why):
        await served.files.read_file({"transfer_method": "remote_url", "remote_url": served.url + query}, "t")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://[", ""])
async def test_what_the_guard_refuses_is_not_fetched(served: Served, url: str) -> None:
    with pytest.raises(FileUnreadable):
        await served.files.read_file({"transfer_method": "remote_url", "remote_url": url}, "t")


async def test_a_stored_file_has_a_link_for_models(served: Served) -> None:
    made = await served.files.save_file("t", b"1", identity="exec/0")
    assert served.files.url_of(made, "t").startswith(f"https://hooks.example/files/{made['related_id']}?")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ({"filename": "a.txt"}, "a.txt"),
        ({"remote_url": "http://x/b%20c.pdf?d=1"}, "b c.pdf"),
        ({"url": "http://x/", "extension": ".csv"}, "file.csv"),
        ({}, "file"),
    ],
)
def test_names(file: dict[str, str], name: str) -> None:
    assert name_of(file) == name
