"""Everything that is configured, indexed for the hot path: a plain value that a feed keeps up to date."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import orjson

from schemas.models import (
    DRAFT,
    ApiKey,
    App,
    AppTrigger,
    Dataset,
    DeployedTrigger,
    Entity,
    Erasure,
    ErasureStatus,
    FlowControl,
    GitHubConnection,
    ModelProvider,
    Provider,
    SandboxPolicy,
    SlackConnection,
    SourceState,
    ToolProvider,
    TriggerHead,
    Workflow,
    WorkflowDeployment,
    WorkflowHead,
)
from transport.shelf import Opened, Shelf, pack
from transport.subscriptions import SUBSCRIPTION_MODELS, SubscriptionIndex
from transport.triggers import TriggerIndex

APPS, WORKFLOWS, TRIGGERS, API_KEYS = (
    f"definitions.{kind}" for kind in ("apps", "workflows", "triggers", "api_keys")
)
DATASETS = "definitions.datasets"
DEPLOYMENTS = "definitions.deployments"
ERASURES = "definitions.erasures"
FLOW_CONTROLS = "definitions.flow_controls"
SOURCE_STATES = "definitions.source_states"

PROVIDERS: dict[str, type[Provider]] = {
    DATASETS: Dataset,
    "definitions.github_connections": GitHubConnection,
    "definitions.model_providers": ModelProvider,
    "definitions.sandbox_policies": SandboxPolicy,
    "definitions.slack_connections": SlackConnection,
    "definitions.tool_providers": ToolProvider,
}
"""Topics of what is found by its name within a tenant."""

MODELS: dict[str, type[Entity]] = {
    APPS: App,
    WORKFLOWS: Workflow,
    TRIGGERS: AppTrigger,
    API_KEYS: ApiKey,
    DEPLOYMENTS: WorkflowDeployment,
    ERASURES: Erasure,
    FLOW_CONTROLS: FlowControl,
    SOURCE_STATES: SourceState,
    **SUBSCRIPTION_MODELS,
    **PROVIDERS,
}
"""The compacted topics that are read, and what their bodies are."""

Versions = Shelf[Workflow, WorkflowHead]

_P = TypeVar("_P", bound=Provider)


class Definitions:
    """Everything configured, as of the offsets that were read. Used on the loop's thread only."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        opened = Opened(_read_workflow)
        self.workflows: dict[str, Versions] = defaultdict(lambda: Shelf(opened))
        """Workflow id -> version -> Workflow."""
        self._triggers = TriggerIndex()
        self.triggers = self._triggers.shelf
        self.api_keys: dict[str, ApiKey] = {}
        """By SHA-256 of the token."""
        self.deployments: dict[str, WorkflowDeployment] = {}
        """By workflow id."""
        self.erasures: dict[str, Erasure] = {}
        self.erased: dict[str, float] = {}
        """Tenant -> what was accepted before that is left out, see `Erasure.until_us`. None else has one."""
        self._erasures_of: dict[str, dict[str, float]] = defaultdict(dict)
        self.flow_controls: dict[str, FlowControl] = {}
        """By workflow id."""
        self.source_states: dict[str, SourceState] = {}
        """By trigger id."""
        self.subscriptions = SubscriptionIndex()
        self._none: Versions = Shelf(opened)
        self.latest: Versions = Shelf(opened)
        """Workflow id -> its latest published version."""
        self.undeployed = self._triggers.undeployed
        self._hashes: dict[str, str] = {}
        self._accounts: dict[tuple[type[Provider], str], dict[str, Provider]] = defaultdict(dict)
        self._providers: dict[type[Provider], dict[str, Provider]] = {kind: {} for kind in PROVIDERS.values()}

    def versions(self, workflow_id: str) -> Versions:
        """Of that workflow, by their names; empty where there is no such workflow."""
        return self.workflows.get(workflow_id, self._none)

    def route(self, tenant_id: str, trigger_type: str, index_key: str) -> Iterable[DeployedTrigger]:
        """The triggers to look at for an event, paused ones included; constant time."""
        return self._triggers.route(tenant_id, trigger_type, index_key)

    def deployed(self, trigger_id: str) -> DeployedTrigger | None:
        """A trigger that looks at events."""
        return self._triggers.deployed(trigger_id)

    def dependents(self, tenant_id: str, trigger_id: str) -> Mapping[str, DeployedTrigger]:
        """The tenant's triggers that depend on that one, by their ids."""
        return self._triggers.dependents(tenant_id, trigger_id)

    def triggers_of(self, workflow_id: str) -> list[AppTrigger]:
        """All that start that workflow, deployed or not; takes as long as they are many."""
        return self._triggers.of_workflow(workflow_id)

    def at(self, trigger_type: str, address: str) -> TriggerHead | None:
        """The trigger whose endpoint that is; constant time."""
        return self._triggers.at(trigger_type, address)

    def is_erased(self, tenant_id: str) -> bool:
        """Whether that is going on: nobody may do anything for the tenant until it is over."""
        going_on = ErasureStatus.RUNNING
        return any(one.tenant_id == tenant_id and one.status is going_on for one in self.erasures.values())

    def provider(self, kind: type[_P], tenant_id: str, name: str) -> _P | None:
        """The tenant's one of that name."""
        return next((one for one in self.providers(kind, tenant_id) if one.name == name), None)

    def providers(self, kind: type[_P], tenant_id: str) -> list[_P]:
        """All of the tenant, the oldest first."""
        found = [
            p for p in self._providers[kind].values() if p.tenant_id == tenant_id and isinstance(p, kind)
        ]
        return sorted(found, key=lambda one: one.created_at)

    def first_provider(self, kind: type[_P], tenant_id: str, name: str) -> _P | None:
        """Of those that were just created with that name, the first in the log: the same for every reader."""
        return next(
            (
                one
                for one in self._providers[kind].values()
                if isinstance(one, kind) and (one.tenant_id, one.name) == (tenant_id, name)
            ),
            None,
        )

    def provider_by_id(self, kind: type[_P], provider_id: str) -> _P | None:
        """Whoever's it is: for addresses that name it, of which nobody has shown yet who is calling."""
        found = self._providers[kind].get(provider_id)
        return found if isinstance(found, kind) else None

    def providers_of_account(self, kind: type[_P], account: str) -> list[_P]:
        """All tenants' with that `account`; with "" every one."""
        if not account:
            return [one for one in self._providers[kind].values() if isinstance(one, kind)]
        return [one for one in self._accounts.get((kind, account), {}).values() if isinstance(one, kind)]

    def apply(
        self, topic: str, key: str, entity: Entity | None, offset: int = 0, body: bytes | None = None
    ) -> None:
        """Puts, replaces or (None) removes one entity; `offset` is that of the record which says so, `body`
        what it says of the entity, where that is at hand.

        Raises `ValueError` for one that cannot be used; then all is as it was.
        """
        if topic == APPS:
            _put(self.apps, key, entity)
        elif topic == WORKFLOWS:
            self._apply_workflow(key, entity, body)
        elif topic == TRIGGERS:
            self._apply_trigger(key, entity, offset, body)
        elif topic == DEPLOYMENTS:
            _put(self.deployments, key, entity)
        elif topic == ERASURES:
            self._apply_erasure(key, entity)
        elif topic == FLOW_CONTROLS:
            _put(self.flow_controls, key, entity)
        elif topic == SOURCE_STATES:
            _put(self.source_states, key, entity)
        elif topic == API_KEYS:
            self._apply_api_key(key, entity)
        elif topic in SUBSCRIPTION_MODELS:
            self.subscriptions.apply(topic, key, entity)
        else:
            self._apply_provider(PROVIDERS[topic], key, entity)

    def _apply_workflow(self, key: str, entity: Entity | None, body: bytes | None) -> None:
        workflow_id, version = key.split(":", 1)
        packed = pack(entity.head, body or entity.body()) if isinstance(entity, Workflow) else None
        versions = self.workflows[workflow_id]
        if packed is not None:
            versions.put(version, packed)
        else:
            versions.remove(version)
        if not versions:
            del self.workflows[workflow_id]
        published = max((v for v in versions if v != DRAFT), default=None)
        if published is None:
            self.latest.remove(workflow_id)
        else:
            self.latest.copy(workflow_id, versions, published)

    def _apply_trigger(self, key: str, entity: Entity | None, offset: int, body: bytes | None) -> None:
        if isinstance(entity, AppTrigger):
            self._triggers.put(entity, offset, body)
        else:
            self._triggers.remove(key)

    def _apply_erasure(self, key: str, entity: Entity | None) -> None:
        _put(self.erasures, key, entity)
        if isinstance(entity, Erasure):
            own = self._erasures_of[entity.tenant_id]
            own[key] = entity.until_us
            self.erased.pop(entity.tenant_id, None)
            if until := max(own.values()):
                self.erased[entity.tenant_id] = until

    def _apply_provider(self, kind: type[Provider], key: str, entity: Entity | None) -> None:
        before = self._providers[kind].get(key)
        if before is not None and before.account is not None:
            self._accounts[kind, before.account].pop(key, None)
            if not self._accounts[kind, before.account]:
                del self._accounts[kind, before.account]
        _put(self._providers[kind], key, entity)
        if isinstance(entity, Provider) and entity.account is not None:
            self._accounts[kind, entity.account][key] = entity

    def _apply_api_key(self, key: str, entity: Entity | None) -> None:
        self.api_keys.pop(self._hashes.pop(key, ""), None)
        if isinstance(entity, ApiKey) and not entity.revoked:
            self._hashes[key] = entity.sha256
            self.api_keys[entity.sha256] = entity


def _read_workflow(body: bytes) -> Workflow:
    return Workflow.model_validate(orjson.loads(body))


def _put(where: dict[str, Any], key: str, entity: Entity | None) -> None:
    if entity is None:
        where.pop(key, None)
    else:
        where[key] = entity
