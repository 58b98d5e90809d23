"""People with JSON Web Tokens: whose are believed, and what they may."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from ingress.errors import Unavailable
from ingress.settings import TokenSettings
from ingress.tokens import BadToken, TokenVerifier
from schemas.ids import new_id
from schemas.models import ApiKey
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from transport.definitions import API_KEYS

SECRET = "s" * 32
ONE, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def token(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **claims: Any) -> str:
    given = {"sub": "ada", "exp": time.time() + 86_400, "scope": "read run", **claims}
    claimed = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(claimed, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def verifier(**settings: Any) -> TokenVerifier:
    return TokenVerifier(TokenSettings.model_validate(settings))


async def test_a_token_with_the_secret_is_believed() -> None:
    claims = await verifier(secret=SECRET).claims(token(email="ada@example.com"))
    assert (claims["sub"], claims["email"]) == ("ada", "ada@example.com")


async def test_a_token_with_the_private_key_is_believed() -> None:
    assert (await verifier(public_key=pem(ONE)).claims(token(ONE, "RS256")))["sub"] == "ada"


@pytest.mark.parametrize(
    ("settings", "given", "why"),
    [
        ({"secret": SECRET}, token("x" * 32), "Signature verification failed"),
        ({"public_key": pem(ONE)}, token(OTHER, "RS256"), "Signature verification failed"),
        ({"public_key": pem(ONE)}, token(), "no key is configured for a token with alg 'HS256'"),
        ({"secret": SECRET}, token(ONE, "RS256"), "no key is configured for a token with alg 'RS256'"),
        ({"secret": SECRET}, jwt.encode({"sub": "a"}, "", algorithm="none"), "alg 'none'"),
        ({"secret": SECRET}, token(exp=time.time() - 60), "expired"),
        ({"secret": SECRET}, token(nbf=time.time() + 86_000), "not yet valid"),
        ({"secret": SECRET}, token(exp=None), '"exp"'),
        ({"secret": SECRET}, token(sub=None), '"sub"'),
        ({"secret": SECRET, "issuer": "https://id"}, token(iss="https://else"), "issuer"),
        ({"secret": SECRET, "audience": "hopline"}, token(aud="else"), "udience"),
        ({"secret": SECRET, "audience": "hopline"}, token(), '"aud"'),
        ({"secret": SECRET}, "a.b.c", "not valid"),
    ],
)
async def test_any_other_token_is_not(settings: dict[str, Any], given: str, why: str) -> None:
    with pytest.raises(BadToken, match=why):
        await verifier(**settings).claims(given)


class KeyServer:
    """Serves a JWK set, and counts how often it was asked."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {"one": ONE}
        self.asked = 0
        self.fails = False
        self.url = ""

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.fails:
            raise web.HTTPServiceUnavailable
        keys = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "RS256", "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return web.json_response({"keys": keys})


@pytest.fixture
async def keys() -> AsyncIterator[KeyServer]:
    served, app = KeyServer(), web.Application()
    app.router.add_get("/jwks", served.answer)
    async with TestServer(app) as server:
        served.url = str(server.make_url("/jwks"))
        yield served


async def test_keys_of_a_set_are_found_by_their_ids_and_kept(keys: KeyServer) -> None:
    tokens = verifier(jwks_url=keys.url)
    for _ in range(3):
        assert (await tokens.claims(token(ONE, "RS256", "one")))["sub"] == "ada"
    assert keys.asked == 1
    with pytest.raises(BadToken, match="kid 'other'"):
        await tokens.claims(token(OTHER, "RS256", "other"))
    with pytest.raises(BadToken, match="Signature"):
        await tokens.claims(token(OTHER, "RS256", "one"))
    assert keys.asked == 1, "not asked again at once for keys that are made up"


async def test_a_new_key_is_found_without_a_restart(keys: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.tokens._COOL_DOWN_S", 0.0)
    tokens = verifier(jwks_url=keys.url)
    await tokens.claims(token(ONE, "RS256", "one"))
    keys.keys = {"two": OTHER}
    await tokens.claims(token(OTHER, "RS256", "two"))
    with pytest.raises(BadToken):
        await tokens.claims(token(ONE, "RS256", "one"))


async def test_a_set_may_come_in_pieces() -> None:
    served = KeyServer()

    async def slowly(request: web.Request) -> web.StreamResponse:
        content = (await served.answer(request)).body
        assert isinstance(content, bytes)
        answer = web.StreamResponse()
        await answer.prepare(request)
        for start in range(0, len(content), 100):
            await answer.write(content[start : start + 100])
            await asyncio.sleep(0.001)
        return answer

    app = web.Application()
    app.router.add_get("/jwks", slowly)
    async with TestServer(app) as server:
        tokens = verifier(jwks_url=str(server.make_url("/jwks")))
        assert (await tokens.claims(token(ONE, "RS256", "one")))["sub"] == "ada"


async def test_a_server_that_fails_is_not_asked_for_each_token(
    keys: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.tokens._FRESH_S", -1.0)
    tokens = verifier(jwks_url=keys.url)
    keys.fails = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await tokens.claims(token(ONE, "RS256", "one"))
    assert keys.asked == 1
    monkeypatch.setattr("ingress.tokens._COOL_DOWN_S", -1.0)
    keys.fails = False
    assert (await tokens.claims(token(ONE, "RS256", "one")))["sub"] == "ada"
    keys.fails = True
    await tokens.claims(token(ONE, "RS256", "one"))
    assert keys.asked == 3
    monkeypatch.setattr("ingress.tokens._COOL_DOWN_S", 10.0)
    for _ in range(3):
        assert (await tokens.claims(token(ONE, "RS256", "one")))["sub"] == "ada", "by the keys of before"
    assert keys.asked == 3


async def test_a_set_that_cannot_be_read_is_for_later() -> None:
    with pytest.raises(Unavailable):
        await verifier(jwks_url="http://127.0.0.1:9/none").claims(token(ONE, "RS256", "one"))


@pytest.fixture
async def client(stand_ins: StandIns) -> AsyncIterator[Client]:
    settings = new_settings(jwt=TokenSettings.model_validate({"secret": SECRET}))
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        yield client


async def call(client: Client, given: str, method: str, path: str, **request: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {given}"}
    async with client.request(method, f"/api/v1{path}", headers=headers, **request) as answer:
        return answer.status, await answer.json()


async def test_a_person_may_what_the_token_says(client: Client, workflow_id: str) -> None:
    assert (await call(client, token(), "GET", "/workflows"))[0] == 200
    status, problem = await call(client, token(), "POST", "/workflows/import?app=x", json=GRAPH)
    assert (status, problem["detail"]) == (403, "this needs the permission `admin`; ada has read, run")
    assert (await call(client, token(scope="admin"), "GET", "/workflows"))[0] == 403
    assert (await call(client, token(scope=None), "GET", "/workflows"))[0] == 403
    listed = token(scope=None, permissions=["read"])
    assert (await call(client, listed, "GET", "/workflows"))[0] == 200
    status, problem = await call(client, token("x" * 32), "GET", "/workflows")
    assert (status, "Signature" in problem["detail"]) == (401, True)


async def test_a_person_sees_their_tenant(client: Client, workflow_id: str) -> None:
    path = f"/workflows/{workflow_id}"
    assert (await call(client, token(), "GET", path))[0] == 200
    assert (await call(client, token(tenant_id=new_id()), "GET", path))[0] == 404
    for named in ("acme.com", "ops@eu.acme.com", "org_1", "-_", "t" * 200):
        assert (await call(client, token(tenant_id=named), "GET", path))[0] == 404, named


NO_TENANTS = [7, 0, False, [], "", "..", ".x", "../x", "x/y", "auth0|x", "x y", "x\n", "é", "t" * 201]


@pytest.mark.parametrize("named", NO_TENANTS)
async def test_whoever_cannot_have_files_or_be_erased_is_no_tenant(client: Client, named: Any) -> None:
    status, problem = await call(client, token(tenant_id=named), "GET", "/workflows")
    assert status == 401
    assert "the claim tenant_id of the token is no name of a tenant" in problem["detail"]


async def test_a_key_may_be_made_for_less(client: Client, stand_ins: StandIns, workflow_id: str) -> None:
    key = ApiKey(id="k", name="reader", sha256=ApiKey.digest("weak"), permissions=("read",))
    await stand_ins.configured.put(API_KEYS, key)
    assert (await call(client, "weak", "GET", "/workflows"))[0] == 200
    assert (await call(client, "weak", "POST", f"/triggers/workflows/{workflow_id}/manual"))[0] == 403


async def test_a_person_starts_a_workflow_once_in_a_while(
    client: Client, stand_ins: StandIns, workflow_id: str
) -> None:
    path = f"/triggers/workflows/{workflow_id}/manual"
    assert (await call(client, token(), "POST", path))[0] == 202
    [event] = stand_ins.sent.events()
    assert event["created_by"] == "ada"
    assert event["trigger_id"].startswith("manual-ada-")
    headers = {"Authorization": f"Bearer {token()}"}
    async with client.post(f"/api/v1{path}", headers=headers) as answer:
        assert answer.status == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert (await call(client, token(sub="eve"), "POST", path))[0] == 202, "each has their own"
    for _ in range(2):
        async with client.post(f"/api/v1{path}", headers=AUTHORIZED) as answer:
            assert answer.status == 202, "a key is no user"
    acting = [await call(client, "first-key", "POST", path, json={"user": "bob"}) for _ in range(2)]
    assert [status for status, _ in acting] == [202, 429]


async def test_a_workflow_says_how_it_is_started_by_hand(client: Client, workflow_id: str) -> None:
    start, control = f"/triggers/workflows/{workflow_id}/manual", f"/workflows/{workflow_id}/flow-control"
    manual = {"require_confirmation": True, "interval_s": 0}
    assert (await call(client, "first-key", "PUT", control, json={"manual": manual}))[0] == 200
    status, problem = await call(client, token(), "POST", start)
    assert (status, "confirmed" in problem["detail"]) == (409, True)
    for _ in range(2):
        assert (await call(client, token(), "POST", start, json={"confirmed": True}))[0] == 202
    await call(client, "first-key", "PUT", control, json={"manual": {"enabled": False}})
    assert (await call(client, token(), "POST", start, json={"confirmed": True}))[0] == 409
