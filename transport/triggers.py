"""All triggers, found by the events that they look at."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeVar

import orjson

from schemas.models import AppTrigger, DeployedTrigger, TriggerHead
from schemas.triggers.config import TriggerConfig
from schemas.triggers.kinds import KINDS
from transport.addresses import Addresses
from transport.shelf import Opened, Shelf, pack
from transport.undeployed import Undeployed

_K = TypeVar("_K")

_MOST_OPEN_BYTES = 32 * 1024 * 1024
"""Of the JSON of triggers whose settings are open, which takes some five times as much in memory."""


class TriggerIndex:
    """Used on the loop's thread only."""

    def __init__(self) -> None:
        self.shelf: Shelf[AppTrigger, TriggerHead] = Shelf(Opened(_read))
        self.undeployed = Undeployed()
        self._settings = Opened(_read_settings, _MOST_OPEN_BYTES)
        self._routes: dict[tuple[str, str, str], dict[str, TriggerHead]] = defaultdict(dict)
        """By tenant, type and index key: no tenant can make another one's events slow."""
        self._dependents: dict[tuple[str, str], dict[str, TriggerHead]] = defaultdict(dict)
        """By tenant and the id of the trigger that is needed: anybody may name that of another tenant."""
        self._addresses = Addresses()
        self._by_workflow: dict[str, tuple[str, ...]] = {}

    def of_workflow(self, workflow_id: str) -> list[AppTrigger]:
        """See `Definitions.triggers_of`."""
        return [self.shelf[one] for one in self._by_workflow.get(workflow_id, ())]

    def route(self, tenant_id: str, trigger_type: str, index_key: str) -> Iterator[DeployedTrigger]:
        """See `Definitions.route`."""
        found = self._routes.get((tenant_id, trigger_type, index_key), {}).values()
        # More than one, and they may be claiming the same address.
        yield from map(self._opened, found if len(found) < 2 else filter(self._addresses.is_held, found))
        if index_key:
            yield from map(self._opened, self._routes.get((tenant_id, trigger_type, ""), {}).values())

    def deployed(self, trigger_id: str) -> DeployedTrigger | None:
        """See `Definitions.deployed`."""
        head = self.shelf.head(trigger_id)
        return None if head is None or not head.is_deployed else self._opened(head)

    def dependents(self, tenant_id: str, trigger_id: str) -> Mapping[str, DeployedTrigger]:
        """See `Definitions.dependents`."""
        found = self._dependents.get((tenant_id, trigger_id), {})
        return {key: self._opened(head) for key, head in found.items()}

    def at(self, trigger_type: str, address: str) -> TriggerHead | None:
        """See `Definitions.at`."""
        return self._addresses.holder(trigger_type, address)

    def put(self, trigger: AppTrigger, offset: int, body: bytes | None) -> None:
        """In place of what has its id. Raises `ValidationError` for a config that is none of its type; then
        all is as it was."""
        # Also of one that looks at nothing: whoever shows it or deploys it relies on its config.
        head = TriggerHead.of(trigger, offset)
        self.remove(head.id)
        self.shelf.put(head.id, pack(head, _claiming(head, trigger.claims, body or trigger.body())))
        self._by_workflow[head.workflow_id] = (*self._by_workflow.get(head.workflow_id, ()), head.id)
        if not head.is_deployed:
            self.undeployed.put(head)
            return
        self._routes[head.tenant_id, head.type, head.index_key][head.id] = head
        self._addresses.claim(head)
        for needed in head.needs:
            self._dependents[head.tenant_id, needed][head.id] = head

    def remove(self, trigger_id: str) -> None:
        """If it is there."""
        gone = self.shelf.head(trigger_id)
        if gone is None:
            return
        self.shelf.remove(trigger_id)
        self.undeployed.remove(trigger_id)
        self._leave_workflow(gone)
        if not gone.is_deployed:
            return
        _leave(self._routes, (gone.tenant_id, gone.type, gone.index_key), gone.id)
        for needed in gone.needs:
            _leave(self._dependents, (gone.tenant_id, needed), gone.id)
        self._addresses.release(gone)

    def _leave_workflow(self, gone: TriggerHead) -> None:
        left = tuple(one for one in self._by_workflow[gone.workflow_id] if one != gone.id)
        if left:
            self._by_workflow[gone.workflow_id] = left
        else:
            del self._by_workflow[gone.workflow_id]

    def _opened(self, head: TriggerHead) -> DeployedTrigger:
        return DeployedTrigger(head, self.shelf.read(head.id, self._settings))


def _leave(where: dict[_K, dict[str, TriggerHead]], key: _K, trigger_id: str) -> None:
    del where[key][trigger_id]
    if not where[key]:
        del where[key]


def _claiming(head: TriggerHead, claims: Mapping[str, int], body: bytes) -> bytes:
    """The body of a trigger with the claims of its head; `claims`: those that are in it."""
    noted = dict(head.claims)
    return body if noted == claims else orjson.dumps({**orjson.loads(body), "claims": noted})


def _read(body: bytes) -> AppTrigger:
    return AppTrigger.model_validate(orjson.loads(body))


def _read_settings(body: bytes) -> TriggerConfig:
    document = orjson.loads(body)
    return KINDS[document["type"]].model_validate(document["config"])
