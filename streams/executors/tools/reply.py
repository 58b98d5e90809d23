"""What tools take and give, whatever kind of provider they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from schemas.models import ToolProvider
from transport.masking import Secrets, concealed, concealed_file

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a provider says about one of its tools."""

    name: str
    description: str
    parameters: Json
    """JSON Schema of an object."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file as it came."""

    content: bytes
    mime_type: str
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class ToolReply:
    """What came back, sorted as Dify sorts it."""

    text: str = ""
    json: tuple[Any, ...] = ()
    blobs: tuple[Blob, ...] = ()
    variables: Json = field(default_factory=dict)
    sent: str = ""
    """The call, for the reader of the run."""

    def without(self, hide: Secrets | None) -> "ToolReply":
        """The same with every secret masked."""
        return ToolReply(
            concealed(self.text, hide),
            concealed(self.json, hide),
            tuple(replace(blob, content=concealed_file(blob.content, hide)) for blob in self.blobs),
            concealed(self.variables, hide),
            concealed(self.sent, hide),
        )


class ToolSource(Protocol):
    """One kind of provider. Both methods raise `ToolNodeError`; what they say may hold secrets."""

    async def find(self, provider: ToolProvider, credentials: Mapping[str, str], tool: str) -> ToolSpec:
        """The tool of that name. Raises `ToolRuntimeResolutionError` where there is none."""

    async def all_of(self, provider: ToolProvider, credentials: Mapping[str, str]) -> Sequence[ToolSpec]:
        """Every tool that there is."""

    async def call(self, call: "ToolCall") -> ToolReply:
        """One call, within the provider's time limit."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool that is there, with arguments that fit it."""

    provider: ToolProvider
    credentials: Mapping[str, str]
    tool: str
    arguments: Json
    key: str
    """The same when the call is made again after a crash: what peers recognise it by."""
    tenant_id: str
