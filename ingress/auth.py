"""Who is calling the control plane? API keys as bearer tokens (RFC 6750)."""

import hmac
import time
from dataclasses import dataclass

from aiohttp import web

from ingress.errors import Unauthenticated
from schemas.models import DEFAULT_TENANT, ApiKey
from schemas.secrets import SecretBox
from transport.definitions import Definitions
from transport.service_token import tenant_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the key was made for. Sees and changes what belongs to its tenant."""

    name: str
    tenant_id: str


CALLER = web.RequestKey("caller", Caller)


class Authenticator:
    """Knows the keys that exist, and the deployment's own first key."""

    def __init__(
        self, definitions: Definitions, bootstrap_key: str | None, secrets: SecretBox | None = None
    ) -> None:
        """`secrets`: to know the tokens of other roles by, which act for a tenant."""
        self._definitions = definitions
        self._secrets = secrets
        self._bootstrap_digest = ApiKey.digest(bootstrap_key) if bootstrap_key else None

    def authenticate(self, request: web.Request) -> Caller:
        """The caller of the request. Raises `Unauthenticated`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _challenge('Bearer realm="hopline"', "send `Authorization: Bearer <API key>`")
        digest = ApiKey.digest(token.strip())
        if self._bootstrap_digest and hmac.compare_digest(digest, self._bootstrap_digest):
            return Caller("bootstrap", DEFAULT_TENANT)
        if self._secrets and (tenant_id := tenant_of(self._secrets, token.strip(), time.time())):
            return Caller("worker", tenant_id)
        key = self._definitions.api_keys.get(digest)
        if key is None:
            raise _challenge(
                'Bearer realm="hopline", error="invalid_token"', "the API key is unknown or has been revoked"
            )
        return Caller(key.name, key.tenant_id)


def _challenge(challenge: str, detail: str) -> Unauthenticated:
    return Unauthenticated(detail, headers={"WWW-Authenticate": challenge})
