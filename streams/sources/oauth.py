"""Access tokens from refresh tokens, kept until shortly before they expire."""

import time

from schemas.models.oauth_client import OAuthParams
from schemas.plugins.errors import ProviderError
from schemas.plugins.http import Http
from schemas.triggers.credentials import OAuthRefresh
from streams.sources.watching import Unavailable
from transport.oauth import refresh

_EARLY_S = 180
_DEFAULT_LIFE_S = 3600


class AccessTokens:
    """Of all sources of a worker: those with the same refresh token share one."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._tokens: dict[OAuthRefresh, tuple[str, float]] = {}

    async def token(self, oauth: OAuthRefresh) -> str:
        """One that is good for a while. Raises `Unavailable`."""
        known = self._tokens.get(oauth)
        if known is not None and time.time() < known[1]:
            return known[0]
        now = time.time()
        try:
            token = await refresh(self._http, _params(oauth), oauth.refresh_token, now)
        except ProviderError as error:
            raise Unavailable(f"{oauth.token_url}: {error}") from error
        life_s = token.expires_at - now if token.expires_at > 0 else _DEFAULT_LIFE_S
        access = token.credentials["access_token"]
        # Those that are over may be of triggers that are no more.
        self._tokens = {known: one for known, one in self._tokens.items() if one[1] > now}
        self._tokens[oauth] = access, now + max(life_s - _EARLY_S, life_s / 2)
        return access

    def forget(self, oauth: OAuthRefresh) -> None:
        """What it gave is not taken any more."""
        self._tokens.pop(oauth, None)


def _params(oauth: OAuthRefresh) -> OAuthParams:
    return OAuthParams(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        authorize_url=oauth.token_url,  # nobody is sent there: the grant has been given
        token_url=oauth.token_url,
        client_auth="client_secret_post" if oauth.client_secret else "none",
    )
