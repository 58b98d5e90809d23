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
    DeploymentStatus,
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
    Workflow,
    WorkflowDeployment,
    WorkflowHead,
)
from transport.addresses import Addresses
from transport.shelf import Opened, Shelf, pack
from transport.subscriptions import SUBSCRIPTION_MODELS, SubscriptionIndex
from transport.undeployed import Undeployed

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
        self.triggers: dict[str, AppTrigger] = {}
        self.api_keys: dict[str, ApiKey] = {}
        """By SHA-256 of the token."""
        self.deployments: dict[str, WorkflowDeployment] = {}
        """By workflow id."""
        self.erasures: dict[str, Erasure] = {}
        self.flow_controls: dict[str, FlowControl] = {}
        """By workflow id."""
        self.source_states: dict[str, SourceState] = {}
        """By trigger id."""
        self.subscriptions = SubscriptionIndex()
        self._none: Versions = Shelf(opened)
        self.latest: Versions = Shelf(opened)
        """Workflow id -> its latest published version."""
        self.undeployed = Undeployed()
        self._deployed: dict[str, DeployedTrigger] = {}
        self._routes: dict[tuple[str, str, str], dict[str, DeployedTrigger]] = defaultdict(dict)
        """By tenant, type and index key: no tenant can make another one's events slow."""
        self._dependents: dict[tuple[str, str], dict[str, DeployedTrigger]] = defaultdict(dict)
        """By tenant and the id of the trigger that is needed: anybody may name that of another tenant."""
        self._addresses = Addresses()
        self._hashes: dict[str, str] = {}
        self._accounts: dict[tuple[type[Provider], str], dict[str, Provider]] = defaultdict(dict)
        self._providers: dict[type[Provider], dict[str, Provider]] = {kind: {} for kind in PROVIDERS.values()}

    def versions(self, workflow_id: str) -> Versions:
        """Of that workflow, by their names; empty where there is no such workflow."""
        return self.workflows.get(workflow_id, self._none)

    def route(self, tenant_id: str, trigger_type: str, index_key: str) -> Iterable[DeployedTrigger]:
        """The triggers to look at for an event, paused ones included; constant time."""
        found = self._routes.get((tenant_id, trigger_type, index_key), {}).values()
        # More than one, and they may be claiming the same address.
        yield from found if len(found) < 2 else filter(self._addresses.is_held, found)
        if index_key:
            yield from self._routes.get((tenant_id, trigger_type, ""), {}).values()

    def deployed(self, trigger_id: str) -> DeployedTrigger | None:
        """The entry of a trigger that looks at events."""
        return self._deployed.get(trigger_id)

    def dependents(self, tenant_id: str, trigger_id: str) -> Mapping[str, DeployedTrigger]:
        """The tenant's triggers that depend on that one, by their ids."""
        return self._dependents.get((tenant_id, trigger_id), {})

    def all_deployed(self) -> Iterable[DeployedTrigger]:
        """All triggers that look at events, paused ones included."""
        return self._deployed.values()

    def at(self, trigger_type: str, address: str) -> AppTrigger | None:
        """The trigger whose endpoint that is."""
        return self._addresses.holder(trigger_type, address)

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
            self._apply_trigger(key, entity, offset)
        elif topic == DEPLOYMENTS:
            _put(self.deployments, key, entity)
        elif topic == ERASURES:
            _put(self.erasures, key, entity)
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
        versions = self.workflows[workflow_id]
        if isinstance(entity, Workflow):
            versions.put(version, pack(entity.head, body or entity.body()))
        else:
            versions.remove(version)
        published = max((v for v in versions if v != DRAFT), default=None)
        if published is None:
            self.latest.remove(workflow_id)
        else:
            self.latest.copy(workflow_id, versions, published)

    def _apply_trigger(self, key: str, entity: Entity | None, offset: int) -> None:
        # Also of one that looks at nothing: whoever shows it or deploys it relies on its config.
        found = DeployedTrigger.of(entity, offset) if isinstance(entity, AppTrigger) else None
        self.undeployed.remove(key)
        before = self._deployed.pop(key, None)
        if before is not None:
            self._withdraw(before)
        if found is not None and found.trigger.deployment_status is DeploymentStatus.DEPLOYED:
            self._deployed[key] = found
            entity = found.trigger
            self._routes[entity.tenant_id, entity.type, found.index_key][key] = found
            self._addresses.claim(found)
            for one in _needed(found):
                self._dependents[one][key] = found
        elif found is not None:
            self.undeployed.put(found)
            # Others may have its addresses meanwhile: deployed again, it comes after them.
            entity = found.trigger.model_copy(update={"claims": {}})
        _put(self.triggers, key, entity)

    def _apply_provider(self, kind: type[Provider], key: str, entity: Entity | None) -> None:
        before = self._providers[kind].get(key)
        if before is not None and before.account is not None:
            self._accounts[kind, before.account].pop(key, None)
            if not self._accounts[kind, before.account]:
                del self._accounts[kind, before.account]
        _put(self._providers[kind], key, entity)
        if isinstance(entity, Provider) and entity.account is not None:
            self._accounts[kind, entity.account][key] = entity

    def _withdraw(self, gone: DeployedTrigger) -> None:
        trigger = gone.trigger
        where = trigger.tenant_id, trigger.type, gone.index_key
        self._routes[where].pop(trigger.id, None)
        if not self._routes[where]:
            del self._routes[where]
        for one in _needed(gone):
            self._dependents[one].pop(trigger.id, None)
            if not self._dependents[one]:
                del self._dependents[one]
        self._addresses.release(gone)

    def _apply_api_key(self, key: str, entity: Entity | None) -> None:
        self.api_keys.pop(self._hashes.pop(key, ""), None)
        if isinstance(entity, ApiKey) and not entity.revoked:
            self._hashes[key] = entity.sha256
            self.api_keys[entity.sha256] = entity


def _read_workflow(body: bytes) -> Workflow:
    return Workflow.model_validate(orjson.loads(body))


def _needed(deployed: DeployedTrigger) -> Iterable[tuple[str, str]]:
    depends_on, tenant_id = deployed.settings.depends_on, deployed.trigger.tenant_id
    return ((tenant_id, one) for one in depends_on.triggers) if depends_on else ()


def _put(where: dict[str, Any], key: str, entity: Entity | None) -> None:
    if entity is None:
        where.pop(key, None)
    else:
        where[key] = entity
