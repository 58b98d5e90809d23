"""What Slack knows of a workspace: who the app is there, and which channels there are.

Source: Slack API, methods auth.test and conversations.list.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp

from transport.provider_api import ProviderRefused, ProviderUnavailable, ask

_PAGE = 200
"""What Slack advises; it gives 1,000 at most."""
_MAX_PAGES = 100
_PATIENCE_S = 15.0
"""For all pages together, pauses that Slack asks for included."""


class Identity(NamedTuple):
    """Who a token is of."""

    team_id: str
    user_id: str
    """Of the app's own user."""


class SlackApi:
    """A workspace, asked with the token of the app's bot."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, token: str) -> None:
        """`session` is guarded: tenants name the URL."""
        self._session = session
        self._api_url = api_url
        self._token = token

    async def identity(self) -> Identity:
        """Raises `ProviderRefused`, `ProviderUnavailable`."""
        answer = await self._call("auth.test", {}, time.monotonic() + _PATIENCE_S)
        return Identity(str(answer.get("team_id") or ""), str(answer.get("user_id") or ""))

    async def channel_ids(self, names: Collection[str], team_id: str) -> dict[str, str]:
        """Name -> id of those that there are, archived ones left out; pages are read until all are found.

        `team_id`: for a token of a whole organisation. Raises `ProviderRefused`, `ProviderUnavailable`.
        """
        found: dict[str, str] = {}
        deadline, cursor = time.monotonic() + _PATIENCE_S, ""
        for _ in range(_MAX_PAGES):
            given = {"types": "public_channel,private_channel", "exclude_archived": "true"}
            given |= {"limit": str(_PAGE), "cursor": cursor, "team_id": team_id}
            page = await self._call("conversations.list", {k: v for k, v in given.items() if v}, deadline)
            for channel in page.get("channels") or ():
                if channel.get("name") in names:
                    found[channel["name"]] = channel["id"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor or len(found) == len(names):
                return found
        raise ProviderRefused(f"there are more than {_MAX_PAGES * _PAGE} channels: name them by their ids")

    async def _call(self, method: str, params: Mapping[str, str], deadline: float) -> Mapping[str, Any]:
        while True:
            url = f"{self._api_url}/{method}"
            answer = await ask(self._session, "GET", url, self._token, params=params)
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                pause_s = answer.retry_after_s or 1.0
                if time.monotonic() + pause_s > deadline:
                    raise ProviderUnavailable(
                        f"Slack asks to wait {pause_s:g} s before {method} is called again"
                    )
                await asyncio.sleep(pause_s)
                continue
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(answer.document, dict):
                raise ProviderUnavailable(f"Slack answers {method} with {answer.status}")
            if answer.document.get("ok") is not True:
                raise ProviderRefused(
                    f"Slack refuses {method}: {answer.document.get('error')}{_hint(answer.document)}"
                )
            return answer.document


def _hint(document: Mapping[str, Any]) -> str:
    needed = document.get("needed")
    return f" (the token needs {needed})" if needed else ""
