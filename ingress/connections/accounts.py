"""Which connections may a request be for? Compiled when first asked for, and again when they change."""

import logging
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from pydantic import SecretStr

from ingress.errors import NotFound, Unavailable
from ingress.settings import IngressSettings
from schemas.models import DEFAULT_TENANT, Connection, GitHubConnection, SlackConnection
from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.accounts import Account
from schemas.triggers.signatures import GitHubVerifier, SlackVerifier, Verifier
from transport.definitions import Definitions

_log = logging.getLogger(__name__)

DEPLOYMENT: Final = "deployment"
"""Name, and id, of the connection that the operator has made by settings: the default tenant's."""

_CONFIGURATION_RETRY_S = 60
_MOST_COMPILED = 4096
"""Then all are compiled anew: those of deleted connections must go at some time."""

_C = TypeVar("_C", bound=Connection)

_VERIFIERS: dict[type[Connection], Callable[[tuple[bytes, ...]], Verifier]] = {
    GitHubConnection: GitHubVerifier,
    SlackConnection: SlackVerifier,
}


class Accounts:
    """The connections of all tenants, and those of the deployment itself. Used on the loop's thread only."""

    def __init__(
        self, definitions: Definitions, secrets: SecretBox | None, settings: IngressSettings
    ) -> None:
        self._definitions = definitions
        self._secrets = secrets
        self._compiled: dict[str, tuple[Connection, Account]] = {}
        self._own: dict[type[Connection], Connection] = {type(one): one for one in _of_settings(settings)}
        """Never stored: their credentials are in the clear."""

    def of_app(self, kind: type[Connection], app_id: str) -> list[Account]:
        """Those to that app, and the deployment's own; with "" all. One whose secrets cannot be read is left
        out: other tenants are not to suffer from it."""
        found = self.of_deployment(kind)
        for connection in self._definitions.providers_of_account(kind, app_id):
            try:
                found.append(self._account(connection))
            except SecretUnreadable as unreadable:
                _log.error("connection %s is left out: its secrets are %s", connection.id, unreadable)
        return found

    def of_deployment(self, kind: type[Connection]) -> list[Account]:
        """The deployment's own, if there is one."""
        return [self._account(self._own[kind])] if kind in self._own else []

    def named(self, kind: type[Connection], connection_id: str) -> Account:
        """The one whose address that is. Raises `NotFound`, and `Unavailable` when its secrets cannot be
        read."""
        connection = self._definitions.provider_by_id(kind, connection_id)
        if connection is None:
            raise NotFound("no connection has this address; it may have been deleted")
        try:
            return self._account(connection)
        except SecretUnreadable as unreadable:
            _log.error("connection %s refuses everything: its secrets are %s", connection.id, unreadable)
            raise Unavailable(
                "the secrets of this connection cannot be read; its operator must set HOPLINE_SECRET_KEY to "
                "the key that they were stored under, or store them again",
                _CONFIGURATION_RETRY_S,
            ) from unreadable

    def of_tenant(self, kind: type[_C], tenant_id: str) -> list[_C]:
        """What triggers of the tenant may name."""
        own = self._own.get(kind) if tenant_id == DEFAULT_TENANT else None
        found = self._definitions.providers(kind, tenant_id)
        return [*found, own] if isinstance(own, kind) else found

    def credential(self, connection: Connection, name: str) -> str:
        """In the clear; "" where there is none. Raises `SecretUnreadable`."""
        stored = connection.credentials.get(name, "")
        if not stored or connection is self._own.get(type(connection)):
            return stored
        if self._secrets is None:
            raise SecretUnreadable("HOPLINE_SECRET_KEY is not set")
        return self._secrets.decrypt(connection.tenant_id, stored)

    def _account(self, connection: Connection) -> Account:
        known = self._compiled.get(connection.id)
        # The feed replaces a connection by a new object, so that identity tells whether it has changed.
        if known is not None and known[0] is connection:
            return known[1]
        if len(self._compiled) >= _MOST_COMPILED:
            self._compiled.clear()
        secrets = (self.credential(connection, name) for name in connection.secret_names)
        verifier = _VERIFIERS[type(connection)](tuple(one.encode() for one in secrets if one))
        place = connection.team_id if isinstance(connection, SlackConnection) else ""
        account = Account(connection.tenant_id, connection.name, verifier, place)
        self._compiled[connection.id] = (connection, account)
        return account


def _of_settings(settings: IngressSettings) -> Iterator[Connection]:
    if secret := _clear(settings.github_webhook_secret):
        # An environment variable may have its line ends written out.
        key = _clear(settings.github_app_private_key).replace("\\n", "\n")
        given = {"webhook_secret": secret, "private_key": key}
        yield GitHubConnection(
            id=f"{DEPLOYMENT}/github",
            name=DEPLOYMENT,
            app_id=settings.github_app_id,
            api_url=settings.github_api_url,
            credentials=given,
        )
    if secret := _clear(settings.slack_signing_secret):
        given = {"signing_secret": secret, "bot_token": _clear(settings.slack_bot_token)}
        yield SlackConnection(
            id=f"{DEPLOYMENT}/slack", name=DEPLOYMENT, api_url=settings.slack_api_url, credentials=given
        )


def _clear(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
