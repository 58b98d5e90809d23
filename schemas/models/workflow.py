"""Versions of workflows. Fields and methods are named as in Dify."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import Field, computed_field

from schemas.graph import TRIGGERS
from schemas.ids import canonical_json
from schemas.models.entity import Entity
from schemas.models.workflow_head import WorkflowHead, WorkflowType
from schemas.sharing import same

DRAFT = "draft"

_START = "start"
_ENTRIES = TRIGGERS | {_START}


class Workflow(Entity):
    """One version of a workflow: the draft, or a published version that never changes again."""

    VERSION_DRAFT: ClassVar[str] = DRAFT

    app_id: str
    type: WorkflowType
    version: str
    graph: dict[str, Any]
    features: dict[str, Any] = Field(default_factory=dict)
    environment_variables: list[dict[str, Any]] = Field(default_factory=list)
    conversation_variables: list[dict[str, Any]] = Field(default_factory=list)
    rag_pipeline_variables: list[dict[str, Any]] = Field(default_factory=list)
    marked_name: str = ""
    marked_comment: str = ""

    @property
    def key(self) -> str:
        """A version is an entity of its own."""
        return f"{self.id}:{self.version}"

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def graph_hash(self) -> str:
        """SHA-256 of the graph: what a run's snapshot refers to."""
        return hashlib.sha256(canonical_json(self.graph)).hexdigest()

    @property
    def head(self) -> WorkflowHead:
        """What is known of it without its graph."""
        entries, inputs = _beginning(self.graph)
        return WorkflowHead(
            id=same(self.id),
            tenant_id=same(self.tenant_id),
            app_id=same(self.app_id),
            type=self.type,
            version=self.version,
            updated_at=self.updated_at,
            entries=same(entries),
            inputs=same(inputs),
            secret_variables=self.secret_variables,
        )

    @cached_property
    def start_variables(self) -> list[Any]:
        """Of the form of the start node; none where there is no such node."""
        return next((data.get("variables", []) for _, data in self.walk_nodes("start")), [])

    @cached_property
    def secret_variables(self) -> tuple[Mapping[str, Any], ...]:
        """Of the environment; the value of each is encrypted."""
        return tuple(one for one in self.environment_variables if one.get("value_type") == "secret")

    @property
    def graph_dict(self) -> Mapping[str, Any]:
        """Nodes and edges."""
        return self.graph

    @staticmethod
    def version_from_datetime(at: datetime) -> str:
        """The version string of a publication. Microseconds, so that two within a second differ."""
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def get_node_config_by_id(self, node_id: str) -> Mapping[str, Any]:
        """The node with its visual properties. Raises `KeyError` for an unknown id."""
        for node in self.graph.get("nodes", ()):
            if node.get("id") == node_id:
                found: Mapping[str, Any] = node
                return found
        raise KeyError(f"no node {node_id!r} in workflow {self.id} {self.version}")

    @staticmethod
    def get_node_type_from_node_config(node_config: Mapping[str, Any]) -> str:
        """The execution type, not the visual one."""
        return str(node_config["data"]["type"])

    @staticmethod
    def get_enclosing_node_type_and_id(node_config: Mapping[str, Any]) -> tuple[str, str] | None:
        """The iteration or loop that the node is in, or None; of one in both, the loop (Dify).

        As the marks of the editor say, which are in the data or beside it.
        """
        for kind, mark in (("loop", "isInLoop"), ("iteration", "isInIteration")):
            for marked in (node_config.get("data", {}), node_config):
                owner = marked.get(f"{kind}_id") or node_config.get("parentId")
                if marked.get(mark) and owner:
                    return kind, str(owner)
        return None

    def walk_nodes(self, specific_node_type: str | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(id, data) of every node, or of those of one type."""
        for node in self.graph.get("nodes", ()):
            data = node.get("data", {})
            if specific_node_type is None or data.get("type") == specific_node_type:
                yield node["id"], data

    def user_input_form(self, *, to_old_structure: bool = False) -> list[Any]:
        """The variables of the start node; in the old structure each is an object under its type."""
        if to_old_structure:
            return [{one["type"]: one} for one in self.start_variables]
        return self.start_variables

    def rag_pipeline_user_input_form(self) -> list[Any]:
        """The variables of a RAG pipeline."""
        return self.rag_pipeline_variables

    def published(self, at: datetime, by: str | None, name: str = "", comment: str = "") -> Self:
        """An immutable version of this draft."""
        version = self.version_from_datetime(at)
        return self.model_copy(
            update={
                "version": version,
                "marked_name": name,
                "marked_comment": comment,
                "created_at": at,
                "created_by": by,
                "updated_at": at,
                "updated_by": by,
            }
        )


def _beginning(graph: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """See `WorkflowHead.entries` and `inputs`. Of any graph: one that nothing can be made of is to be found,
    too, and mended."""
    entries: list[tuple[str, str]] = []
    form: Any = None
    for node in graph.get("nodes") or ():
        data = node.get("data") if isinstance(node, Mapping) else None
        if not isinstance(data, Mapping) or (kind := str(data.get("type"))) not in _ENTRIES:
            continue
        entries.append((str(node.get("id", "")), kind))
        if kind == _START and form is None:
            form = data.get("variables") or ()
    names = (str(one.get("variable", "")) for one in form or () if isinstance(one, Mapping))
    return tuple(entries), tuple(names)
