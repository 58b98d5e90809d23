"""Tools of MCP servers, against a real one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp.server.lowlevel import Server as LowLevelServer
from mcp_types import ListToolsResult, Tool

from schemas.models import DEFAULT_TENANT
from streams.executors.tools.errors import (
    ToolFileError,
    ToolRuntimeInvocationError,
    ToolRuntimeResolutionError,
    ToolSSRFError,
)
from streams.executors.tools.mcp_source import KEY
from streams.executors.tools.settings import ToolSettings
from streams.executors.tools.toolbox import ToolOutput
from tests.streams.executors.tools.mcp_server import PNG, Front, Waits, new_server, serving
from tests.streams.executors.tools.workbench import Workbench, provider, workbench


@dataclass
class Notes:
    """The server of a test."""

    front: Front
    address: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)

    @property
    def url(self) -> str:
        return f"http://{self.address}/mcp"


@pytest.fixture(params=["modern", "legacy"])
async def notes(request: pytest.FixtureRequest) -> AsyncIterator[Notes]:
    calls: list[dict[str, Any]] = []
    waits = Waits()
    app = new_server(calls, waits).streamable_http_app()
    notes = Notes(Front(app, era=request.param), calls=calls, waits=waits)
    async with serving(notes.front) as notes.address:
        yield notes


@pytest.fixture
async def bench(notes: Notes, tmp_path: Path) -> AsyncIterator[Workbench]:
    async with workbench(tmp_path, [server(notes)], [notes.address]) as bench:
        yield bench


def server(notes: Notes, credentials: dict[str, str] | None = None, **given: Any) -> Any:
    return provider("notes", credentials, **{"kind": "mcp", "url": notes.url, **given})


async def call(bench: Workbench, tool: str, **given: Any) -> ToolOutput:
    found = await bench.toolbox.find(DEFAULT_TENANT, ["notes"], tool)
    return await bench.toolbox.call(found, given, "key/1")


async def test_a_tool_is_described_and_called(bench: Workbench) -> None:
    found = await bench.toolbox.find(DEFAULT_TENANT, ["notes"], "add")
    assert found.spec.description == "Adds two numbers"
    assert list(found.spec.parameters["properties"]) == ["a", "b"]
    output = await bench.toolbox.call(found, {"a": "41"}, "key/1")
    assert (output.text, output.variables, output.files) == ("42", {"result": 42}, [])
    assert output.sent == '{"tool": "add", "arguments": {"a": 41, "b": 1}}'


async def test_a_call_carries_its_key(bench: Workbench, notes: Notes) -> None:
    output = await call(bench, "note", text="x")
    assert output.text == "noted: x"
    assert notes.calls[0]["text"] == "x"
    assert notes.calls[0]["meta"][KEY] == "key/1"


async def test_a_text_that_is_json_is_a_value(bench: Workbench) -> None:
    for said, text, values in (
        ("plain", "plain", []),
        ('{"a": 1}', "", [{"a": 1}]),
        ('[{"a": 1}, {"b": 2}]', "", [{"a": 1}, {"b": 2}]),
        ("[1, {}]", "[1, {}]", []),
        ("{not json}", "{not json}", []),
    ):
        output = await call(bench, "say", text=said)
        assert (output.text, output.json) == (text, values)


async def test_pictures_and_resources_are_files(bench: Workbench) -> None:
    output = await call(bench, "draw")
    assert output.text == "a dot"
    assert [(file["mime_type"], file["filename"]) for file in output.files] == [
        ("image/png", "file.png"), ("application/pdf", "b.pdf"),
    ]  # fmt: skip
    assert await bench.files.read_file(output.files[0], DEFAULT_TENANT) == PNG


async def test_structured_content_is_not_held_against_its_schema(bench: Workbench) -> None:
    assert (await call(bench, "shape")).variables == {"word": "a"}


async def test_what_the_server_calls_an_error_is_a_failure(bench: Workbench) -> None:
    with pytest.raises(ToolRuntimeInvocationError, match="too late"):
        await call(bench, "fail", why="too late")
    assert (await call(bench, "add", a=1)).text == "2"


async def test_a_tool_that_is_not_there_is_named_with_those_that_are(bench: Workbench) -> None:
    with pytest.raises(ToolRuntimeResolutionError, match=r"no tool 'x' \(there are: add, draw, fail, note"):
        await call(bench, "x")


async def test_a_list_of_tools_that_does_not_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.executors.tools.mcp_session._MOST_BYTES", 100_000)
    asked = []

    async def page(_: Any, params: Any) -> ListToolsResult:
        asked.append(params and params.cursor)
        number = str(len(asked))
        tool = Tool(name=number, description="x" * 20_000, input_schema={"type": "object"})
        return ListToolsResult(tools=[tool], next_cursor=number)

    endless = Notes(Front(LowLevelServer("endless", on_list_tools=page).streamable_http_app(), era="modern"))
    async with (
        serving(endless.front) as endless.address,
        workbench(tmp_path, [server(endless)], [endless.address]) as bench,
    ):
        with pytest.raises(ToolRuntimeInvocationError, match="notes: the list of its tools takes more than"):
            await call(bench, "1")
    assert asked == [None, "1", "2", "3", "4"]


async def test_one_session_serves_calls_at_the_same_time(bench: Workbench, notes: Notes) -> None:
    outputs = await asyncio.gather(*(call(bench, "add", a=i) for i in range(20)))
    assert [output.text for output in outputs] == [str(i + 1) for i in range(20)]
    assert len({headers.get("mcp-session-id") for _, headers in notes.front.requests} - {None}) <= 1


async def test_a_call_has_a_time_limit_and_the_session_goes_on(bench: Workbench, notes: Notes) -> None:
    await call(bench, "add", a=1)
    bench.add(server(notes, timeout_s=0.2))
    with pytest.raises(ToolRuntimeInvocationError, match=r"did not answer within 0\.2 s"):
        await call(bench, "wait")
    bench.add(server(notes))
    assert (await call(bench, "add", a=1)).text == "2"


async def test_a_call_that_is_given_up_leaves_the_others_alone(bench: Workbench, notes: Notes) -> None:
    given_up = asyncio.create_task(call(bench, "wait"))
    assert (await call(bench, "add", a=1)).text == "2"
    await notes.waits.begun.wait()
    given_up.cancel()
    await asyncio.wait([given_up])
    await asyncio.wait_for(notes.waits.ended.wait(), 10)  # the server is told
    outputs = await asyncio.gather(*(call(bench, "add", a=i) for i in range(5)))
    assert [output.text for output in outputs] == ["1", "2", "3", "4", "5"]
    assert len({headers.get("mcp-session-id") for _, headers in notes.front.requests} - {None}) <= 1


async def test_a_refusal_is_told_with_its_status(bench: Workbench, notes: Notes) -> None:
    notes.front.refuses = 401
    with pytest.raises(
        ToolRuntimeInvocationError, match="notes: the server answered with status 401: keep out"
    ):
        await call(bench, "add", a=1)
    notes.front.refuses = None
    assert (await call(bench, "add", a=1)).text == "2"


async def test_credentials_and_headers_are_sent(bench: Workbench, notes: Notes) -> None:
    bench.add(server(notes, {"token": "s3cret"}, auth={"type": "bearer"}, headers={"X-Tenant": "t"}))
    output = await call(bench, "say", text="my s3cret")
    assert output.text == "my ******"
    assert "s3cret" not in output.sent
    assert {headers.get("authorization") for _, headers in notes.front.requests} == {"Bearer s3cret"}
    assert {headers.get("x-tenant") for _, headers in notes.front.requests} == {"t"}


async def test_a_key_in_the_query_is_in_no_log(
    bench: Workbench, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx2", "mcp.client", "client", "aiohttp"):
        caplog.set_level(logging.DEBUG, logger=name)
    auth = {"type": "api_key", "location": "query", "name": "key"}
    bench.add(server(notes, {"api_key": "s3 cret"}, url=f"{notes.url}?site=1", auth=auth))
    assert (await call(bench, "add", a=1)).text == "2"
    notes.front.refuses = 500
    with pytest.raises(ToolRuntimeInvocationError):
        await call(bench, "add", a=1)
    assert set(notes.front.queries) == {"site=1&key=s3+cret"}
    # Logged here as well: what the server says.
    ours = [
        one for one in caplog.records if one.name.startswith(("httpx2", "mcp.client", "client", "aiohttp"))
    ]
    assert ours
    assert not [one for one in ours if "cret" in one.getMessage()]


async def test_a_private_address_is_refused(notes: Notes, tmp_path: Path) -> None:
    async with workbench(tmp_path, [server(notes)]) as bench:
        with pytest.raises(ToolSSRFError, match=f"HOPLINE_EGRESS_ALLOW={notes.address}"):
            await call(bench, "add", a=1)
    assert notes.front.requests == []


async def test_a_redirect_to_another_place_is_not_followed(bench: Workbench, notes: Notes) -> None:
    other = Front(new_server([]).streamable_http_app(), era="modern")
    async with serving(other) as address:
        notes.front.redirect = f"http://{address}/mcp"
        with pytest.raises(ToolRuntimeInvocationError):
            await call(bench, "add", a=1)
    assert other.requests == []


async def test_a_large_reply_is_refused_and_the_next_call_gets_through(bench: Workbench) -> None:
    with pytest.raises(ToolRuntimeInvocationError, match="longer than 4096"):
        await call(bench, "say", text="x" * 5000)
    with pytest.raises((ToolRuntimeInvocationError, ToolFileError)):
        await call(bench, "say", text="x" * 500_000)
    assert (await call(bench, "add", a=1)).text == "2"


async def test_a_server_that_was_away_is_connected_to_again(tmp_path: Path) -> None:
    gone = Notes(Front(new_server([]).streamable_http_app(), era="modern"))
    async with serving(gone.front) as gone.address:
        pass
    async with workbench(tmp_path, [server(gone)], ["127.0.0.1"]) as bench:
        with pytest.raises(ToolRuntimeInvocationError, match=f"notes: .*{gone.address.split(':')[1]}"):
            await call(bench, "add", a=1)
        back = Notes(Front(new_server([]).streamable_http_app(), era="modern"))
        async with serving(back.front) as back.address:
            bench.add(server(back))
            assert (await call(bench, "add", a=1)).text == "2"


@pytest.mark.parametrize("notes", ["legacy"], indirect=True)
async def test_a_session_that_the_server_has_forgotten_is_opened_again(
    bench: Workbench, notes: Notes
) -> None:
    assert (await call(bench, "add", a=1)).text == "2"
    stale = {headers.get("mcp-session-id") for _, headers in notes.front.requests} - {None}
    notes.front.forget(stale)
    assert (await call(bench, "add", a=2)).text == "3"


@pytest.mark.parametrize("notes", ["legacy"], indirect=True)
async def test_sessions_end_when_idle_and_with_the_worker(notes: Notes, tmp_path: Path) -> None:
    settings = ToolSettings(session_idle_s=0.01)
    async with workbench(tmp_path, [server(notes)], [notes.address], settings) as bench:
        await call(bench, "add", a=1)
        async with asyncio.timeout(20):
            await notes.front.ended.wait()
    async with workbench(tmp_path, [server(notes)], [notes.address]) as bench:
        await call(bench, "add", a=1)
        assert notes.front.count("DELETE") == 1
    assert notes.front.count("DELETE") == 2


async def test_the_older_transport(tmp_path: Path) -> None:
    front = Front(new_server([]).sse_app(), era="legacy")
    async with serving(front) as address:
        old = provider("notes", kind="mcp", url=f"http://{address}/sse", transport="sse")
        async with workbench(tmp_path, [old], [address]) as bench:
            assert (await call(bench, "add", a=1)).text == "2"
            assert (await call(bench, "draw")).files[0]["size"] == len(PNG)
        async with workbench(tmp_path, [old]) as bench:
            with pytest.raises(ToolSSRFError):
                await call(bench, "add", a=1)
