"""Who is calling the control plane? API keys and JSON Web Tokens, as bearer tokens (RFC 6750)."""

import hmac
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from ingress.errors import Forbidden, Unauthenticated
from ingress.express.request import EventRequest
from ingress.tokens import BadToken, Claims, TokenVerifier
from schemas.models import DEFAULT_TENANT, PERMISSIONS, TENANT_PATTERN, ApiKey, Permission
from schemas.secrets import SecretBox
from transport.definitions import Definitions
from transport.service_token import tenant_of

OPERATOR = "operator"
"""What a token says of whoever runs the deployment."""
_TENANT_ID = re.compile(TENANT_PATTERN)
_SEGMENTS = 3
"""Of a JSON Web Token; no API key has dots."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the key or token was made for. Sees and changes what belongs to its tenant."""

    name: str
    tenant_id: str
    permissions: frozenset[Permission] = frozenset(PERMISSIONS)
    is_person: bool = False
    """Whether it came with a token of its own: a key is no user."""
    is_operator: bool = False
    """Whether it runs the deployment, and may decide about any tenant: no key that was created is."""

    def check(self, needed: Permission) -> None:
        """Raises `Forbidden`."""
        if needed not in self.permissions:
            has = ", ".join(sorted(self.permissions)) or "none"
            raise Forbidden(f"this needs the permission `{needed}`; {self.name} has {has}")

    def check_operator(self) -> None:
        """Raises `Forbidden`."""
        if not self.is_operator:
            raise Forbidden(
                "this is for the operator: by the key of the deployment (HOPLINE_API_KEY), or a token with "
                "the permission `operator`"
            )


CALLER = web.RequestKey("caller", Caller)


class Authenticator:
    """Knows the keys that exist, the deployment's own first key, and who signs tokens."""

    def __init__(
        self,
        definitions: Definitions,
        bootstrap_key: str | None,
        secrets: SecretBox | None,
        *,
        tokens: TokenVerifier | None,
        tenant_claim: str,
    ) -> None:
        """`secrets`: to know the tokens of other roles by, which act for a tenant."""
        self._definitions = definitions
        self._secrets = secrets
        self._bootstrap_digest = ApiKey.digest(bootstrap_key) if bootstrap_key else None
        self._tokens = tokens
        self._tenant_claim = tenant_claim

    async def authenticate(self, request: EventRequest) -> Caller:
        """The caller of the request. Raises `Unauthenticated`, `Unavailable`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise _challenge('Bearer realm="hopline"', "send `Authorization: Bearer <API key or JWT>`")
        digest = ApiKey.digest(token)
        if self._bootstrap_digest and hmac.compare_digest(digest, self._bootstrap_digest):
            return Caller("bootstrap", DEFAULT_TENANT, is_operator=True)
        if self._secrets and (tenant_id := tenant_of(self._secrets, token, time.time())):
            return Caller("worker", tenant_id)
        key = self._definitions.api_keys.get(digest)
        if key is not None:
            return Caller(key.name, key.tenant_id, frozenset(key.permissions))
        if self._tokens is not None and token.count(".") == _SEGMENTS - 1:
            return await self._person(self._tokens, token)
        raise _refused("the API key is unknown or has been revoked")

    async def _person(self, tokens: TokenVerifier, token: str) -> Caller:
        try:
            claims = await tokens.claims(token)
        except BadToken as wrong:
            raise _refused(str(wrong)) from wrong
        tenant_id = claims.get(self._tenant_claim)
        if tenant_id is None:
            tenant_id = DEFAULT_TENANT
        elif not isinstance(tenant_id, str) or not _TENANT_ID.fullmatch(tenant_id):
            raise _refused(
                f"the claim {self._tenant_claim} of the token is no name of a tenant: that has up to 200 of "
                "A-Z, a-z, 0-9 and ._:@-, and begins with none of .:@"
            )
        words = _words(claims)
        known = frozenset(one for one in PERMISSIONS if one in words)
        return Caller(str(claims["sub"]), tenant_id, known, is_person=True, is_operator=OPERATOR in words)


def _words(claims: Claims) -> frozenset[object]:
    """Those of the claim `permissions`, a list, or `scope`, words (RFC 9068). A token without has none."""
    given = claims.get("permissions")
    if given is None:
        given = str(claims.get("scope") or "").split()
    named: Iterable[object] = given if isinstance(given, list) else ()
    return frozenset(word for word in named if isinstance(word, str))


def _refused(detail: str) -> Unauthenticated:
    return _challenge('Bearer realm="hopline", error="invalid_token"', detail)


def _challenge(challenge: str, detail: str) -> Unauthenticated:
    return Unauthenticated(detail, headers={"WWW-Authenticate": challenge})
