"""Writing a trigger that has an address of its own, which somebody else may want at the same moment."""

from aiohttp import web

from ingress.errors import Conflict
from ingress.keys import FEED, STORE
from schemas.models import AppTrigger, DeploymentStatus
from transport.definitions import TRIGGERS


def check_free(request: web.Request, trigger_type: str, addresses: tuple[str, ...], trigger_id: str) -> None:
    """Raises `Conflict` for an address that another trigger is known to have; `trigger_id` is one's own."""
    definitions = request.app[FEED].definitions
    for address in addresses:
        holder = definitions.at(trigger_type, address)
        if holder is not None and holder.id != trigger_id:
            raise Conflict(f"the address {address} is taken; choose another one, or leave it out")


async def put_claiming(request: web.Request, trigger: AppTrigger, before: AppTrigger | None) -> None:
    """Writes the trigger. Raises `Conflict` where another ingress has let one of its addresses be claimed a
    moment before: then all is as it was. Of two, exactly one succeeds."""
    store = request.app[STORE]
    await store.put(TRIGGERS, trigger)
    if trigger.deployment_status is not DeploymentStatus.DEPLOYED:
        return
    try:
        check_free(request, trigger.type, trigger.settings.addresses, trigger.id)
    except Conflict:
        if before is None:
            await store.delete(TRIGGERS, trigger.key)
        else:
            await store.put(TRIGGERS, before)
        raise
