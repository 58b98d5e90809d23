"""Connections to providers that send events for a whole app: what proves them, and how to ask back."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.models.provider import Provider

GITHUB_API = "https://api.github.com"
SLACK_API = "https://slack.com/api"


def _http_url(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("must be like https://github.example.com/api/v3")
    return given.rstrip("/")


ApiUrl = Annotated[str, AfterValidator(_http_url)]


class GitHubSource(BaseModel):
    """What there is to say of a GitHub App, or of a webhook of a repository or an organisation."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    app_id: Annotated[str, Field(pattern=r"^[0-9]*$", max_length=20)] = ""
    """Of a GitHub App, whose deliveries may come to the common address. "": the webhook of a repository or an
    organisation, whose deliveries come to the address of the connection."""
    api_url: ApiUrl = GITHUB_API
    """Of GitHub Enterprise Server: https://HOST/api/v3."""


class SlackSource(BaseModel):
    """What there is to say of a Slack app."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    app_id: Annotated[str, Field(pattern=r"^[A-Z0-9]*$", max_length=30)] = ""
    """Of the app, whose requests may come to the common address. "": they come to the address of the
    connection."""
    team_id: Annotated[str, Field(pattern=r"^([TE][A-Z0-9]+)?$", max_length=30)] = ""
    """The only workspace, or organisation, whose events are looked at; "": every one that the app is in."""
    api_url: ApiUrl = SLACK_API


class Connection(Provider):
    """Found by its name within its tenant, and by the app that a request says it comes from."""

    secret_names: ClassVar[tuple[str, ...]]
    """Credentials that prove requests; the first is needed, the others are for its rotation."""
    other_names: ClassVar[tuple[str, ...]]
    """Credentials to ask the provider with."""
    app_id: str = ""
    api_url: ApiUrl

    @property
    def account(self) -> str | None:
        """See `Provider.account`."""
        return self.app_id or None

    @model_validator(mode="after")
    def _has_its_credentials(self) -> Self:
        check_credentials(self.credentials, self.secret_names, self.other_names)
        return self


class GitHubConnection(GitHubSource, Connection):
    """Credentials: `webhook_secret`, and `private_key` to ask an app's installations with."""

    secret_names: ClassVar[tuple[str, ...]] = ("webhook_secret", "previous_webhook_secret")
    other_names: ClassVar[tuple[str, ...]] = ("private_key",)


class SlackConnection(SlackSource, Connection):
    """Credentials: `signing_secret`, and `bot_token` to ask for names of channels with."""

    secret_names: ClassVar[tuple[str, ...]] = ("signing_secret", "previous_signing_secret")
    other_names: ClassVar[tuple[str, ...]] = ("bot_token",)


def check_credentials(given: Mapping[str, str], secrets: Iterable[str], others: Iterable[str]) -> None:
    """Raises `ValueError` for names that say nothing, and where requests could not be proven."""
    known = (*secrets, *others)
    if unknown := given.keys() - set(known):
        raise ValueError(f"unknown credentials {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    if not given.get(known[0]):
        raise ValueError(f"credentials.{known[0]} is needed: without it anybody could send events")
