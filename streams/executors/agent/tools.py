"""The tools of one agent: what its model is told of them, and calling them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.executors.errors import NodeExecutorError
from streams.executors.models.messages import Tool as Described
from streams.executors.tools.toolbox import Tool, Toolbox, ToolOutput

Json = Mapping[str, Any]

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class AgentTool:
    """A tool, and what the model has no say in."""

    tool: Tool
    described: Described
    fixed: Json


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of one call, for the model to read. A failure is an observation, too."""

    text: str
    arguments: Json
    provider: str
    error: str | None = None
    files: Sequence[dict[str, Any]] = field(default_factory=tuple)


class AgentTools:
    """Used by one execution of one agent node. Its methods may be called concurrently."""

    def __init__(self, toolbox: Toolbox, tools: Iterable[AgentTool], max_chars: int) -> None:
        self._toolbox = toolbox
        self._by_name = {tool.described.name: tool for tool in tools}
        self._max_chars = max_chars

    @property
    def described(self) -> tuple[Described, ...]:
        """What the model is told."""
        return tuple(tool.described for tool in self._by_name.values())

    def provider_of(self, name: str) -> str:
        """Empty for a tool that there is not."""
        tool = self._by_name.get(name)
        return tool.tool.provider.name if tool else ""

    async def call(self, name: str, arguments: Json, key: str) -> Observation:
        """Never raises for what the tool or the model did wrong: the model is told, and may mend it."""
        tool = self._by_name.get(name)
        if tool is None:
            known = ", ".join(self._by_name) or "none"
            error = f"there is no tool {name!r}; the tools are: {known}"
            return Observation(error, arguments, "", error)
        given = {**arguments, **tool.fixed}
        try:
            output = await self._toolbox.call(tool.tool, given, key)
        except NodeExecutorError as failed:
            error = f"the tool failed: {failed}"
            return Observation(self._cut(error), given, tool.tool.provider.name, error)
        return Observation(self._cut(_told(output)), given, tool.tool.provider.name, files=output.files)

    def _cut(self, text: str) -> str:
        if len(text) <= self._max_chars:
            return text
        return f"{text[: self._max_chars]}\n[cut off: {len(text)} characters in all]"


async def bind_tools(
    toolbox: Toolbox, wanted: Iterable[Json], tenant_id: str, more: Iterable[Tool], max_chars: int
) -> AgentTools:
    """`wanted`: as `engine.nodes.agent` describes them; `more`: what comes besides, all of it the model's to
    fill in. Raises `NodeExecutorError` for a missing one."""
    bound: list[AgentTool] = []
    for one in wanted:
        name = str(one["tool_name"])
        tool = await toolbox.find(tenant_id, [one["provider_name"], one["provider_id"]], name)
        fixed = {key: value for key, value in one["parameters"].items() if value != ""}
        bound.append(_bound(tool, bound, one["description"], fixed))
    for tool in more:
        bound.append(_bound(tool, bound, "", {}))
    return AgentTools(toolbox, bound, max_chars)


def _bound(tool: Tool, others: Iterable[AgentTool], description: str, fixed: Json) -> AgentTool:
    name = _unique(tool.spec.name, {other.described.name for other in others})
    schema = _open_to_the_model(tool.spec.parameters, fixed)
    return AgentTool(tool, Described(name, description or tool.spec.description, schema), fixed)


def _open_to_the_model(schema: Json, fixed: Json) -> dict[str, Any]:
    """Without what has been set in the editor."""
    properties = schema.get("properties") or {}
    return {
        **schema,
        "type": "object",
        "properties": {name: one for name, one in properties.items() if name not in fixed},
        "required": [name for name in schema.get("required") or () if name not in fixed],
    }


def _unique(name: str, taken: set[str]) -> str:
    """Models take only simple names, and each once."""
    base = _UNFIT.sub("_", name)[:_MAX_NAME_CHARS] or "tool"
    found, count = base, 2
    while found in taken:
        ending = f"_{count}"
        found, count = base[: _MAX_NAME_CHARS - len(ending)] + ending, count + 1
    return found


def _told(output: ToolOutput) -> str:
    parts = [output.text] if output.text.strip() else []
    # HTTP APIs give their JSON as a text as well, MCP servers their structured content.
    parts += [_text(value) for value in output.json if not parts or not _is_same(parts[0], value)]
    if output.variables and not parts:
        parts.append(_text(output.variables))
    if output.files:
        names = ", ".join(str(file.get("filename")) for file in output.files)
        parts.append(f"[files, which the user gets with the answer: {names}]")
    return "\n".join(parts) or "[the tool succeeded and gave nothing]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_same(text: str, value: Any) -> bool:
    try:
        return bool(json.loads(text) == value)
    except ValueError:
        return False
