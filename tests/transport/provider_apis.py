"""Servers that stand for the APIs of GitHub and Slack: real HTTP, and as strict as those are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

APP_ID = "123456"
BOT_TOKEN = "xoxb-1"


@lru_cache(maxsize=1)
def key_pair() -> tuple[str, str]:
    """(private, public) in PEM; the private one in PKCS#1, as GitHub hands it out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@dataclass
class GitHubApi:
    """`installations`: `repos/owner/name`, `orgs/owner` or `users/owner` -> id."""

    installations: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answer: tuple[int, Any] | None = None
    """To everything, instead."""
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        place = request.path.strip("/").removesuffix("/installation")
        self.asked.append(place)
        assert request.headers["Accept"] == "application/vnd.github+json"
        assert request.headers["User-Agent"]
        if self.answer is not None:
            return web.json_response(self.answer[1], status=self.answer[0])
        try:
            claims = jwt.decode(
                request.headers["Authorization"].removeprefix("Bearer "),
                key_pair()[1],
                algorithms=["RS256"],
                issuer=APP_ID,
                options={"require": ["iat", "exp", "iss"]},
            )
        except jwt.PyJWTError as wrong:
            return web.json_response(
                {"message": f"A JSON web token could not be decoded: {wrong}"}, status=401
            )
        assert claims["exp"] - claims["iat"] <= 600
        if place not in self.installations:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response({"id": self.installations[place], "app_id": int(APP_ID)})


@dataclass
class SlackWorkspace:
    """`pages` of conversations.list, each a list of (id, name)."""

    pages: list[list[tuple[str, str]]] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    """`Retry-After` of the answers that come before the first real one."""
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        method = request.path.rsplit("/", 1)[-1]
        self.asked.append({"method": method, **request.query})
        if self.busy:
            headers = {"Retry-After": self.busy.pop(0)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        return web.json_response(self._answer(method, request))

    def _answer(self, method: str, request: web.Request) -> dict[str, Any]:
        if method == "auth.test":
            return {"ok": True, "team_id": "T123ABC456", "user_id": "UBOT", "bot_id": "BBOT"}
        at = int(request.query.get("cursor", "0"))
        channels = [{"id": channel_id, "name": name} for channel_id, name in self.pages[at]]
        more = str(at + 1) if at + 1 < len(self.pages) else ""
        return {"ok": True, "channels": channels, "response_metadata": {"next_cursor": more}}


@asynccontextmanager
async def serving(api: GitHubApi | SlackWorkspace) -> AsyncIterator[str]:
    """Its `host:port`, for as long as the block lasts; `url` is set."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    async with TestServer(app) as server:
        api.url = f"http://127.0.0.1:{server.port}"
        yield f"127.0.0.1:{server.port}"
