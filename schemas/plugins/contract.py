"""The class that brings the events of one provider. A package names its own under the entry point group
`hopline.triggers`; docs/plugins.md has an example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from schemas.plugins.credentials import NEVER, ClientAuth, CredentialType
from schemas.plugins.errors import ProviderRefused
from schemas.plugins.http import Http
from schemas.triggers.delivery import Delivery, Reply


class PluginModel(BaseModel):
    """What users give a plugin. A field that is not known is refused: it would be a misspelt one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, coerce_numbers_to_str=True
    )


class EventFilters(PluginModel):
    """Filters that a trigger can set beyond types of events. A plugin with any has a subclass."""

    def refusal(self, event_type: str, body: Any) -> str | None:
        """Why the event is not for the trigger; None where it is. Pure, and quick."""
        return None


@dataclass(frozen=True, slots=True)
class OAuthDefaults:
    """What is known of the provider's OAuth server; a client may say otherwise."""

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ()
    client_auth: ClientAuth = "client_secret_basic"
    authorize_parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenSubscription:
    """A subscription with its secrets in the clear: for the plugin alone, and for one call."""

    id: str
    endpoint: str
    """URL that the provider is to send to."""
    parameters: Any
    """An instance of the plugin's `Parameters`."""
    credential_type: CredentialType
    credentials: Mapping[str, str] = field(repr=False)
    """Of an API key what the plugin's `Keys` has; of OAuth `access_token` and the rest of the token."""
    properties: Mapping[str, Any] = field(repr=False, default_factory=dict)
    expires_at: int = NEVER


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What the provider has agreed to."""

    properties: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """Kept, and given to every later call. Those that `secret_properties` names are encrypted."""
    expires_at: int = NEVER
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEvent:
    """One event of a delivery."""

    event_type: str
    """In the provider's words; triggers choose by it."""
    body: Any
    """JSON. Members of an object are variables of the workflow."""
    delivery_id: str | None = None
    """The provider's own name for the event: under the same one it is the same event. None: its content."""
    source: str = ""
    """URI reference to where it has happened."""
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What is in a delivery: any number of events, and an answer where the provider wants its own."""

    events: tuple[PluginEvent, ...] = ()
    reply: Reply | None = None
    renew: bool = False
    """Whether the provider says that the subscription must be renewed now."""


class TriggerPlugin:
    """One provider of events. One instance serves all subscriptions of a process: it keeps nothing."""

    plugin_id: ClassVar[str]
    """Whose plugin it is."""
    provider: ClassVar[str]
    """Of small letters and underscores."""
    description: ClassVar[str] = ""
    Parameters: ClassVar[type[PluginModel]] = PluginModel
    """What a subscription is made with."""
    Keys: ClassVar[type[PluginModel] | None] = None
    """The credentials of type api_key, all of them texts; None takes no API key."""
    oauth: ClassVar[OAuthDefaults | None] = None
    """None takes no OAuth."""
    Filters: ClassVar[type[EventFilters]] = EventFilters
    secret_properties: ClassVar[frozenset[str]] = frozenset()
    """Names of properties that are texts nobody may see."""
    secret_headers: ClassVar[frozenset[str]] = frozenset()
    """Headers, in small letters, that prove who sends: they are not kept. The usual ones are known."""
    methods: ClassVar[tuple[str, ...]] = ("POST",)
    """That `receive` takes; some providers prove an endpoint with a GET."""
    renew_before_s: ClassVar[int] = 3600
    """A subscription that expires is renewed this long before, or in the middle of a shorter life."""

    @property
    def provider_id(self) -> str:
        """By which subscriptions name it."""
        return f"{self.plugin_id}/{self.provider}"

    @property
    def renews(self) -> bool:
        """Whether it has a `refresh` of its own."""
        return type(self).refresh is not TriggerPlugin.refresh

    def receive(self, delivery: Delivery, subscription: OpenSubscription) -> Dispatch:
        """Proves and reads a request to the subscription's endpoint. Pure, and quick: the provider waits.

        Raises `NotBelieved`, `NotUnderstood`.
        """
        raise NotImplementedError

    async def subscribe(self, http: Http, subscription: OpenSubscription) -> Subscribed:
        """Asks the provider to send to the endpoint. Raises `ProviderError`.

        The provider may send to the endpoint before it answers, such as a request to prove that it is ours.
        """
        raise NotImplementedError

    async def unsubscribe(self, http: Http, subscription: OpenSubscription) -> None:
        """Asks it to stop; that it has stopped already is fine. Raises `ProviderError`."""
        raise NotImplementedError

    async def refresh(self, http: Http, subscription: OpenSubscription) -> Subscribed:
        """Asks for a later end of a subscription that expires. May be asked twice. Raises `ProviderError`."""
        raise ProviderRefused(f"subscriptions to {self.provider_id} cannot be renewed")
