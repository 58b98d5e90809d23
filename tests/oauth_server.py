"""A real OAuth server, on authlib: authorization code with PKCE, refresh tokens that are good for one use."""

import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeMixin,
    AuthorizationServer,
    ClientMixin,
    OAuth2Payload,
    OAuth2Request,
    TokenMixin,
    grants,
)
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge

from schemas.models.oauth_client import OAuthParams

CLIENT_ID, CLIENT_SECRET = "hopline-test", "s3cret~.of-the-client"
REDIRECT = "http://hopline.test/api/v1/oauth/gitlab/callback"
USER = "ada"


@dataclass
class _Client(ClientMixin):  # type: ignore[misc]
    auth: str = "client_secret_basic"

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.endswith("/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.auth

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]
    code: str
    redirect_uri: str
    scope: str
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class IssuedToken(TokenMixin):  # type: ignore[misc]
    """A token that the server knows."""

    issued: dict[str, Any]
    at_s: float
    revoked: bool = False

    def check_client(self, client: ClientMixin) -> bool:
        return True

    def get_scope(self) -> str:
        return str(self.issued.get("scope", ""))


@dataclass
class OAuthServer:
    """What it has issued, and how it behaves."""

    url: str = ""
    expires_in: int = 7200
    """Of what it gives for a code; what it gives for a refresh token lives for two hours."""
    auth: str = "client_secret_basic"
    codes: dict[str, _Code] = field(default_factory=dict)
    tokens: list[IssuedToken] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    """Forms at the token endpoint."""
    failing: int = 0
    """Answers 503 to so many requests at the token endpoint."""
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What happens between a request at the token endpoint and its answer."""
    silent: int = 0
    """Does what so many requests ask, and cuts them off without an answer."""

    @property
    def refreshes(self) -> int:
        """How often a token was asked to be refreshed."""
        return sum(form["grant_type"] == "refresh_token" for form in self.requests)

    @property
    def params(self) -> OAuthParams:
        """Of its one client."""
        return OAuthParams.model_validate(self.client_body)

    @property
    def client_body(self) -> dict[str, Any]:
        """Likewise, as the API takes it."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET if self.auth != "none" else "",
            "authorize_url": f"{self.url}/oauth/authorize",
            "token_url": f"{self.url}/oauth/token",
            "scopes": ["api", "read"],
            "client_auth": self.auth,
        }

    def is_good(self, access_token: str) -> bool:
        """Whether an API would take it."""
        return any(
            token.issued["access_token"] == access_token
            and not token.revoked
            and time.time() < token.at_s + token.issued["expires_in"]
            for token in self.tokens
        )


class _Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, data: dict[str, str]) -> None:
        self._data = data

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, {name: [value] for name, value in self._data.items()})


class _Request(OAuth2Request):  # type: ignore[misc]
    def __init__(self, request: web.Request, data: dict[str, str]) -> None:
        # It insists on TLS.
        super().__init__(request.method, f"https://oauth.test{request.path_qs}", headers=request.headers)
        self.payload = _Payload(data)
        self._data = data

    @property
    def args(self) -> dict[str, str]:
        return self._data

    @property
    def form(self) -> dict[str, str]:
        return self._data


def _grants(state: OAuthServer) -> tuple[Any, Any]:
    class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]

        def save_authorization_code(self, code: str, request: _Request) -> None:
            data = request.payload.data
            state.codes[code] = _Code(
                code,
                data["redirect_uri"],
                data.get("scope", ""),
                data.get("code_challenge"),
                data.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: ClientMixin) -> _Code | None:
            return state.codes.get(code)

        def delete_authorization_code(self, code: _Code) -> None:
            del state.codes[code.code]

        def authenticate_user(self, code: _Code) -> str:
            return USER

    class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
        INCLUDE_NEW_REFRESH_TOKEN = True
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]

        def authenticate_refresh_token(self, refresh_token: str) -> IssuedToken | None:
            known = (t for t in state.tokens if t.issued.get("refresh_token") == refresh_token)
            return next((token for token in known if not token.revoked), None)

        def authenticate_user(self, token: IssuedToken) -> str:
            return USER

        def revoke_old_credential(self, token: IssuedToken) -> None:
            token.revoked = True

    return CodeGrant, RefreshGrant


class _Server(AuthorizationServer):  # type: ignore[misc]
    def __init__(self, state: OAuthServer) -> None:
        super().__init__()
        self._state = state
        generator = BearerTokenGenerator(
            lambda *_, **__: secrets.token_hex(16),
            lambda *_, **__: secrets.token_hex(16),
            lambda _, grant: state.expires_in if grant == "authorization_code" else 7200,
        )
        self.register_token_generator("default", generator)
        code_grant, refresh_grant = _grants(state)
        self.register_grant(code_grant, [CodeChallenge(required=True)])
        self.register_grant(refresh_grant)

    def query_client(self, client_id: str) -> _Client | None:
        return _Client(self._state.auth) if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: _Request) -> None:
        self._state.tokens.append(IssuedToken(token, time.time()))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> web.Response:
        kept = {name: value for name, value in headers if name.lower() != "content-type"}
        if isinstance(body, dict):
            return web.json_response(body, status=status, headers=kept)
        return web.Response(text=body or "", status=status, headers=kept)


def routes(state: OAuthServer) -> list[web.RouteDef]:
    """Of the two endpoints. Whoever comes to the first is Ada, and agrees."""
    server = _Server(state)

    async def authorize(request: web.Request) -> web.StreamResponse:
        asked = _Request(request, dict(request.query))
        grant = server.get_consent_grant(asked, USER)
        return cast(
            web.StreamResponse, server.create_authorization_response(asked, grant_user=USER, grant=grant)
        )

    async def token(request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        state.requests.append(form)
        if state.meanwhile is not None:
            await state.meanwhile()
        if state.failing:
            state.failing -= 1
            return web.json_response({"error": "temporarily_unavailable"}, status=503)
        answer = cast(web.StreamResponse, server.create_token_response(_Request(request, form)))
        if state.silent:
            state.silent -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    return [web.get("/oauth/authorize", authorize), web.post("/oauth/token", token)]


@asynccontextmanager
async def oauth_server(*more: web.RouteDef, state: OAuthServer | None = None) -> AsyncIterator[OAuthServer]:
    """On a free port, with other routes beside it."""
    state = state or OAuthServer()
    async with serving([*routes(state), *more]) as url:
        state.url = url
        yield state


@asynccontextmanager
async def serving(served: list[web.RouteDef]) -> AsyncIterator[str]:
    """The URL of a server with these routes."""
    app = web.Application()
    app.add_routes(served)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
