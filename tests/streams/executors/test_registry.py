"""The composition of the executors."""

from typing import Any

import pytest
from obstore.store import MemoryStore
from pydantic import ValidationError

from streams.engine.nodes import TASKS
from streams.executors.catalog import Catalog
from streams.executors.outcome import NodeCall
from streams.executors.registry import build_executors
from streams.executors.settings import EgressSettings, ExecutorSettings, SandboxSettings
from transport.definitions import Definitions
from transport.files import FileLinks, FileStore
from transport.storage import Storage

SETTINGS = ExecutorSettings(
    sandbox=SandboxSettings(pool_size=1), egress=EgressSettings(allow=("127.0.0.1:1",))
)

CATALOG = Catalog(Definitions(), None)
FILES = FileStore(Storage(MemoryStore()), FileLinks("", "", 60))


def call(node_type: str, config: dict[str, Any], inputs: dict[str, Any]) -> NodeCall:
    return NodeCall(node_type=node_type, config=config, inputs=inputs, execution_id="id")


async def test_executes_by_node_type() -> None:
    async with build_executors(SETTINGS, CATALOG, FILES) as executors:
        assert executors.node_types == TASKS.keys(), "an executor for every task of the engine"
        node = {
            "code_language": "python3",
            "code": "def main(x): return {'y': x}",
            "outputs": {"y": {"type": "number"}},
        }
        outcome = await executors.execute(call("code", node, {"x": 2}))
        assert outcome.outputs == {"y": 2}
        outcome = await executors.execute(call("http-request", {"url": "http://127.0.0.1:2"}, {}))
        assert outcome.error_type == "ToolSSRFError"
        assert "resource-limits" in executors.capabilities().active


async def test_an_unknown_type_is_named() -> None:
    async with build_executors(SETTINGS, CATALOG, FILES) as executors:
        outcome = await executors.execute(call("no-such", {}, {}))
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.startswith("No executor for nodes of type 'no-such' (there are: agent, code, ")


async def test_a_bad_allow_list_is_refused_at_the_start() -> None:
    bad = SETTINGS.model_copy(update={"egress": EgressSettings(allow=("http://x",))})
    with pytest.raises(ValueError, match="HOPLINE_EGRESS_ALLOW: 'http://x'"):
        async with build_executors(bad, CATALOG, FILES):
            pass


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_EGRESS_ALLOW", "localhost:8080, 10.0.0.0/8")
    monkeypatch.setenv("HOPLINE_SANDBOX_WITHOUT", "seccomp")
    monkeypatch.setenv("HOPLINE_SANDBOX_TIMEOUT_S", "3")
    monkeypatch.setenv("HOPLINE_SANDBOX_OUTPUT_MAX_STRING_LENGTH", "7")
    monkeypatch.setenv("HOPLINE_SANDBOX_OUTPUT_MAX_NUMBER", "9007199254740993")
    monkeypatch.setenv("HOPLINE_HTTP_MAX_TEXT_BYTES", "9")
    settings = ExecutorSettings()
    assert settings.egress.allow == ("localhost:8080", "10.0.0.0/8")
    assert settings.sandbox.without == ("seccomp",)
    assert settings.sandbox.timeout_s == 3
    assert settings.sandbox.output.max_string_length == 7
    assert settings.sandbox.output.max_number == 9007199254740993
    assert settings.http.max_text_bytes == 9
    monkeypatch.setenv("HOPLINE_SANDBOX_WITHOUT", "everything")
    with pytest.raises(ValidationError):
        ExecutorSettings()
