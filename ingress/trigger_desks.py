"""What differs from kind to kind when a trigger is configured. Most kinds need nothing here."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from ingress.auth import CALLER
from ingress.errors import Conflict, Unprocessable, invalid
from ingress.keys import CODEC, FEED, PRODUCER, SECRETS, SETTINGS
from ingress.sealing import MASK, masked_config, seal_config
from schemas.ids import endpoint_id, entity_id, new_id, now_us
from schemas.models import AppTrigger, DeploymentStatus
from schemas.triggers.kinds import KINDS
from schemas.triggers.schedule import ScheduleConfig, from_us, jitter_us
from schemas.triggers.signatures import build_verifier
from schemas.triggers.webhook import WebhookConfig
from transport.producer import Send

Config = dict[str, Any]

_PREVIEWED = 5


class Desk:
    """A kind of trigger that is like any other: what its model says is all there is to it."""

    def new_id(self, request: web.Request, config: Config) -> str:
        """Of a trigger with that config, as it was checked. Raises `Conflict`."""
        return new_id()

    def complete(self, given: Config, stored: Config) -> Config:
        """What was given, with what the desk adds to it."""
        return given

    def check(self, request: web.Request, kind: str, given: Config, before: AppTrigger | None) -> Config:
        """The config as it is stored: checked, its secrets encrypted; the mask stands for a stored one.

        Raises `Unprocessable`, `Conflict`.
        """
        stored = before.config if before else {}
        try:
            config = KINDS[kind].model_validate(self.complete(given, stored))
        except ValidationError as wrong:
            raise invalid(wrong, "config") from wrong
        checked = config.model_dump(mode="json")
        self.hold(checked, stored)
        return seal_config(checked, stored, config.sealed, request.app[SECRETS], request[CALLER].tenant_id)

    def hold(self, config: Config, stored: Config) -> None:
        """Against what no model knows. Raises `Unprocessable`, `Conflict`."""

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """`config` without secrets, and what else there is to show."""
        return {"config": masked_config(trigger.config, trigger.settings.sealed)}

    async def announce(self, request: web.Request, trigger: AppTrigger, *, removed: bool = False) -> None:
        """Tells the streams what they do not read from the definitions; twice is as good as once."""


class WebhookDesk(Desk):
    """An address that is made up, unless one is given."""

    def new_id(self, request: web.Request, config: Config) -> str:
        """A new one each time. Raises `Conflict` for an address that is taken."""
        webhook_id = config["webhook_id"]
        if request.app[FEED].definitions.at(WebhookConfig.type, webhook_id):
            raise Conflict(f"webhook_id {webhook_id} is taken; leave it out to get a new one")
        return super().new_id(request, config)

    def complete(self, given: Config, stored: Config) -> Config:
        """With an address."""
        return {"webhook_id": stored.get("webhook_id") or endpoint_id(), **given}

    def hold(self, config: Config, stored: Config) -> None:
        """Whether the signing secrets are of their scheme, and the address is the old one."""
        signature = WebhookConfig.model_validate(config).signature
        try:
            if signature is not None:
                build_verifier(signature, [s for s in signature.secrets if s != MASK])
        except ValueError as wrong:
            row = {"node": None, "field": "config.signature.secrets", "why": str(wrong)}
            raise Unprocessable("a signing secret cannot be used", errors=[row]) from wrong
        if stored and config["webhook_id"] != stored["webhook_id"]:
            raise Conflict("a webhook_id stays with its trigger; create another trigger for a new address")

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With the address that producers send to."""
        base = request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
        url = f"{base.rstrip('/')}/triggers/webhook/{trigger.settings.address}"
        return {**super().show(request, trigger), "url": url}


class ScheduleDesk(Desk):
    """The same id for the same external id, so that creating twice is creating once."""

    def new_id(self, request: web.Request, config: Config) -> str:
        """By external id where there is one."""
        external_id = config["external_id"]
        return entity_id("schedule", request[CALLER].tenant_id, external_id) if external_id else new_id()

    def complete(self, given: Config, stored: Config) -> Config:
        """An external id stays with its schedule."""
        return {"external_id": stored.get("external_id"), **given}

    def hold(self, config: Config, stored: Config) -> None:
        """Whether it is the external id that the schedule has."""
        before = stored.get("external_id")
        if before is not None and config["external_id"] != before:
            raise Conflict("an external_id stays with its schedule; create another one under a new id")

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With the next times, jitter included; none for a schedule that is paused or through."""
        config = ScheduleConfig.model_validate(trigger.config)
        live = trigger.deployment_status is DeploymentStatus.DEPLOYED
        active = live and trigger.status == "ACTIVE" and config.enabled
        times = config.times(now_us()) if active else iter(())
        jitter = jitter_us(trigger.id, config)
        upcoming = [from_us(at + jitter) for at, _ in zip(times, range(_PREVIEWED), strict=False)]
        return {"config": trigger.config, "next_times": upcoming}

    async def announce(self, request: web.Request, trigger: AppTrigger, *, removed: bool = False) -> None:
        """The stage of the clock keeps a row for each schedule."""
        kind = "REMOVE" if removed else "SET"
        await tell_schedule(request, trigger, kind, trigger.model_dump(mode="json"))


_OWN: Mapping[str, Desk] = {WebhookConfig.type: WebhookDesk(), ScheduleConfig.type: ScheduleDesk()}
_ANY = Desk()


def desk_of(kind: str) -> Desk:
    """Of that type of trigger."""
    return _OWN.get(kind, _ANY)


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
