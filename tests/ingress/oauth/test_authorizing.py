"""A user authorizes a subscription at a real OAuth server, and any process finishes it."""

import asyncio
import base64
import time
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import TestClient

from ingress.oauth.state import AuthorizationState, opened_state
from schemas.models import DEFAULT_TENANT, ApiKey
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import SECRET_KEY, Server, assemble, new_settings
from tests.ingress.subscriptions.conftest import Caller
from transport.definitions import API_KEYS

BOX = SecretBox(SECRET_KEY.encode())


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def pending(caller: Caller) -> Any:
    """A subscription that waits for its user."""
    await caller.call("PUT", "/oauth/tenant-clients/gitlab", caller.providers.oauth.client_body)
    parameters = {"project": "7", "events": ["push"], "url": caller.providers.url}
    return await caller.subscribe(name="p", provider="gitlab", parameters=parameters, credentials={})


async def test_a_user_agrees_and_the_subscription_is_made(caller: Caller) -> None:
    made = await pending(caller)
    assert (made["status"], made["credential_type"], made["credentials"]) == ("PENDING", "oauth", {})
    asked = query_of(made["authorize_url"])
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].endswith("/api/v1/oauth/gitlab/callback")
    status, page = await caller.agree(made["authorize_url"])
    assert (status, "Authorized" in page) == (200, True)
    [hook] = caller.providers.hooks.values()
    assert hook["url"] == made["endpoint"]
    _, shown = await caller.call("GET", f"/subscriptions/{made['id']}")
    assert shown["status"] == "ACTIVE"
    assert (shown["credential_expired"], shown["expired"]) == (False, False)
    assert shown["credential_expires_at"] == pytest.approx(time.time() + 7200, abs=60)
    assert set(shown["credentials"]) == {"access_token", "refresh_token", "token_type", "scope"}
    stored = caller.stand_ins.configured.definitions.subscriptions.get(made["id"])
    assert stored is not None
    token = BOX.decrypt(DEFAULT_TENANT, stored.credentials["access_token"])
    assert caller.providers.oauth.is_good(token)
    issued = [value for one in caller.providers.oauth.tokens for value in one.issued.values()]
    texts = [value for value in issued if isinstance(value, str) and len(value) > 20]
    seen = str(caller.stand_ins.sent.sends) + str(shown) + page
    assert [text for text in [*texts, hook["token"]] if text in seen] == []
    assert (await caller.call("DELETE", f"/subscriptions/{made['id']}"))[0] == 204
    assert caller.providers.hooks == {}


async def test_another_process_finishes_what_this_one_has_begun(caller: Caller) -> None:
    made = await pending(caller)
    settings = new_settings(egress_allow="127.0.0.1")
    async with TestClient(Server(assemble(caller.stand_ins, settings))) as other:
        there = Caller(other, caller.stand_ins, caller.providers)
        assert (await there.agree(made["authorize_url"]))[0] == 200
    assert (await caller.call("GET", f"/subscriptions/{made['id']}"))[1]["status"] == "ACTIVE"


async def test_an_authorization_is_good_for_once(caller: Caller) -> None:
    made = await pending(caller)
    assert (await caller.agree(made["authorize_url"]))[0] == 200
    status, problem = await caller.agree(made["authorize_url"])
    assert (status, "has been used" in problem) == (409, True)
    assert len(caller.providers.oauth.tokens) == 1


async def test_what_is_changed_meanwhile_stays_changed(caller: Caller) -> None:
    made = await pending(caller)
    path, renamings = f"/subscriptions/{made['id']}", set()

    async def rename() -> None:
        renamings.add(asyncio.create_task(caller.call("PATCH", path, {"name": "pushes"})))
        # It may be through before the provider has answered, or have to wait for that.
        await asyncio.wait(renamings, timeout=0.2)

    caller.providers.oauth.meanwhile = rename
    assert (await caller.agree(made["authorize_url"]))[0] == 200
    assert [status for status, _ in await asyncio.gather(*renamings)] == [200]
    _, shown = await caller.call("GET", path)
    assert (shown["name"], shown["status"]) == ("pushes", "ACTIVE")


async def test_again_it_is_another_token_for_the_same_hook(caller: Caller) -> None:
    made = await pending(caller)
    await caller.agree(made["authorize_url"])
    status, again = await caller.call("GET", f"/oauth/gitlab/authorize?subscription_id={made['id']}")
    assert (status, again["expires_in_s"]) == (302, 600)
    assert (await caller.agree(again["authorize_url"]))[0] == 200
    assert len(caller.providers.oauth.tokens) == 2
    assert len(caller.providers.hooks) == 1


async def test_who_has_not_begun_cannot_finish(caller: Caller) -> None:
    made = await pending(caller)
    state = query_of(made["authorize_url"])["state"]
    opened = opened_state(state, BOX, time.time())
    assert opened is not None
    forged = [
        "",
        state[:-4] + "AAAA",
        opened.model_copy(update={"until_s": time.time() - 1}).sealed(BOX),
        opened.model_copy(update={"provider_id": "hopline/microsoft_graph"}).sealed(BOX),
        f"{DEFAULT_TENANT}.{BOX.encrypt(DEFAULT_TENANT, 'something else that is encrypted')}",
        f"other.{BOX.encrypt('other', opened.model_dump_json())}",
    ]
    for one in forged:
        path = "/api/v1/oauth/gitlab/callback"
        async with caller.client.get(path, params={"code": "c", "state": one}) as answer:
            assert answer.status == 400
            assert "begin again" in (await answer.json())["detail"]
    assert caller.providers.oauth.requests == []


def test_a_state_is_not_read_on_its_way() -> None:
    state = AuthorizationState(
        tenant_id="t",
        caller="ada",
        subscription_id="s",
        credentials_id="c",
        provider_id="p/q",
        client_id="i",
        redirect_uri="http://h",
        verifier="v3rifier",
        until_s=10,
    )
    sealed = state.sealed(BOX)
    assert "v3rifier" not in sealed
    assert "v3rifier" not in repr(state)
    assert opened_state(sealed, BOX, 9) == state
    assert opened_state(sealed, BOX, 10) is None


async def test_what_the_provider_says_instead_is_passed_on(caller: Caller) -> None:
    made = await pending(caller)
    state = query_of(made["authorize_url"])["state"]
    path = "/api/v1/oauth/gitlab/callback"
    said = {"error": "access_denied", "error_description": "The user said no", "state": state}
    async with caller.client.get(path, params=said) as answer:
        assert answer.status == 400
        assert "access_denied The user said no" in (await answer.json())["detail"]
    async with caller.client.get(path, params={"code": "stolen", "state": state}) as answer:
        assert answer.status == 422
        assert "invalid_grant" in (await answer.json())["detail"]
    _, shown = await caller.call("GET", f"/subscriptions/{made['id']}")
    assert shown["status"] == "PENDING"


async def test_the_token_is_kept_where_the_provider_then_fails(caller: Caller) -> None:
    made = await pending(caller)
    caller.providers.down = True
    assert (await caller.agree(made["authorize_url"]))[0] == 503
    _, shown = await caller.call("GET", f"/subscriptions/{made['id']}")
    assert (shown["status"], "refresh_token" in shown["credentials"]) == ("PENDING", True)
    caller.providers.down = False
    _, again = await caller.call("GET", f"/oauth/gitlab/authorize?subscription_id={made['id']}")
    assert (await caller.agree(again["authorize_url"]))[0] == 200


async def test_only_subscriptions_of_the_caller_that_need_it(caller: Caller) -> None:
    made = await caller.subscribe()
    assert (await caller.call("GET", f"/oauth/stripe/authorize?subscription_id={made['id']}"))[0] == 409
    assert (await caller.call("GET", f"/oauth/gitlab/authorize?subscription_id={made['id']}"))[0] == 404
    assert (await caller.call("GET", "/oauth/gitlab/authorize?subscription_id=other"))[0] == 404
    bare = {"X-Nothing": "1"}
    assert (await caller.call("GET", "/oauth/gitlab/authorize", headers=bare))[0] == 401


async def test_who_may_only_read_puts_no_account_of_theirs_in_the_place_of_another(caller: Caller) -> None:
    made = await pending(caller)
    key = ApiKey(id="k", name="reader", sha256=ApiKey.digest("weak"), permissions=("read", "run"))
    await caller.stand_ins.configured.put(API_KEYS, key)
    path, weak = f"/oauth/gitlab/authorize?subscription_id={made['id']}", {"Authorization": "Bearer weak"}
    assert (await caller.call("GET", path, headers=weak))[0] == 403
    assert (await caller.call("GET", path))[0] == 302


async def test_graph_asks_whose_the_endpoint_is_before_it_agrees(caller: Caller) -> None:
    await caller.call("PUT", "/oauth/system-clients/microsoft_graph", caller.providers.oauth.client_body)
    parameters = {
        "resource": "me/events",
        "changes": ["created", "deleted"],
        "lifetime_minutes": 60,
        "api_url": f"{caller.providers.url}/v1.0",
    }
    made = await caller.subscribe(
        name="events", provider="microsoft_graph", parameters=parameters, credentials={}
    )
    assert (await caller.agree(made["authorize_url"]))[0] == 200
    assert caller.providers.validated == ["Validation: Testing client application reachability & more"]
    _, shown = await caller.call("GET", f"/subscriptions/{made['id']}")
    assert shown["expires_at"] == pytest.approx(time.time() + 3600, abs=60)
    [(number, wanted)] = caller.providers.subscriptions.items()
    assert (wanted["changeType"], wanted["resource"]) == ("created,deleted", "me/events")
    change = {"subscriptionId": number, "changeType": "created", "resource": "me/events/1", "tenantId": "t"}
    body = {
        "value": [
            {**change, "clientState": wanted["clientState"]},
            {**change, "changeType": "deleted", "clientState": wanted["clientState"]},
        ]
    }
    path = urlsplit(made["endpoint"]).path
    async with caller.client.post(path, json=body) as answer:
        assert (answer.status, await answer.read()) == (202, b"")
    events = caller.stand_ins.sent.events()
    assert [event["event_type"] for event in events] == ["created", "deleted"]
    assert len({event["trigger_id"] for event in events}) == 2
    assert wanted["clientState"] not in str(events)
    before = caller.commands()
    removed = {"lifecycleEvent": "subscriptionRemoved", "clientState": wanted["clientState"]}
    async with caller.client.post(path, json={"value": [removed]}) as answer:
        assert answer.status == 202
    assert caller.commands() == [*before, "RENEW"]
    async with caller.client.post(path, json={"value": [{**change, "clientState": "guessed"}]}) as answer:
        assert answer.status == 401


async def test_a_browser_gets_a_page_that_says_what_the_provider_says(caller: Caller) -> None:
    made = await pending(caller)
    state = query_of(made["authorize_url"])["state"]
    said = {"error": "access_denied", "error_description": "<b>no</b>", "state": state}
    path, browser = "/api/v1/oauth/gitlab/callback", {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with caller.client.get(path, params=said, headers=browser) as answer:
        shown = await answer.text()
        assert (answer.status, answer.content_type) == (400, "text/html")
        assert (
            "The provider has not authorized the subscription: access_denied &lt;b&gt;no&lt;/b&gt;." in shown
        )
        policy = answer.headers["Content-Security-Policy"]
    style = shown.partition("<style>")[2].partition("</style>")[0]
    assert base64.b64encode(sha256(style.encode()).digest()).decode() in policy
