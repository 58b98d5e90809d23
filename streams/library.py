"""Workflow versions compiled for the engine, each once."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from schemas.models import Workflow, WorkflowHead
from streams.engine.definition import Compiler, Definition
from streams.errors import UnknownVersion
from streams.placeholders import placeholder
from streams.run_rows import is_workflow
from transport.definitions import Definitions
from transport.recent import Recent

_MOST_BYTES = 128 * 1024 * 1024
"""Of JSON, in the nodes of compiled versions, what is the same in several once: 350 MB for versions that have
most in common, 700 MB for such as have nothing."""
_OF_ONE = 300
"""What a version weighs besides its nodes."""
_MOST_PINNED_BYTES = 8 * 1024 * 1024
"""Of the JSON of drafts that runs are pinned to: six times as much once it is open."""

Version = Workflow | WorkflowHead
"""As the definitions have it, or a workflow that they may not have, or not any more."""


class Library:
    """Finds versions in the definitions and keeps the most recently used of them compiled."""

    def __init__(
        self, definitions: Definitions, most_bytes: int = _MOST_BYTES, *, every_node_a_hop: bool = False
    ) -> None:
        """`most_bytes`: of JSON, of all versions that stay compiled; the one in use stays, however large.
        `every_node_a_hop`: see `Options`."""
        self._definitions = definitions
        self._compiler = Compiler(every_node_a_hop=every_node_a_hop)
        self._most_bytes = most_bytes
        self._compiled: Recent[tuple[WorkflowHead, str, str], Definition] = Recent(most_bytes)
        self._pinned: Recent[bytes, Workflow] = Recent(_MOST_PINNED_BYTES)

    @property
    def weight(self) -> int:
        """Of all that is compiled, as it is counted against `most_bytes`."""
        return self._compiled.weight + self._compiler.in_use

    def find(self, workflow_id: str, version: str) -> Workflow:
        """Raises `UnknownVersion`."""
        workflow = self._definitions.versions(workflow_id).get(version)
        if workflow is None:
            raise UnknownVersion(workflow_id, version)
        return workflow

    def head(self, workflow_id: str, version: str) -> WorkflowHead:
        """Of such a version, without opening it. Raises `UnknownVersion`."""
        head = self._definitions.versions(workflow_id).head(version)
        if head is None:
            raise UnknownVersion(workflow_id, version)
        return head

    def pinned(self, pinned: bytes, read: Callable[[], bytes]) -> Workflow:
        """The workflow that a run was pinned to: as JSON, or its SHA-256, for which `read` has the JSON."""
        digest = hashlib.sha256(pinned).digest() if is_workflow(pinned) else pinned
        workflow = self._pinned.get(digest)
        if workflow is None:
            found = pinned if is_workflow(pinned) else read()
            workflow = self._pinned.keep(digest, Workflow.model_validate_json(found), len(found))
        return workflow

    def compiled(self, version: Version, only: str = "", entry: str = "") -> Definition:
        """Raises `InvalidDefinition` for a graph that an earlier release let in and this one does not.

        `version`: its head where it is one of the definitions, which is opened only to be compiled. `only`:
        the id of a node that is to run alone. `entry`: that of the node that the run begins with.
        """
        key = (version if isinstance(version, WorkflowHead) else version.head, only, entry)
        definition = self._compiled.get(key)
        if definition is None:
            workflow = version if isinstance(version, Workflow) else self.find(version.id, version.version)
            definition = self._compiled.keep(key, self._compile(workflow, only, entry), _OF_ONE)
            while self.weight > self._most_bytes and self._compiled.shed():
                pass
        return definition

    def _compile(self, workflow: Workflow, only: str, entry: str) -> Definition:
        return self._compiler.compile(
            workflow.graph,
            workflow_type=workflow.type,
            environment_variables=[_without_secret(v) for v in workflow.environment_variables],
            conversation_variables=workflow.conversation_variables,
            only=only,
            entry=entry,
        )


def _without_secret(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    """A secret never gets into the engine, and so into no record and no event."""
    if variable.get("value_type") != "secret":
        return variable
    return {**variable, "value": placeholder(variable)}
