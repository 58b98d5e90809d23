"""The OAuth client against a real OAuth server: authorization code with PKCE, refresh with rotation."""

import base64
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import aiohttp
import orjson
import pytest

from schemas.plugins.errors import ProviderRefused, ProviderUnavailable
from schemas.plugins.http import HttpReply
from tests.oauth_server import CLIENT_SECRET, REDIRECT, OAuthServer, oauth_server
from transport.oauth import GrantRefused, Token, authorization_url, exchange, new_verifier, refresh
from transport.plugin_http import PluginHttp

NOW_S = 1_800_000_000.0


@pytest.fixture
async def server() -> AsyncIterator[OAuthServer]:
    async with oauth_server() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[PluginHttp]:
    async with aiohttp.ClientSession() as session:
        yield PluginHttp(session)


async def agree(server: OAuthServer, verifier: str) -> dict[str, str]:
    """What the provider sends the user back with."""
    url = authorization_url(server.params, REDIRECT, "st&te", verifier)
    async with aiohttp.ClientSession() as browser, browser.get(url, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}


async def first_token(server: OAuthServer, http: PluginHttp) -> Token:
    verifier = new_verifier()
    code = (await agree(server, verifier))["code"]
    return await exchange(http, server.params, code, REDIRECT, verifier, NOW_S)


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "none"])
async def test_a_code_becomes_a_token(server: OAuthServer, http: PluginHttp, auth: str) -> None:
    server.auth = auth
    verifier = new_verifier()
    sent_back = await agree(server, verifier)
    assert sent_back["state"] == "st&te"
    token = await exchange(http, server.params, sent_back["code"], REDIRECT, verifier, NOW_S)
    assert token.expires_at == NOW_S + 7200
    assert set(token.credentials) == {"access_token", "refresh_token", "token_type", "scope"}
    assert (token.credentials["token_type"], token.credentials["scope"]) == ("Bearer", "api read")
    assert server.is_good(token.credentials["access_token"])


async def test_who_does_not_know_the_verifier_cannot_use_the_code(
    server: OAuthServer, http: PluginHttp
) -> None:
    code = (await agree(server, new_verifier()))["code"]
    with pytest.raises(GrantRefused, match=r"invalid_grant \(Code challenge failed"):
        await exchange(http, server.params, code, REDIRECT, new_verifier(), NOW_S)
    assert server.tokens == []


async def test_a_refresh_token_is_good_for_one_refresh(server: OAuthServer, http: PluginHttp) -> None:
    first = (await first_token(server, http)).credentials
    second = (await refresh(http, server.params, first["refresh_token"], NOW_S)).credentials
    assert second["refresh_token"] != first["refresh_token"]
    assert not server.is_good(first["access_token"])
    with pytest.raises(GrantRefused, match="invalid_grant"):
        await refresh(http, server.params, first["refresh_token"], NOW_S)
    third = await refresh(http, server.params, second["refresh_token"], NOW_S)
    assert server.is_good(third.credentials["access_token"])


async def test_a_server_that_is_down_is_asked_again_and_a_wrong_client_is_not(
    server: OAuthServer, http: PluginHttp
) -> None:
    token = (await first_token(server, http)).credentials["refresh_token"]
    server.failing = 1
    with pytest.raises(ProviderUnavailable, match="answers 503"):
        await refresh(http, server.params, token, NOW_S)
    wrong = server.params.model_copy(update={"client_secret": "wrong"})
    with pytest.raises(ProviderRefused, match="invalid_client") as refused:
        await refresh(http, wrong, token, NOW_S)
    assert not isinstance(refused.value, GrantRefused)
    assert CLIENT_SECRET not in str(refused.value)


class Canned:
    """A server that says one thing."""

    def __init__(self, status: int, body: bytes) -> None:
        self.reply = HttpReply(status, body, {})

    async def __call__(self, *_: Any, **__: Any) -> HttpReply:
        return self.reply


@pytest.mark.parametrize(
    ("body", "expires_at", "refresh_token"),
    [
        (b'{"access_token":"a"}', -1, "before"),
        (b'{"access_token":"a","expires_in":"60","refresh_token":"r"}', 60, "r"),
        (b'{"access_token":"a","expires_in":0,"refresh_token":""}', -1, "before"),
        (b'{"access_token":"a","expires_in":"soon"}', -1, "before"),
        (b'{"access_token":"a","expires_in":"inf"}', 3_153_600_000, "before"),
        (b'{"access_token":"a","expires_in":9223372036854775807}', 3_153_600_000, "before"),
    ],
)
async def test_what_servers_leave_out(body: bytes, expires_at: int, refresh_token: str) -> None:
    params = OAuthServer("http://o").params
    token = await refresh(Canned(200, body), params, "before", 0)
    assert (token.expires_at, token.credentials["refresh_token"]) == (expires_at, refresh_token)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b'{"error":"bad_verification_code"}', ProviderRefused),
        (200, b'{"token_type":"bearer"}', ProviderRefused),
        (400, b'{"error":"invalid_grant"}', GrantRefused),
        (400, b'{"error":"interaction_required"}', GrantRefused),
        (400, b'{"error":"consent_required"}', GrantRefused),
        (429, b"{}", ProviderUnavailable),
        (400, b'{"error":"temporarily_unavailable"}', ProviderUnavailable),
        (200, b"<html>", ProviderUnavailable),
        (502, b"<html>", ProviderUnavailable),
    ],
)
async def test_what_is_no_token(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await refresh(Canned(status, body), OAuthServer("http://o").params, "t0ken", 0)
    assert type(raised.value) is error
    assert "t0ken" not in str(raised.value)


class Repeating:
    """A server that refuses with all that it was sent."""

    async def __call__(self, *_: Any, **sent: Any) -> HttpReply:
        said = f"{urlencode(sent['form'])} {sent['headers']}"
        return HttpReply(400, orjson.dumps({"error": "bad_request", "error_description": said}), {})


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "none"])
async def test_what_a_server_repeats_of_secrets_is_not_told(auth: str) -> None:
    secrets = {"client_secret": "cl1ent/s3cret", "refresh_token": "r3fresh+t0ken"}
    params = OAuthServer("http://o").params.model_copy(
        update={"client_auth": auth, "client_secret": secrets["client_secret"]}
    )
    with pytest.raises(ProviderRefused, match=r"refresh_token=\*{6}") as raised:
        await refresh(Repeating(), params, secrets["refresh_token"], NOW_S)
    pair = base64.b64encode(f"{params.client_id}:{quote_plus(params.client_secret)}".encode()).decode()
    for secret in (*secrets.values(), pair):
        assert secret not in str(raised.value)
        assert quote_plus(secret) not in str(raised.value)


def test_an_authorization_keeps_what_the_url_has() -> None:
    params = OAuthServer("http://o").params.model_copy(
        update={
            "authorize_url": "http://o/authorize?prompt=consent",
            "authorize_parameters": {"access_type": "offline"},
        }
    )
    query = parse_qs(urlsplit(authorization_url(params, REDIRECT, "s", "v" * 43)).query)
    assert (query["prompt"], query["access_type"], query["scope"]) == (["consent"], ["offline"], ["api read"])
    assert query["code_challenge_method"] == ["S256"]
