"""The API as samples are installed by it, and what is remembered of them from start to start."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from cli.errors import CommandFailed


class Deployment:
    """Calls the API with the key of the deployment."""

    def __init__(self, session: aiohttp.ClientSession, remembered: Path) -> None:
        """`session` has the API as its base URL and the key in its headers. `remembered` is the file that
        keeps the secrets of samples over restarts: the API shows none."""
        self.session = session
        self.remembered = remembered

    async def call(self, method: str, url: str, **request: Any) -> Any:
        """The JSON of the answer; None where it is empty. Raises `CommandFailed` for a refusal."""
        async with self.session.request(method, url, **request) as response:
            await check(response)
            return json.loads(content) if (content := await response.read()) else None

    async def create(self, path: str, **fields: Any) -> Any:
        """Something that is configured, as it is shown."""
        return await self.call("POST", f"/api/v1/{path}", json=fields)

    def secrets(self) -> dict[str, str]:
        """Id of a trigger or a connection -> its secret."""
        if not self.remembered.exists():
            return {}
        found: dict[str, str] = json.loads(self.remembered.read_text())
        return found

    def remember(self, owner_id: str, secret: str) -> None:
        """In a file that nobody else can read."""
        secrets = {**self.secrets(), owner_id: secret}
        self.remembered.touch(mode=0o600)
        self.remembered.write_text(json.dumps(secrets))


async def check(response: aiohttp.ClientResponse) -> None:
    """Raises `CommandFailed` with what the API says."""
    if response.status >= 400:
        raise CommandFailed(f"{response.method} {response.url.path} answered {await response.text()}")
