"""OAuth clients of the deployment and of tenants: encrypted, masked, and which of them is used."""

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from schemas.models import DEFAULT_TENANT, ApiKey
from schemas.models.oauth_client import SYSTEM_TENANT
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import SECRET_KEY, Server, StandIns, assemble, new_settings
from tests.ingress.subscriptions.conftest import Caller
from tests.ingress.test_turns import Late
from tests.providers import Providers
from transport.subscriptions import OAUTH_TENANT_CLIENTS

BODY = {"client_id": "abc", "client_secret": "s3cret"}
BOX = SecretBox(SECRET_KEY.encode())


@pytest.fixture
async def other(caller: Caller) -> dict[str, str]:
    """Headers of another tenant."""
    key = ApiKey(id="k", tenant_id="other", name="other", sha256=ApiKey.digest("other-key"))
    await caller.stand_ins.configured.put("definitions.api_keys", key)
    return {"Authorization": "Bearer other-key"}


async def test_what_is_left_out_is_as_the_plugin_knows_it(caller: Caller) -> None:
    status, shown = await caller.call("PUT", "/oauth/tenant-clients/hopline%2Fgitlab", BODY)
    assert status == 200, shown
    assert shown["authorize_url"] == "https://gitlab.com/oauth/authorize"
    assert (shown["scopes"], shown["client_auth"]) == (["api"], "client_secret_basic")
    assert (shown["client_secret"], shown["enabled"]) == ("********", True)
    assert shown["redirect_uri"].endswith("/api/v1/oauth/gitlab/callback")
    assert (await caller.call("GET", "/oauth/tenant-clients/gitlab"))[1] == shown
    assert (await caller.call("GET", "/oauth/tenant-clients"))[1] == {"data": [shown]}
    assert (await caller.call("GET", "/oauth/system-clients"))[1] == {"data": []}


async def test_the_secret_is_encrypted_and_the_mask_keeps_it(caller: Caller) -> None:
    _, made = await caller.call("PUT", "/oauth/tenant-clients/gitlab", BODY)
    changed = {**BODY, "client_secret": "********", "scopes": ["read_api"], "enabled": False}
    _, shown = await caller.call("PUT", "/oauth/tenant-clients/gitlab", changed)
    assert (shown["id"], shown["scopes"], shown["enabled"]) == (made["id"], ["read_api"], False)
    assert shown["created_at"] == made["created_at"]
    stored = caller.stand_ins.configured.definitions.subscriptions.oauth_clients[made["id"]]
    assert (stored.tenant_id, stored.provider_id) == (DEFAULT_TENANT, "hopline/gitlab")
    assert "s3cret" not in stored.model_dump_json()
    assert stored.params(BOX).client_secret == "s3cret"
    assert "s3cret" not in repr(stored.params(BOX))


async def test_a_secret_that_was_changed_does_not_come_back(providers: Providers) -> None:
    late = StandIns(configured=Late())
    async with TestClient(Server(assemble(late, new_settings()))) as client:
        caller, path = Caller(client, late, providers), "/oauth/tenant-clients/gitlab"
        _, made = await caller.call("PUT", path, BODY)
        changes = ({"client_secret": "new"}, {"client_secret": "********", "scopes": ["read_api"]})
        answers = await asyncio.gather(*(caller.call("PUT", path, {**BODY, **one}) for one in changes))
        assert [status for status, _ in answers] == [200, 200]
    stored = late.configured.definitions.subscriptions.oauth_clients[made["id"]]
    assert (stored.params(BOX).client_secret, stored.params(BOX).scopes) == ("new", ("read_api",))


async def test_a_stored_secret_goes_to_no_other_server(caller: Caller) -> None:
    await caller.call("PUT", "/oauth/tenant-clients/gitlab", BODY)
    moved = {**BODY, "token_url": "https://other.test/token"}
    status, problem = await caller.call(
        "PUT", "/oauth/tenant-clients/gitlab", {**moved, "client_secret": "********"}
    )
    assert (status, problem["errors"][0]["field"]) == (422, "client_secret")
    assert (await caller.call("PUT", "/oauth/tenant-clients/gitlab", moved))[0] == 200


async def test_one_that_was_stored_under_another_key_says_so(caller: Caller) -> None:
    _, made = await caller.call("PUT", "/oauth/tenant-clients/gitlab", BODY)
    stored = caller.stand_ins.configured.definitions.subscriptions.oauth_clients[made["id"]]
    other = SecretBox(b"x" * 32).encrypt(stored.tenant_id, "{}")
    changed = stored.model_copy(update={"encrypted_oauth_params": other})
    await caller.stand_ins.configured.put(OAUTH_TENANT_CLIENTS, changed)
    parameters = {"project": "7", "events": ["push"], "url": caller.providers.url}
    body = {"name": "n", "provider": "gitlab", "parameters": parameters}
    for method, path in (("GET", "/oauth/tenant-clients/gitlab"), ("POST", "/subscriptions")):
        status, problem = await caller.call(method, path, body)
        assert (status, "HOPLINE_SECRET_KEY" in problem["detail"]) == (503, True)
    assert (await caller.call("PUT", "/oauth/tenant-clients/gitlab", BODY))[0] == 200


async def test_the_deployments_are_its_operators(caller: Caller, other: dict[str, str]) -> None:
    _, made = await caller.call("PUT", "/oauth/system-clients/gitlab", BODY)
    stored = caller.stand_ins.configured.definitions.subscriptions.oauth_clients[made["id"]]
    assert stored.tenant_id == SYSTEM_TENANT
    for method, path in (("PUT", "/gitlab"), ("GET", "/gitlab"), ("GET", ""), ("DELETE", "/gitlab")):
        status, problem = await caller.call(method, f"/oauth/system-clients{path}", BODY, headers=other)
        assert (status, "belong to its operator" in problem["detail"]) == (403, True)
    assert (await caller.call("GET", "/oauth/tenant-clients", headers=other))[1] == {"data": []}
    assert (await caller.call("GET", "/oauth/tenant-clients/gitlab", headers=other))[0] == 404


async def test_a_tenants_own_comes_before_the_deployments(caller: Caller) -> None:
    oauth = caller.providers.oauth

    async def used() -> str:
        parameters = {"project": "7", "events": ["push"], "url": caller.providers.url}
        body: dict[str, Any] = {"name": "n", "provider": "gitlab", "parameters": parameters}
        status, made = await caller.call("POST", "/subscriptions", body)
        if status != 201:
            return str(made["detail"])
        await caller.call("DELETE", f"/subscriptions/{made['id']}")
        return str(made["authorize_url"]).split("client_id=")[1].split("&")[0]

    assert "there is no OAuth client for hopline/gitlab" in await used()
    await caller.call("PUT", "/oauth/system-clients/gitlab", {**oauth.client_body, "client_id": "system"})
    assert await used() == "system"
    await caller.call("PUT", "/oauth/tenant-clients/gitlab", {**oauth.client_body, "client_id": "own"})
    assert await used() == "own"
    disabled = {**oauth.client_body, "client_id": "own", "enabled": False}
    await caller.call("PUT", "/oauth/tenant-clients/gitlab", disabled)
    assert await used() == "system"
    assert (await caller.call("DELETE", "/oauth/system-clients/gitlab"))[0] == 204
    assert "there is no OAuth client" in await used()


@pytest.mark.parametrize(
    ("provider", "body", "said"),
    [
        ("stripe", BODY, "takes no OAuth"),
        ("nobody", BODY, "no plugin for 'nobody' is installed"),
        ("gitlab", {**BODY, "token_url": "file:///etc"}, "should match pattern"),
        ("gitlab", {**BODY, "client_auth": "magic"}, "Input should be"),
        ("gitlab", {"client_secret": "s3cret"}, "Field required"),
    ],
)
async def test_what_does_not_fit_is_refused(
    caller: Caller, provider: str, body: dict[str, Any], said: str
) -> None:
    status, problem = await caller.call("PUT", f"/oauth/tenant-clients/{provider}", body)
    assert status == 422, problem
    assert said in problem["errors"][0]["why"]
    assert "s3cret" not in str(problem)
