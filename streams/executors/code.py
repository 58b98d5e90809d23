"""The code node: a script in the sandbox, its result held against the declared outputs."""

from collections.abc import Mapping
from typing import Any

from schemas.models.sandbox_policy import DEFAULT_POLICY, SandboxPolicy
from streams.executors.catalog import Catalog
from streams.executors.code_outputs import CodeNodeError, check_outputs
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.sandbox.sandboxes import Sandboxes
from streams.executors.sandbox.scripts import Ran
from streams.executors.settings import OutputLimits


class CodeExecutor:
    """A `NodeExecutor`. Raises `SandboxUnavailable` when this machine can not run scripts now."""

    def __init__(self, sandboxes: Sandboxes, catalog: Catalog, limits: OutputLimits) -> None:
        self._sandboxes = sandboxes
        self._catalog = catalog
        self._limits = limits

    async def __call__(self, call: NodeCall) -> Outcome:
        """`config` has `code_language`, `code` and `outputs`; `inputs` are the arguments of `main`."""
        config, inputs = call.config, call.inputs
        language = config.get("code_language")
        if language not in ("python3", "javascript"):
            return _failed(f"Unsupported code language: {language}", "CodeNodeError")
        ran = await self._sandboxes.run(
            str(config.get("code", "")), inputs, language, network=self._may_connect(call.tenant_id)
        )
        if ran.error is not None:
            return _failed(ran.error, "CodeExecutionError", _process_data(ran))
        return self._succeeded(ran, config)

    def _may_connect(self, tenant_id: str) -> bool:
        policies = self._catalog.all_of(SandboxPolicy, tenant_id)
        return any(policy.network for policy in policies if policy.name == DEFAULT_POLICY)

    def _succeeded(self, ran: Ran, config: Mapping[str, Any]) -> Outcome:
        if not isinstance(ran.result, dict):
            return _failed("the result of main is no object", "CodeExecutionError", _process_data(ran))
        try:
            outputs = check_outputs(ran.result, config.get("outputs") or {}, self._limits)
        except CodeNodeError as error:
            return _failed(str(error), type(error).__name__, _process_data(ran))
        return Outcome("succeeded", outputs=outputs, process_data=_process_data(ran))


def _process_data(ran: Ran) -> dict[str, Any]:
    """What there is of the printed text and the traceback."""
    found = {"stdout": ran.printed, "traceback": ran.traceback}
    return {name: text for name, text in found.items() if text}


def _failed(error: str, error_type: str, process_data: dict[str, Any] | None = None) -> Outcome:
    return Outcome("failed", error=error, error_type=error_type, process_data=process_data or {})
