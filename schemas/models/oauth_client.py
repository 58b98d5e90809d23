"""By which client Hopline is known to the OAuth servers of providers. Source: the seed."""

from pydantic import BaseModel, ConfigDict, Field

from schemas.ids import entity_id
from schemas.models.entity import Entity
from schemas.plugins.credentials import ClientAuth
from schemas.secrets import SecretBox

SYSTEM_TENANT = entity_id("tenant", "system")
"""Whom the clients of the deployment belong to, and under whose key they are encrypted."""


class OAuthParams(BaseModel):
    """A client with its secret, and the server that it is registered at."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    client_id: str = Field(min_length=1)
    client_secret: str = Field(default="", repr=False)
    """None for a public client, which PKCE protects alone."""
    authorize_url: str = Field(pattern=r"^https?://[^/]+")
    token_url: str = Field(pattern=r"^https?://[^/]+")
    scopes: tuple[str, ...] = ()
    client_auth: ClientAuth = "client_secret_basic"
    authorize_parameters: dict[str, str] = Field(default_factory=dict)
    """What the server wants besides, such as `access_type: offline`."""


class _OAuthClient(Entity):
    """What the two have in common."""

    plugin_id: str
    provider: str
    encrypted_oauth_params: str
    """`OAuthParams` as JSON, encrypted for `tenant_id`."""

    @property
    def provider_id(self) -> str:
        """As `TriggerPlugin.provider_id`."""
        return f"{self.plugin_id}/{self.provider}"

    def params(self, box: SecretBox) -> OAuthParams:
        """In the clear. Raises `SecretUnreadable`."""
        return OAuthParams.model_validate_json(box.decrypt(self.tenant_id, self.encrypted_oauth_params))


class TriggerOAuthSystemClient(_OAuthClient):
    """The deployment's, for all tenants. One for each (plugin_id, provider): its id is made of them."""

    tenant_id: str = SYSTEM_TENANT

    @staticmethod
    def id_of(plugin_id: str, provider: str) -> str:
        """The same for the same provider."""
        return entity_id("oauth-system-client", plugin_id, provider)


class TriggerOAuthTenantClient(_OAuthClient):
    """A tenant's own, which it is known by instead of the deployment's while it is enabled."""

    enabled: bool = True
    """New authorizations use it. What it has been authorized for stays its own either way."""

    @staticmethod
    def id_of(tenant_id: str, plugin_id: str, provider: str) -> str:
        """One for each (tenant_id, plugin_id, provider)."""
        return entity_id("oauth-tenant-client", tenant_id, plugin_id, provider)


OAuthClient = TriggerOAuthSystemClient | TriggerOAuthTenantClient
