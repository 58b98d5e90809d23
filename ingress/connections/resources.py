"""`/api/v1/github-connections` and `/api/v1/slack-connections`."""

from typing import Self

from pydantic import computed_field, model_validator

from ingress.connections.paths import GITHUB_PATH, SLACK_PATH
from ingress.errors import Conflict
from ingress.resources import ProviderBody, ProviderView, Resource
from ingress.wire import Answer
from schemas.models import GitHubConnection, Provider, SlackConnection
from schemas.models.connection import GitHubSource, SlackSource, check_credentials
from transport.definitions import Definitions

_MAX_TO_AN_APP = 20
"""Connections of a tenant to the same app: each of them is a signature to compute for every request of it."""


class GitHubConnectionBody(GitHubSource, ProviderBody):
    """A connection to be created or replaced. Credentials: `webhook_secret`, `previous_webhook_secret` while
    it is rotated, and the `private_key` of an app, in PEM, to find its installations with."""

    @model_validator(mode="after")
    def _has_its_credentials(self) -> Self:
        check_credentials(self.credentials, GitHubConnection.secret_names, GitHubConnection.other_names)
        return self


class SlackConnectionBody(SlackSource, ProviderBody):
    """A connection to be created or replaced. Credentials: `signing_secret`, `previous_signing_secret` while
    it is rotated, and a `bot_token` to find channels by their names with."""

    @model_validator(mode="after")
    def _has_its_credentials(self) -> Self:
        check_credentials(self.credentials, SlackConnection.secret_names, SlackConnection.other_names)
        return self


class GitHubConnectionView(GitHubSource, ProviderView):
    """A connection as it is shown."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def path(self) -> str:
        """Where GitHub is to deliver to."""
        return f"{GITHUB_PATH}/{self.id}"


class GitHubConnectionList(Answer):
    """The tenant's."""

    data: list[GitHubConnectionView]


class SlackConnectionView(SlackSource, ProviderView):
    """A connection as it is shown."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def path(self) -> str:
        """The request URL of events, interactivity and slash commands."""
        return f"{SLACK_PATH}/{self.id}"


class SlackConnectionList(Answer):
    """The tenant's."""

    data: list[SlackConnectionView]


def check_number(definitions: Definitions, wanted: Provider) -> None:
    """Raises `Conflict` for more connections to an app than a tenant may have."""
    if wanted.account is None:
        return
    known = definitions.providers_of_account(type(wanted), wanted.account)
    others = [one for one in known if one.tenant_id == wanted.tenant_id and one.id != wanted.id]
    if len(others) >= _MAX_TO_AN_APP:
        raise Conflict(f"there are {len(others)} connections to the app {wanted.account} already")


OPERATIONS = (
    *Resource(
        topic="definitions.github_connections",
        entity=GitHubConnection,
        body=GitHubConnectionBody,
        view=GitHubConnectionView,
        listing=GitHubConnectionList,
        path="/api/v1/github-connections",
        tag="github-connections",
        check=check_number,
        told=lambda connection: (connection.api_url,),
    ).operations(),
    *Resource(
        topic="definitions.slack_connections",
        entity=SlackConnection,
        body=SlackConnectionBody,
        view=SlackConnectionView,
        listing=SlackConnectionList,
        path="/api/v1/slack-connections",
        tag="slack-connections",
        check=check_number,
        told=lambda connection: (connection.api_url,),
    ).operations(),
)
