"""What people configure: apps, workflow versions, triggers, API keys. Fields are named as in Dify."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field

from schemas.ids import canonical_json, entity_id

DEFAULT_TENANT = entity_id("tenant", "default")
"""The workspace of a deployment that has only one."""

DRAFT = "draft"


def utc_now() -> datetime:
    """Aware, in UTC."""
    return datetime.now(UTC)


class AppMode(StrEnum):
    """`app.mode` of the Dify DSL, as far as it has a graph."""

    WORKFLOW = "workflow"
    ADVANCED_CHAT = "advanced-chat"


class WorkflowType(StrEnum):
    """What kind of app a workflow powers."""

    WORKFLOW = "workflow"
    CHAT = "chat"
    RAG_PIPELINE = "rag-pipeline"

    @classmethod
    def from_app_mode(cls, mode: str) -> "WorkflowType":
        """Every chat mode is `chat`, all else is `workflow`."""
        return cls.CHAT if "chat" in mode else cls.WORKFLOW


class AppTriggerType(StrEnum):
    """How an event enters. MANUAL needs no configured trigger: each published workflow can be started."""

    WEBHOOK = "WEBHOOK"
    MANUAL = "MANUAL"


class AppTriggerStatus(StrEnum):
    """PAUSED ignores events, and says so in the trigger log."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class Entity(BaseModel):
    """What every configured thing has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    tenant_id: str = DEFAULT_TENANT
    created_by: str | None = None
    created_at: datetime = Field(default_factory=utc_now)
    updated_by: str | None = None
    updated_at: datetime = Field(default_factory=utc_now)

    @property
    def key(self) -> str:
        """The message key in the compacted topic."""
        return self.id


class App(Entity):
    """Something with a name that owns one workflow."""

    name: str
    mode: AppMode
    description: str = ""
    workflow_id: str


class Workflow(Entity):
    """One version of a workflow: the draft, or a published version that never changes again."""

    VERSION_DRAFT: str = Field(default=DRAFT, exclude=True, repr=False)

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
        """The iteration or loop that the node is in, or None."""
        data = node_config.get("data", {})
        if data.get("isInIteration"):
            return "iteration", str(data["iteration_id"])
        if data.get("isInLoop"):
            return "loop", str(data["loop_id"])
        return None

    def walk_nodes(self, specific_node_type: str | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(id, data) of every node, or of those of one type."""
        for node in self.graph.get("nodes", ()):
            data = node.get("data", {})
            if specific_node_type is None or data.get("type") == specific_node_type:
                yield node["id"], data

    def user_input_form(self) -> list[Any]:
        """The variables of the start node."""
        for _, data in self.walk_nodes("start"):
            variables: list[Any] = data.get("variables", [])
            return variables
        return []

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


class SignatureConfig(BaseModel):
    """How a producer signs its requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Literal["github", "standard-webhooks"]
    """`X-Hub-Signature-256`, or `webhook-id` + `webhook-timestamp` + `webhook-signature`."""
    secrets: tuple[str, ...] = Field(min_length=1)
    """Any of them is accepted, so that a secret can be rotated. Encrypted wherever it is stored."""
    tolerance_s: int = Field(default=300, ge=1)
    """How far a signed timestamp may be from now. Standard Webhooks only."""


class WebhookResponse(BaseModel):
    """What an accepted request is answered with, instead of 202 and the trigger_id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(default=202, ge=200, le=299)
    body: Any = None
    """JSON; a string is sent as text."""


class RequiredParameters(BaseModel):
    """Names that must be there, else the request is refused with 422."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    """Dotted paths into a JSON or form body."""


class WebhookConfig(BaseModel):
    """The `config` of a WEBHOOK trigger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook_id: str = Field(min_length=16, pattern=r"^[A-Za-z0-9_-]+$")
    allowed_methods: tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"], ...] = ("POST",)
    content_types: tuple[str, ...] = ()
    """Media types that are taken, without parameters; empty takes all."""
    required: RequiredParameters = RequiredParameters()
    signature: SignatureConfig | None = None
    dedup_window_s: float | None = Field(default=None, ge=0)
    """None: 30 s for content hashes, 24 h for delivery ids. 0 switches deduplication off."""
    response: WebhookResponse | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.repository.full_name`, `headers.x-github-event`,
    `query.page`, `method`, `path`). A start variable that is not named here takes the value of that name
    from the body, else from the query."""


class AppTrigger(Entity):
    """What starts which workflow. Routed by (type, index_key), then by its own filters."""

    app_id: str
    workflow_id: str
    node_id: str = ""
    name: str = ""
    type: AppTriggerType
    config: dict[str, Any]
    """As the model of its type serialises it, with its secrets encrypted."""
    status: AppTriggerStatus = AppTriggerStatus.ACTIVE

    @property
    def index_key(self) -> str:
        """What an event must carry to be looked at by this trigger."""
        return str(self.config["webhook_id"]) if self.type is AppTriggerType.WEBHOOK else self.workflow_id


class ApiKey(Entity):
    """A bearer token of the control plane. Only its hash is kept."""

    name: str
    sha256: str
    revoked: bool = False

    @staticmethod
    def digest(token: str) -> str:
        """What is stored of a token. Tokens have 192 bits of entropy, so a plain hash is enough."""
        return hashlib.sha256(token.encode()).hexdigest()
