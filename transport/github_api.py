"""What GitHub knows of an app: its installations. Source: GitHub REST API, endpoints for GitHub Apps."""

import time
from collections.abc import Iterable
from http import HTTPStatus

import aiohttp
import jwt

from transport.provider_api import ProviderRefused, ProviderUnavailable, ask

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_AGO_S = 60
"""GitHub's advice against clocks that differ."""
_LIFETIME_S = 540
"""GitHub takes ten minutes at most."""


class GitHubApp:
    """An app, as which its installations are asked for."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, app_id: str, private_key: str) -> None:
        """`private_key`: PEM, as GitHub hands it out. `session` is guarded: tenants name the URL."""
        self._session = session
        self._api_url = api_url
        self._app_id = app_id
        self._private_key = private_key

    async def installation_id(self, repository: str) -> int:
        """Of `owner/name`, or of an `owner`. Raises `ProviderRefused`, `ProviderUnavailable`."""
        for path in _paths(repository):
            answer = await ask(
                self._session, "GET", f"{self._api_url}/{path}/installation", self._token(), headers=_HEADERS
            )
            document = answer.document if isinstance(answer.document, dict) else {}
            if answer.status == HTTPStatus.OK and isinstance(document.get("id"), int):
                return int(document["id"])
            if answer.status != HTTPStatus.NOT_FOUND:
                raise _failure(answer.status, str(document.get("message") or ""))
        raise ProviderRefused(f"the app {self._app_id} is not installed at {repository}, or may not see it")

    def _token(self) -> str:
        """RFC 7519, signed with RS256. Raises `ProviderRefused` for a key that is none."""
        now = int(time.time())
        claims = {"iat": now - _AGO_S, "exp": now + _LIFETIME_S, "iss": self._app_id}
        try:
            return jwt.encode(claims, self._private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as wrong:
            raise ProviderRefused("the private key of the app is no RSA key in PEM") from wrong


def _paths(repository: str) -> Iterable[str]:
    if "/" in repository:
        return (f"repos/{repository}",)
    return (f"orgs/{repository}", f"users/{repository}")


def _failure(status: int, message: str) -> Exception:
    if status == HTTPStatus.UNAUTHORIZED:
        return ProviderRefused(f"GitHub does not know the app by its id and private key: {message}")
    if (
        status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return ProviderUnavailable(f"GitHub answers with {status}: {message}")
    return ProviderRefused(f"GitHub answers with {status}: {message}")
