"""What differs from kind to kind when a trigger is configured. A further kind is a class and a line below."""

from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web
from pydantic import ValidationError

from ingress.auth import CALLER
from ingress.errors import Conflict, Unprocessable, invalid
from ingress.keys import CODEC, FEED, PRODUCER, SECRETS, SETTINGS
from ingress.sealing import MASK, masked_webhook, seal_webhook
from ingress.signatures import build_verifier
from schemas.ids import endpoint_id, entity_id, new_id, now_us
from schemas.models import AppTrigger, AppTriggerType
from schemas.triggers.schedule import ScheduleConfig, from_us, jitter_us
from schemas.triggers.webhook import WebhookConfig
from transport.producer import Send

Config = dict[str, Any]

_PREVIEWED = 5


class Desk(Protocol):
    """One kind of trigger."""

    def new_id(self, request: web.Request, config: Config) -> str:
        """Of a trigger with that config, as it was checked."""

    def check(self, request: web.Request, given: Config, before: AppTrigger | None) -> Config:
        """The config as it is stored: checked, its secrets encrypted. Raises `Unprocessable`, `Conflict`."""

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """`config` without secrets, and what else there is to show."""

    async def announce(self, request: web.Request, trigger: AppTrigger, *, removed: bool = False) -> None:
        """Tells the streams what they do not read from the definitions; twice is as good as once."""


class WebhookDesk:
    """An address that is made up, unless one is given."""

    def new_id(self, request: web.Request, config: Config) -> str:
        """A new one each time. Raises `Conflict` for an address that is taken."""
        webhook_id = config["webhook_id"]
        if next(iter(request.app[FEED].definitions.route(AppTriggerType.WEBHOOK, webhook_id)), None):
            raise Conflict(f"webhook_id {webhook_id} is taken; leave it out to get a new one")
        return new_id()

    def check(self, request: web.Request, given: Config, before: AppTrigger | None) -> Config:
        """See `Desk.check`. The mask stands for a stored secret."""
        stored = WebhookConfig.model_validate(before.config) if before else None
        given = {"webhook_id": stored.webhook_id if stored else endpoint_id(), **given}
        try:
            config = WebhookConfig.model_validate(given)
            if config.signature is not None:
                build_verifier(config.signature, [s for s in config.signature.secrets if s != MASK])
        except ValidationError as wrong:
            raise invalid(wrong, "config") from wrong
        except ValueError as wrong:
            row = {"node": None, "field": "config.signature.secrets", "why": str(wrong)}
            raise Unprocessable("a signing secret cannot be used", errors=[row]) from wrong
        if stored is not None and config.webhook_id != stored.webhook_id:
            raise Conflict("a webhook_id stays with its trigger; create another trigger for a new address")
        sealed = seal_webhook(config, stored, request.app[SECRETS], request[CALLER].tenant_id)
        return sealed.model_dump(mode="json")

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With the address that producers send to."""
        base = request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
        url = f"{base.rstrip('/')}/triggers/webhook/{trigger.index_key}"
        return {"config": masked_webhook(trigger.config), "url": url}

    async def announce(self, request: web.Request, trigger: AppTrigger, *, removed: bool = False) -> None:
        """The definitions say it all."""


class ScheduleDesk:
    """The same id for the same external id, so that creating twice is creating once."""

    def new_id(self, request: web.Request, config: Config) -> str:
        """By external id where there is one."""
        external_id = config["external_id"]
        return entity_id("schedule", request[CALLER].tenant_id, external_id) if external_id else new_id()

    def check(self, request: web.Request, given: Config, before: AppTrigger | None) -> Config:
        """See `Desk.check`. An external id stays with its schedule."""
        stored = before.config["external_id"] if before else None
        try:
            config = ScheduleConfig.model_validate({"external_id": stored, **given})
        except ValidationError as wrong:
            raise invalid(wrong, "config") from wrong
        if stored is not None and config.external_id != stored:
            raise Conflict("an external_id stays with its schedule; create another one under a new id")
        return config.model_dump(mode="json")

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With the next times, jitter included; none for a schedule that is paused or through."""
        config = ScheduleConfig.model_validate(trigger.config)
        active = trigger.status == "ACTIVE" and config.enabled
        times = config.times(now_us()) if active else iter(())
        jitter = jitter_us(trigger.id, config)
        upcoming = [from_us(at + jitter) for at, _ in zip(times, range(_PREVIEWED), strict=False)]
        return {"config": trigger.config, "next_times": upcoming}

    async def announce(self, request: web.Request, trigger: AppTrigger, *, removed: bool = False) -> None:
        """The stage of the clock keeps a row for each schedule."""
        kind = "REMOVE" if removed else "SET"
        await tell_schedule(request, trigger, kind, trigger.model_dump(mode="json"))


DESKS: Mapping[AppTriggerType, Desk] = {
    AppTriggerType.WEBHOOK: WebhookDesk(),
    AppTriggerType.SCHEDULE: ScheduleDesk(),
}


async def tell_schedule(request: web.Request, trigger: AppTrigger, kind: str, payload: Config) -> None:
    """Returns when the command is durable. Raises `SendFailed`."""
    record = {
        "schedule_id": trigger.id,
        "kind": kind,
        "tenant_id": trigger.tenant_id,
        "issued_at": now_us(),
        "payload": orjson.dumps(payload).decode(),
    }
    value = request.app[CODEC].encode("ScheduleCommand", record)
    await request.app[PRODUCER].send(Send("schedule.commands", trigger.id.encode(), value))
