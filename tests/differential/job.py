"""What both engines are given, and what both give back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.models import WorkflowType
from tests.graphs import Json
from tests.streams.engine.harness import NOW

CHAT = {"query": "", "conversation_id": "", "dialogue_count": 1}


@dataclass(frozen=True, slots=True)
class Job:
    """A graph and the world that it runs in."""

    graph: Json
    inputs: Mapping[str, Any] = field(default_factory=dict)
    type: WorkflowType = WorkflowType.WORKFLOW
    query: str = ""
    """What the user of a chat says."""
    environment: Sequence[Json] = ()
    """{name, value_type, value}, as in the DSL."""
    conversation: Sequence[Json] = ()
    models: Mapping[str, Json] = field(default_factory=dict)
    """Model name -> reply: `text`, in which `{last}` stands for the last message; `tool_calls`; `error`."""
    tools: Mapping[str, Json] = field(default_factory=dict)
    """Tool name -> `parameters` ({name: JSON schema}), `required` (names), and the reply to a call: `body` (a
    text), `type` (a MIME type), `status`."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """Node id of a human-input node -> `action` and `inputs`; `{}` if nobody answers in time."""

    @property
    def system(self) -> Json:
        """The variables of `sys`, as Hopline's engine sets them for the harness's start command."""
        chat = {**CHAT, "query": self.query} if self.type is WorkflowType.CHAT else {}
        here = {"app_id": "app", "workflow_id": "workflow", "workflow_run_id": "run"}
        return {"user_id": "", "files": [], **chat, **here, "timestamp": NOW // 1_000_000}

    def for_peer(self) -> Json:
        """The line of JSON that `peer/runner.py` reads."""
        return {
            "graph": self.graph,
            "inputs": dict(self.inputs),
            "system": self.system,
            "environment": list(self.environment),
            "conversation": list(self.conversation),
            "models": dict(self.models),
            "tools": dict(self.tools),
            "answers": dict(self.answers),
        }


@dataclass(frozen=True, slots=True)
class Node:
    """One execution of one node: one attempt, in one round of its container."""

    id: str
    round: Sequence[int | None]
    """Of the iteration and of the loop that it is in."""
    status: str
    inputs: Any
    outputs: Any
    process: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """A run that has ended."""

    status: str
    error: str | None
    outputs: Json
    order: Sequence[str]
    """Node ids as they start."""
    nodes: Sequence[Node]
    """As they end."""
    asked: Sequence[Json] = ()
    """Requests to models: {model, messages}."""
    called: Sequence[Json] = ()
    """Calls of tools: {tool, arguments}."""
