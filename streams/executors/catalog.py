"""What tenants have configured for nodes to use, with its credentials opened."""

from collections.abc import Sequence
from typing import TypeVar

from schemas.models import Provider
from schemas.secrets import SecretBox
from streams.executors.errors import NotConfigured
from transport.definitions import Definitions
from transport.service_token import issue

_P = TypeVar("_P", bound=Provider)


class Catalog:
    """Looks providers up by name. Used on the loop's thread."""

    def __init__(self, definitions: Definitions, secrets: SecretBox | None) -> None:
        self._definitions = definitions
        self._secrets = secrets

    def find(self, kind: type[_P], tenant_id: str, name: str) -> _P:
        """Raises `NotConfigured`, which names what is missing."""
        found = self._definitions.provider(kind, tenant_id, name)
        if found is None:
            known = ", ".join(sorted(one.name for one in self._definitions.providers(kind, tenant_id)))
            raise NotConfigured(f"{kind.__name__} {name!r} is not configured (there are: {known or 'none'})")
        return found

    def called(self, kind: type[_P], tenant_id: str, names: Sequence[str]) -> _P | None:
        """The one that has one of the names in full (`langgenius/openai/openai`), else by their last part."""
        known = self.all_of(kind, tenant_id)
        endings = [last_part(name) for name in names]
        for wanted in (
            lambda one: one.name in names,
            lambda one: one.name in endings,
            lambda one: last_part(one.name) in endings,
        ):
            if found := next(filter(wanted, known), None):
                return found
        return None

    def all_of(self, kind: type[_P], tenant_id: str) -> list[_P]:
        """The tenant's, the oldest first."""
        return self._definitions.providers(kind, tenant_id)

    def service_token(self, tenant_id: str, now_s: float) -> str:
        """To act for the tenant towards another role. Raises `NotConfigured` without a key."""
        if self._secrets is None:
            raise NotConfigured("this worker needs HOPLINE_SECRET_KEY to ask the ingress for knowledge")
        return issue(self._secrets, tenant_id, now_s)

    def credentials(self, provider: Provider) -> dict[str, str]:
        """In the clear. Raises `NotConfigured` without a key, `SecretUnreadable` with a wrong one."""
        if not provider.credentials:
            return {}
        if self._secrets is None:
            raise NotConfigured(
                f"the credentials of {provider.name!r} are encrypted: this worker needs HOPLINE_SECRET_KEY"
            )
        box = self._secrets
        return {
            name: box.decrypt(provider.tenant_id, sealed) for name, sealed in provider.credentials.items()
        }


def last_part(name: str) -> str:
    """`openai` of `langgenius/openai/openai`: what Dify's editor shows of a plugin's provider."""
    return name.rstrip("/").rpartition("/")[2]
