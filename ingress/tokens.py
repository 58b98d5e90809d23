"""JSON Web Tokens (RFC 7519) of people, signed by whoever the operator trusts: HS256, RS256, or a JWK set.

Which keys count for which algorithm is the operator's word, never the token's.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout
from jwt import PyJWK, PyJWKSet

from ingress.errors import Unavailable
from ingress.settings import TokenSettings
from transport.bounded import whole

_log = logging.getLogger(__name__)

_FRESH_S = 300.0
"""A JWK set is read again after this time."""
_COOL_DOWN_S = 10.0
"""And no sooner than this for a key that it does not have, or after it could not be read."""
_TIMEOUT_S = 5.0
_MOST_BYTES = 1024 * 1024
_LEEWAY_S = 10
_JWK_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")

Claims = Mapping[str, Any]


class BadToken(Exception):
    """Not to be believed. The message says why, never what is in it."""


class TokenVerifier:
    """Holds tokens against the operator's keys."""

    def __init__(self, settings: TokenSettings) -> None:
        self._settings = settings
        self._keys = JwkSet(settings.jwks_url) if settings.jwks_url else None

    async def claims(self, token: str) -> Claims:
        """Of a token that is valid now. Raises `BadToken`; `Unavailable` while its keys cannot be read."""
        try:
            header = jwt.get_unverified_header(token)
            key, algorithms = await self._key(header)
            found: Claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=self._settings.audience or None,
                issuer=self._settings.issuer or None,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "sub"], "verify_aud": bool(self._settings.audience)},
            )
        except jwt.PyJWTError as wrong:
            raise BadToken(f"the token is not valid: {wrong}") from wrong
        return found

    async def _key(self, header: Claims) -> tuple[Any, list[str]]:
        algorithm, settings = header.get("alg"), self._settings
        if algorithm == "HS256" and settings.secret is not None:
            return settings.secret.get_secret_value(), ["HS256"]
        if self._keys is not None and algorithm in _JWK_ALGORITHMS:
            found = await self._keys.find(str(header.get("kid") or ""))
            if found is not None:
                return found, [found.algorithm_name]
        if algorithm == "RS256" and settings.public_key:
            return settings.public_key, ["RS256"]
        raise BadToken(
            f"no key is configured for a token with alg {algorithm!r} and kid {header.get('kid')!r}"
        )


class JwkSet:
    """The keys behind a URL, kept for a while."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, PyJWK] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, kid: str) -> PyJWK | None:
        """The key of that id; the only one for "". Raises `Unavailable` while there are none to look at."""
        async with self._reading:
            now = time.monotonic()
            is_wanted = now - self._read_at > _FRESH_S or kid not in self._keys
            if is_wanted and now - self._tried_at > _COOL_DOWN_S:
                await self._read()
        if not self._keys:
            raise Unavailable("the keys that tokens are signed with cannot be read now")
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _read(self) -> None:
        try:
            async with (
                ClientSession(timeout=ClientTimeout(_TIMEOUT_S)) as session,
                session.get(self._url, raise_for_status=True) as answer,
            ):
                document = await whole(answer, _MOST_BYTES)
            keys = PyJWKSet.from_json(document.decode()).keys
        except (ClientError, TimeoutError, ValueError, jwt.PyJWTError) as failed:
            _log.warning("the keys at %s cannot be read: %s", self._url, failed or type(failed).__name__)
        else:
            self._keys = {str(key.key_id or ""): key for key in keys}
            self._read_at = time.monotonic()
        finally:
            # Whoever sends tokens must not have us wait for the server again and again.
            self._tried_at = time.monotonic()
