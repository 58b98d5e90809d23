"""Why a tool was not called, or gave nothing, by Dify's names.

ToolNodeError
├── ToolRuntimeResolutionError   the provider has no such tool, or does not say what it has
├── ToolRuntimeInvocationError   it was called, and failed
├── ToolParameterError           an argument is missing, or is not what the tool takes
├── ToolFileError                a file for it or from it
└── ToolSSRFError                the egress policy refuses its address
"""

from collections.abc import Iterable
from typing import Self

from streams.executors.errors import NodeExecutorError


class ToolNodeError(NodeExecutorError):
    """The node fails with this text; the class name is its error type."""


class ToolRuntimeResolutionError(ToolNodeError):
    """There is a provider, but no such tool."""

    @classmethod
    def no_such_tool(cls, provider: str, tool: str, known: Iterable[str]) -> Self:
        """Names those that there are."""
        names = ", ".join(sorted(known)) or "none"
        return cls(f"tool provider {provider!r} has no tool {tool!r} (there are: {names})")


class ToolRuntimeInvocationError(ToolNodeError):
    """The far side failed, or was not reached."""


class ToolParameterError(ToolNodeError):
    """What the node gives does not fit the tool."""


class ToolFileError(ToolNodeError):
    """A file can not be had, kept, or is too large."""


class ToolSSRFError(ToolNodeError):
    """An address that nodes may not connect to."""
