"""What providers send to a subscription's endpoint: proved, read, accepted."""

import hmac
import time
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp.test_utils import TestClient

from plugins.stripe import Stripe
from schemas.models import TriggerSubscription
from schemas.models.subscription import SubscriptionStatus
from schemas.plugins.contract import Dispatch, PluginEvent
from schemas.secrets import SecretBox
from schemas.triggers.delivery import Reply
from tests.ingress.stand_ins import SECRET_KEY, Server, assemble, new_settings
from tests.ingress.subscriptions.conftest import Caller
from transport.subscriptions import SUBSCRIPTIONS

PAID = {
    "id": "evt_1",
    "object": "event",
    "type": "invoice.paid",
    "data": {"object": {"id": "in_1", "total": 5}},
}


def signature(secret: str, body: bytes) -> dict[str, str]:
    """As Stripe signs."""
    at = int(time.time())
    signed = hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()
    return {"Stripe-Signature": f"t={at},v1={signed}", "Content-Type": "application/json"}


async def send(caller: Caller, made: Any, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    path = urlsplit(made["endpoint"]).path
    async with caller.client.post(path, data=body, headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read() or b"null")


async def test_an_event_is_accepted_once(caller: Caller) -> None:
    made = await caller.subscribe()
    [endpoint] = caller.providers.endpoints.values()
    body = orjson.dumps(PAID)
    status, accepted = await send(caller, made, body, signature(endpoint["secret"], body))
    assert (status, accepted["trigger_id"], accepted["duplicate"]) == (202, "evt_1", False)
    status, accepted = await send(caller, made, body, signature(endpoint["secret"], body))
    assert (status, accepted["duplicate"]) == (200, True)
    event = caller.stand_ins.sent.events()[0]
    stored = caller.stand_ins.configured.definitions.subscriptions.get(made["id"])
    assert stored is not None
    assert (event["trigger_type"], event["index_key"], event["event_type"]) == (
        "PLUGIN",
        made["id"],
        "invoice.paid",
    )
    assert (event["subject"], event["tenant_id"]) == ("in_1", stored.tenant_id)
    data = orjson.loads(event["data"])
    metadata = data["metadata"]
    assert metadata.pop("received_at")
    assert metadata == {
        "provider_id": "hopline/stripe",
        "endpoint_id": stored.endpoint_id,
        "event_type": "invoice.paid",
        "subscription_id": made["id"],
    }
    assert (data["type"], data["body"]) == ("plugin", PAID)
    assert "stripe-signature" not in data["headers"]
    assert endpoint["secret"] not in event["data"]


async def test_headers_that_a_plugin_keeps_to_itself(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stripe, "secret_headers", frozenset({"x-shared-token"}))
    made = await caller.subscribe(credentials={"signing_secret": "s"})
    body = orjson.dumps(PAID)
    sent = {**signature("s", body), "X-Shared-Token": "t0ken", "X-Other": "1"}
    assert (await send(caller, made, body, sent))[0] == 202
    [event] = caller.stand_ins.sent.events()
    headers = orjson.loads(event["data"])["headers"]
    assert ("x-shared-token" in headers, headers["x-other"]) == (False, "1")


async def test_who_proves_nothing_is_refused(caller: Caller) -> None:
    made = await caller.subscribe()
    body = orjson.dumps(PAID)
    status, problem = await send(caller, made, body, signature("whsec_other", body))
    assert (status, "Stripe-Signature" in problem["detail"]) == (401, True)
    [endpoint] = caller.providers.endpoints.values()
    status, problem = await send(caller, made, b"[]", signature(endpoint["secret"], b"[]"))
    assert (status, "no event of Stripe" in problem["detail"]) == (400, True)
    assert caller.stand_ins.sent.events() == []


async def test_where_there_is_nothing(caller: Caller) -> None:
    made = await caller.subscribe()
    assert (await send(caller, {"endpoint": "http://h/triggers/plugin/nowhere"}, b"{}", {}))[0] == 404
    async with caller.client.get(urlsplit(made["endpoint"]).path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    await caller.call("DELETE", f"/subscriptions/{made['id']}")
    assert (await send(caller, made, b"{}", {}))[0] == 404


async def put(caller: Caller, made: Any, **update: Any) -> TriggerSubscription:
    """The stored one, changed."""
    stored = caller.stand_ins.configured.definitions.subscriptions.get(made["id"])
    assert stored is not None
    changed = stored.model_copy(update=update)
    await caller.stand_ins.configured.put(SUBSCRIPTIONS, changed)
    return changed


async def test_one_that_has_expired_is_gone(caller: Caller) -> None:
    made = await caller.subscribe()
    await put(caller, made, expires_at=int(time.time()) - 1, credential_expires_at=int(time.time()) + 60)
    status, problem = await send(caller, made, b"{}", {})
    assert (status, "expired" in problem["detail"]) == (410, True)
    _, shown = await caller.call("GET", f"/subscriptions/{made['id']}")
    assert (shown["expired"], shown["credential_expired"]) == (True, True)


async def test_while_it_is_set_up_nothing_can_be_proved(caller: Caller) -> None:
    made = await caller.subscribe()
    await put(caller, made, status=SubscriptionStatus.PENDING, properties={})
    body = orjson.dumps(PAID)
    # With no secret there is, an attacker would sign with none.
    status, problem = await send(caller, made, body, signature("", body))
    assert (status, "being set up" in problem["detail"]) == (503, True)
    assert caller.stand_ins.sent.events() == []


async def test_a_fault_of_a_plugin_says_where_and_nothing_else(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    made = await caller.subscribe()
    await put(caller, made, properties={"secret_thing": "s3cret"})
    status, problem = await send(caller, made, b"{}", {})
    assert status == 500
    said = [one.getMessage() for one in caplog.records if one.name == "ingress.subscriptions.receiving"]
    assert len(said) == 1
    assert "KeyError at " in said[0]
    assert "plugins/stripe.py" in said[0]
    assert "KeyError" not in problem["detail"]


async def test_a_reply_may_say_its_charset(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await caller.subscribe()
    event = PluginEvent(event_type="paid", body={}, delivery_id="1")
    reply = Reply(200, b"caf\xe9", "text/plain; charset=latin-1")
    monkeypatch.setattr(Stripe, "receive", lambda *_: Dispatch((event,), reply))
    async with caller.client.post(urlsplit(made["endpoint"]).path, data=b"{}") as answer:
        assert (answer.status, await answer.text()) == (200, "caf\u00e9")
    assert len(caller.stand_ins.sent.events()) == 1


async def test_so_many_requests_are_taken_of_an_endpoint(caller: Caller) -> None:
    made = await caller.subscribe(credentials={"signing_secret": "s"})
    settings = new_settings(endpoint_rate_per_s=0.01, endpoint_burst=2)
    async with TestClient(Server(assemble(caller.stand_ins, settings))) as client:
        limited = Caller(client, caller.stand_ins, caller.providers)
        assert [(await send(limited, made, b"{}", {}))[0] for _ in range(2)] == [401, 401]
        async with client.post(urlsplit(made["endpoint"]).path, data=b"{}") as answer:
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) > 60


async def test_secrets_of_another_key_take_nothing(caller: Caller) -> None:
    made = await caller.subscribe()
    stored = await put(caller, made)
    other = SecretBox(SECRET_KEY.replace("k", "x").encode()).encrypt(stored.tenant_id, "s")
    await put(caller, made, properties={"signing_secret": other})
    status, problem = await send(caller, made, b"{}", {})
    assert (status, "HOPLINE_SECRET_KEY" in problem["detail"]) == (503, True)


async def test_a_plugin_that_is_not_installed_here(caller: Caller) -> None:
    made = await caller.subscribe()
    await put(caller, made, provider_id="acme/nothing")
    status, problem = await send(caller, made, b"{}", {})
    assert (status, "not installed here" in problem["detail"]) == (503, True)
