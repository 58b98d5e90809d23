"""Access tokens from refresh tokens (RFC 6749, section 6), kept until shortly before they expire."""

import time
from typing import Any

from schemas.triggers.credentials import OAuthRefresh
from streams.sources.http import Http
from streams.sources.watching import Unavailable

_EARLY_S = 180
_DEFAULT_LIFE_S = 3600
_MOST_CHARS = 200


class AccessTokens:
    """Of all sources of a worker: those with the same refresh token share one."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._tokens: dict[OAuthRefresh, tuple[str, float]] = {}

    async def token(self, oauth: OAuthRefresh) -> str:
        """One that is good for a while. Raises `Unavailable`."""
        known = self._tokens.get(oauth)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        answer = await self._refresh(oauth)
        token = str(answer["access_token"])
        life_s = float(answer.get("expires_in") or _DEFAULT_LIFE_S)
        self._tokens[oauth] = token, time.monotonic() + max(life_s - _EARLY_S, life_s / 2)
        return token

    def forget(self, oauth: OAuthRefresh) -> None:
        """What it gave is not taken any more."""
        self._tokens.pop(oauth, None)

    async def _refresh(self, oauth: OAuthRefresh) -> dict[str, Any]:
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": oauth.refresh_token,
            "client_id": oauth.client_id,
            "client_secret": oauth.client_secret,
            "scope": oauth.scope,
        }
        form = {name: value for name, value in fields.items() if value}
        answer = await self._http.call("POST", oauth.token_url, data=form)
        found = answer.body if isinstance(answer.body, dict) else {}
        if answer.status != 200 or not isinstance(found.get("access_token"), str):
            # Only these two (section 5.2): anything else of the answer may be a secret.
            said = f"{found.get('error') or ''} {found.get('error_description') or ''}".strip()
            raise Unavailable(
                f"{oauth.token_url} gives no access token: {answer.status} {said[:_MOST_CHARS]}".rstrip()
            )
        return found
