"""What differs from kind to kind when a trigger is configured. Most kinds need nothing here."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from ingress.auth import CALLER
from ingress.claims import check_free
from ingress.confidants import hold_secrets
from ingress.connections.asking import entrance, with_ids, with_installation
from ingress.connections.paths import EVENTS_PATH
from ingress.errors import Conflict, Unprocessable, invalid
from ingress.keys import CODEC, FEED, PRODUCER, SECRETS, SETTINGS
from ingress.reply import compile_reply
from ingress.sealing import MASK, masked_config, seal_config
from ingress.subscriptions.places import base_url
from ingress.subscriptions.views import index_of
from schemas.codec import Codec
from schemas.ids import endpoint_id, entity_id, new_id, now_us
from schemas.models import AppTrigger, DeploymentStatus, TriggerSubscription
from schemas.models.subscription import endpoint_url
from schemas.plugins.registry import find_plugin
from schemas.triggers.cloudevents import CloudEventsConfig
from schemas.triggers.config import TriggerConfig
from schemas.triggers.email import EmailConfig
from schemas.triggers.github import GitHubConfig
from schemas.triggers.google_calendar import GoogleCalendarConfig
from schemas.triggers.kafka import KafkaConfig
from schemas.triggers.kinds import KINDS
from schemas.triggers.parameters import compile_parameters
from schemas.triggers.plugin import PluginConfig
from schemas.triggers.schedule import ScheduleConfig, from_us, jitter_us
from schemas.triggers.signatures import build_verifier
from schemas.triggers.slack import SlackConfig
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

    async def resolve(self, request: web.Request, config: Config) -> Config:
        """The checked config with what only its provider knows. Raises `Unprocessable`, and
        `ProviderUnavailable` where it cannot be asked now."""
        return config

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """`config` without secrets, and what else there is to show."""
        return {"config": masked_config(trigger.config, trigger.settings.sealed)}

    async def announce(self, request: web.Request, trigger: AppTrigger, *, removed: bool = False) -> None:
        """Tells the streams what they do not read from the definitions; twice is as good as once."""


class WebhookDesk(Desk):
    """An address that is made up, unless one is given."""

    def check(self, request: web.Request, kind: str, given: Config, before: AppTrigger | None) -> Config:
        """With addresses that nobody else has."""
        config = super().check(request, kind, given, before)
        addresses = WebhookConfig.model_validate(config).addresses
        check_free(request, kind, addresses, before.id if before else "")
        return config

    def complete(self, given: Config, stored: Config) -> Config:
        """With an address."""
        return {"webhook_id": stored.get("webhook_id") or endpoint_id(), **given}

    def hold(self, config: Config, stored: Config) -> None:
        """Whether secrets, schemas and template can be used, and the id is the old one."""
        webhook = WebhookConfig.model_validate(config)
        _hold("signature.secrets", lambda: _verifier(webhook))
        _hold("parameters", lambda: compile_parameters(webhook.required, webhook.parameters))
        _hold("response.template", lambda: compile_reply(webhook.response))
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
        """The stage of the clock keeps a row for each schedule that is deployed."""
        live = not removed and trigger.deployment_status is DeploymentStatus.DEPLOYED
        kind = "SET" if live else "REMOVE"
        await tell_schedule(request, trigger, kind, trigger.model_dump(mode="json"))


def _verifier(webhook: WebhookConfig) -> None:
    if webhook.signature is not None:
        build_verifier(webhook.signature, [s for s in webhook.signature.secrets if s != MASK])


def _hold(field: str, use: Callable[[], object]) -> None:
    """Raises `Unprocessable` for the field of a config where using it raises `ValueError`."""
    try:
        use()
    except ValueError as wrong:
        row = {"node": None, "field": f"config.{field}", "why": str(wrong)}
        raise Unprocessable(f"{field} cannot be used: {wrong}", errors=[row]) from wrong


class PluginDesk(Desk):
    """A subscription of the tenant: by id or name; without one its only one at the provider."""

    def check(self, request: web.Request, kind: str, given: Config, before: AppTrigger | None) -> Config:
        """With the subscription's id and provider; filters as its plugin has them. See `Desk.check`."""
        found = self._subscription(request, given)
        plugin = find_plugin(found.provider_id)
        if plugin is None:
            raise Conflict(f"no plugin for {found.provider_id} is installed here")
        try:
            plugin.Filters.model_validate(given.get("event_parameters") or {})
        except ValidationError as wrong:
            raise invalid(wrong, "config.event_parameters") from wrong
        complete = {**given, "subscription_id": found.id, "provider_id": found.provider_id}
        return super().check(request, kind, complete, before)

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With the endpoint of the subscription."""
        found = index_of(request).get(trigger.config["subscription_id"])
        url = endpoint_url(base_url(request), found.endpoint_id) if found else None
        return {**super().show(request, trigger), "url": url}

    def _subscription(self, request: web.Request, given: Config) -> TriggerSubscription:
        wanted, provider = str(given.get("subscription_id") or ""), str(given.get("provider_id") or "")
        index, tenant_id = index_of(request), request[CALLER].tenant_id
        known = index.of_tenant(tenant_id)
        if wanted:
            found = [one for one in known if wanted in (one.id, one.name)]
        else:
            plugin = find_plugin(provider)
            found = index.of_provider(tenant_id, plugin.provider_id) if plugin else []
        if len(found) == 1:
            return found[0]
        names = ", ".join(sorted(one.name for one in found or known)) or "none"
        why = f"names no subscription (there are: {names})"
        if not wanted:
            why = f"must name one: there are {len(found)} to {provider!r} ({names})"
        row = {"node": None, "field": "config.subscription_id", "why": why}
        raise Unprocessable("a plugin trigger needs a subscription", errors=[row])


class AskingDesk(Desk):
    """A kind whose provider is asked for what the user need not know."""

    def __init__(self, ask: Callable[[web.Request, Config], Awaitable[Config]]) -> None:
        self._ask = ask

    async def resolve(self, request: web.Request, config: Config) -> Config:
        """See `Desk.resolve`."""
        return await self._ask(request, config)

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With the address of its connection, where it looks at one."""
        path = entrance(request, trigger)
        return {**super().show(request, trigger), "url": base_url(request) + path if path else None}


class CloudEventsDesk(Desk):
    """All events of a tenant come to one address."""

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With that address."""
        return {**super().show(request, trigger), "url": base_url(request) + EVENTS_PATH}


class SourceDesk(Desk):
    """What Hopline goes to by itself, with secrets."""

    def __init__(self, kind: type[TriggerConfig], told: tuple[str, ...]) -> None:
        """`told`: the fields that say who is told the secrets."""
        self._kind = kind
        self._told = told

    def hold(self, config: Config, stored: Config) -> None:
        """Whether a stored secret would go somewhere else."""
        hold_secrets(config, stored, self._kind.sealed, self._told)

    def show(self, request: web.Request, trigger: AppTrigger) -> Mapping[str, Any]:
        """With how its watcher is doing."""
        state = request.app[FEED].definitions.source_states.get(trigger.id)
        seen = {"status": state.status, "error": state.error, "since": state.updated_at} if state else None
        return {**super().show(request, trigger), "source": seen}


_OWN: Mapping[str, Desk] = {
    EmailConfig.type: SourceDesk(EmailConfig, ("host", "port", "security", "oauth.token_url")),
    KafkaConfig.type: SourceDesk(KafkaConfig, ("bootstrap_servers", "security.protocol", "registry.url")),
    GoogleCalendarConfig.type: SourceDesk(GoogleCalendarConfig, ("api_url", "oauth.token_url")),
    GitHubConfig.type: AskingDesk(with_installation),
    SlackConfig.type: AskingDesk(with_ids),
    CloudEventsConfig.type: CloudEventsDesk(),
    WebhookConfig.type: WebhookDesk(),
    ScheduleConfig.type: ScheduleDesk(),
    PluginConfig.type: PluginDesk(),
}
_ANY = Desk()


def desk_of(kind: str) -> Desk:
    """Of that type of trigger."""
    return _OWN.get(kind, _ANY)


async def tell_schedule(request: web.Request, trigger: AppTrigger, kind: str, payload: Config) -> None:
    """Returns when the command is durable. Raises `SendFailed`."""
    await request.app[PRODUCER].send(schedule_command(request.app[CODEC], trigger, kind, payload))


def schedule_command(codec: Codec, trigger: AppTrigger, kind: str, payload: Config) -> Send:
    """The message."""
    record = {
        "schedule_id": trigger.id,
        "kind": kind,
        "tenant_id": trigger.tenant_id,
        "issued_at": now_us(),
        "payload": orjson.dumps(payload).decode(),
    }
    return Send("schedule.commands", trigger.id.encode(), codec.encode("ScheduleCommand", record))
