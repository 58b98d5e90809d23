"""A subscription's secrets: encrypted where it is kept, in the clear for its plugin."""

from collections.abc import Mapping
from typing import Any

from schemas.models.subscription import TriggerSubscription, endpoint_url
from schemas.plugins.contract import OpenSubscription, TriggerPlugin
from schemas.secrets import SecretBox

_NO_SECRETS = frozenset({"token_type", "scope"})


def opened(
    plugin: TriggerPlugin, subscription: TriggerSubscription, box: SecretBox, base_url: str
) -> OpenSubscription:
    """For one call of the plugin. Raises `SecretUnreadable`, and `ValidationError` for parameters that the
    plugin no longer takes."""
    tenant_id = subscription.tenant_id
    return OpenSubscription(
        id=subscription.id,
        endpoint=endpoint_url(base_url, subscription.endpoint_id),
        parameters=plugin.Parameters.model_validate(subscription.parameters),
        credential_type=subscription.credential_type,
        credentials=opened_texts(subscription.credentials, box, tenant_id),
        properties=opened_texts(subscription.properties, box, tenant_id),
        expires_at=subscription.expires_at,
    )


def sealed_credentials(credentials: Mapping[str, str], box: SecretBox, tenant_id: str) -> dict[str, str]:
    """As they are kept."""
    return {
        name: value if name in _NO_SECRETS else box.encrypt(tenant_id, value)
        for name, value in credentials.items()
    }


def sealed_properties(
    plugin: TriggerPlugin, properties: Mapping[str, Any], box: SecretBox, tenant_id: str
) -> dict[str, Any]:
    """As they are kept."""
    return {
        name: box.encrypt(tenant_id, str(value)) if name in plugin.secret_properties else value
        for name, value in properties.items()
    }


def secrets_of(plugin: TriggerPlugin, subscription: OpenSubscription) -> list[str]:
    """What nobody is to see of one that is open."""
    credentials = [value for name, value in subscription.credentials.items() if name not in _NO_SECRETS]
    properties = subscription.properties
    return [*credentials, *(str(properties[name]) for name in plugin.secret_properties & properties.keys())]


def opened_texts(kept: Mapping[str, Any], box: SecretBox, tenant_id: str) -> dict[str, Any]:
    """With what is encrypted in the clear. Raises `SecretUnreadable`."""
    return {
        name: box.decrypt(tenant_id, value) if isinstance(value, str) and box.is_encrypted(value) else value
        for name, value in kept.items()
    }
