"""The code node as the engine calls it."""

from typing import Any

import pytest

from schemas.models import SandboxPolicy
from streams.executors.catalog import Catalog
from streams.executors.code import CodeExecutor
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.sandbox.proxy import EgressProxy
from streams.executors.sandbox.sandboxes import Sandboxes
from streams.executors.sandbox.scripts import Ran, Sandbox
from streams.executors.settings import OutputLimits
from transport.definitions import Definitions
from transport.egress import EgressPolicy

pytestmark = pytest.mark.asyncio(loop_scope="module")

# As Dify exports it.
NODE: dict[str, Any] = {
    "type": "code",
    "title": "Code",
    "variables": [
        {"variable": "arg1", "value_selector": ["start", "first"]},
        {"variable": "arg2", "value_selector": ["start", "second"]},
    ],
    "code_language": "python3",
    "code": "\ndef main(arg1: str, arg2: str):\n    return {\n        'result': arg1 + arg2,\n    }\n",
    "outputs": {"result": {"type": "string", "children": None}},
}


async def execute(sandbox: Sandbox, inputs: dict[str, Any], **config: Any) -> Outcome:
    sandboxes = Sandboxes(sandbox, None, EgressProxy(EgressPolicy(())))
    executor = CodeExecutor(sandboxes, Catalog(Definitions(), None), OutputLimits())
    config = {**NODE, **config}
    return await executor(NodeCall(node_type="code", config=config, inputs=inputs, execution_id="e"))


async def test_the_template_that_dify_starts_with(shared_sandbox: Sandbox) -> None:
    outcome = await execute(shared_sandbox, {"arg1": "a", "arg2": "b"})
    assert outcome == Outcome("succeeded", outputs={"result": "ab"})


async def test_the_template_in_javascript(shared_sandbox: Sandbox) -> None:
    code = "\nfunction main({arg1, arg2}) {\n    return {\n        result: arg1 + arg2\n    }\n}\n"
    outcome = await execute(shared_sandbox, {"arg1": "a", "arg2": "b"}, code=code, code_language="javascript")
    assert outcome == Outcome("succeeded", outputs={"result": "ab"})


async def test_the_result_of_javascript_is_held_against_the_same_types(shared_sandbox: Sandbox) -> None:
    code = "function main() { return {result: undefined} }"
    outcome = await execute(shared_sandbox, {}, code=code, code_language="javascript")
    assert outcome.error == "Output result is missing."


async def test_prints_go_to_the_process_data(shared_sandbox: Sandbox) -> None:
    outcome = await execute(shared_sandbox, {}, code="def main():\n  print('seen')\n  return {'result': 'x'}")
    assert outcome.process_data == {"stdout": "seen\n"}


async def test_an_exception_fails_the_node(shared_sandbox: Sandbox) -> None:
    outcome = await execute(shared_sandbox, {"arg1": 1, "arg2": "b"})
    assert outcome.status == "failed"
    assert outcome.error == "TypeError: unsupported operand type(s) for +: 'int' and 'str' (line 4)"
    assert outcome.error_type == "CodeExecutionError"
    assert "line 4, in main" in outcome.process_data["traceback"]


async def test_an_output_that_is_not_as_declared_fails_the_node(shared_sandbox: Sandbox) -> None:
    outcome = await execute(shared_sandbox, {}, code="def main(): return {'result': 1}")
    assert (outcome.status, outcome.error_type) == ("failed", "OutputValidationError")
    assert outcome.error == "Output result must be a string, got int instead."
    assert outcome.outputs == {}


async def test_a_language_without_a_runtime_fails_the_node(shared_sandbox: Sandbox) -> None:
    outcome = await execute(shared_sandbox, {}, code_language="ruby")
    assert outcome.error == "Unsupported code language: ruby"
    assert outcome.error_type == "CodeNodeError"


@pytest.mark.parametrize(
    ("tenant_id", "name", "wanted", "network"),
    [("t", "default", True, True), ("t", "default", False, False), ("other", "default", True, False)],
)
async def test_the_tenant_says_whether_there_is_a_network(
    tenant_id: str, name: str, wanted: bool, network: bool
) -> None:
    asked = []

    class Recording(Sandboxes):
        async def run(self, *args: Any, network: bool = False) -> Ran:
            asked.append(network)
            return Ran(result={})

    definitions = Definitions()
    policy = SandboxPolicy(id="p", tenant_id=tenant_id, name=name, network=wanted)
    definitions.apply("definitions.sandbox_policies", "p", policy)
    sandboxes = Recording.__new__(Recording)
    executor = CodeExecutor(sandboxes, Catalog(definitions, None), OutputLimits())
    config = {**NODE, "outputs": {}}
    await executor(NodeCall(node_type="code", config=config, inputs={}, execution_id="e", tenant_id="t"))
    assert asked == [network]
