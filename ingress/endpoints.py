"""The endpoints of this process, compiled when they are first asked for and again when they change."""

import logging

from ingress.endpoint import Endpoint, compile_endpoint
from ingress.errors import NotFound, Unavailable
from ingress.limits import Limits
from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.webhook import WebhookConfig
from transport.definitions import Definitions

_log = logging.getLogger(__name__)

_CONFIGURATION_RETRY_S = 60
_SLACK = 64
"""How many endpoints of deleted triggers may stay until the next clearing."""


class Endpoints:
    """A cache keyed by trigger, checked against the definitions at each look-up: constant time."""

    def __init__(self, definitions: Definitions, secrets: SecretBox | None, limits: Limits) -> None:
        self._definitions = definitions
        self._secrets = secrets
        self._limits = limits
        self._compiled: dict[str, Endpoint] = {}

    def find(self, address: str) -> Endpoint:
        """By webhook_id or webhook_path. Raises `NotFound`, and `Unavailable` when the trigger's secrets
        cannot be read."""
        head = self._definitions.at(WebhookConfig.type, address)
        if head is None:
            raise NotFound("no webhook has this address; it may have been deleted")
        found = self._compiled.get(head.id)
        # The feed replaces a trigger by a new object, so that identity tells whether it has changed.
        if found is not None and found.trigger is head:
            return found
        self._forget_deleted()
        try:
            config = WebhookConfig.model_validate(self._definitions.triggers[head.id].config)
            found = self._compiled[head.id] = compile_endpoint(head, config, self._secrets, self._limits)
        except SecretUnreadable as unreadable:
            _log.error("trigger %s refuses everything: its secrets are %s", head.id, unreadable)
            raise Unavailable(
                "the secrets of this webhook cannot be read; its operator must set HOPLINE_SECRET_KEY to the "
                "key that they were stored under, or store them again",
                _CONFIGURATION_RETRY_S,
            ) from unreadable
        return found

    def _forget_deleted(self) -> None:
        if len(self._compiled) > len(self._definitions.triggers) + _SLACK:
            alive = self._definitions.triggers
            self._compiled = {k: e for k, e in self._compiled.items() if e.trigger.id in alive}
