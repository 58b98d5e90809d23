"""The tool node: finds the tool, calls it, sorts what came back."""

from collections.abc import Mapping
from typing import Any

from streams.executors.errors import NodeExecutorError
from streams.executors.outcome import NodeCall, Outcome, failure
from streams.executors.tools.toolbox import Toolbox, ToolOutput

NO_JSON: Mapping[str, Any] = {"data": []}
"""What Dify puts into `json` where a tool gives no value."""


class ToolExecutor:
    """A `NodeExecutor`. Its config and inputs are those of `engine.nodes.tool`."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def __call__(self, call: NodeCall) -> Outcome:
        """See `NodeExecutor`."""
        metadata = {"tool_info": tool_info(call.config)}
        try:
            output = await self._call(call)
        except NodeExecutorError as error:
            return failure(error, execution_metadata=metadata)
        return Outcome(
            "succeeded",
            outputs={
                "text": output.text,
                "files": output.files,
                "json": output.json or [NO_JSON],
                **output.variables,
            },
            process_data={"request": output.sent},
            execution_metadata=metadata,
        )

    async def _call(self, call: NodeCall) -> ToolOutput:
        tool = await self._toolbox.find(call.tenant_id, names_of(call.config), call.config["tool_name"])
        return await self._toolbox.call(tool, call.inputs, call.execution_id)


def names_of(config: Mapping[str, Any]) -> list[str]:
    """What the node calls its provider."""
    return [config["provider_id"], config["provider_name"]]


def tool_info(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of `execution_metadata`: which tool it was."""
    return {name: config[name] for name in ("provider_type", "provider_id", "plugin_unique_identifier")}
