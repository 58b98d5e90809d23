"""What a webhook demands of a request and answers to it: paths, types, names, signatures, limits."""

import base64
import time
from typing import Any

import orjson
import pytest
import stripe
from aiohttp import FormData

from ingress.identity import DELIVERY_WINDOW_MS
from tests.ingress.stand_ins import AUTHORIZED, Client, NewWebhook, StandIns
from tests.ingress.test_webhook import problem

PARAMETERS = {
    "query": {"properties": {"page": {"type": "integer", "minimum": 1}}, "required": ["page"]},
    "headers": {"properties": {"X-Count": {"type": "integer"}}},
    "body": {"type": "object", "properties": {"amount": {"type": "number"}, "paid": {"type": "boolean"}}},
}


def events(stand_ins: StandIns) -> list[dict[str, Any]]:
    return [orjson.loads(event["data"]) for event in stand_ins.sent.events()]


async def create(client: Client, workflow_id: str, status: int = 201, **config: Any) -> dict[str, Any]:
    """The trigger, or the problem document."""
    wanted = {"workflow_id": workflow_id, "config": config}
    async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
        assert answer.status == status, await answer.text()
        created: dict[str, Any] = await answer.json()
        return created


async def test_a_path_leads_to_the_webhook_beside_its_id(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    trigger = await create(client, workflow_id, webhook_path="/shop/orders/")
    assert trigger["url"].endswith("/triggers/webhook/shop/orders")
    webhook_id = trigger["config"]["webhook_id"]
    paths = [f"{base}/{last}" for base in ("/triggers/webhook", "/api/v1/public/webhook")
             for last in ("shop/orders", webhook_id)]  # fmt: skip
    for path in paths:
        async with client.post(path, json={"path": path}) as answer:
            assert answer.status == 202, await answer.text()
    assert {event["index_key"] for event in stand_ins.sent.events()} == {webhook_id}
    await problem(client, "POST", "/triggers/webhook/shop", 404)
    await problem(client, "POST", "/triggers/webhook/shop/orders/1", 404)


async def test_a_path_is_taken_once_and_can_be_changed(client: Client, workflow_id: str) -> None:
    first = await create(client, workflow_id, webhook_path="orders")
    refused = await create(client, workflow_id, 409, webhook_path="orders")
    assert "orders is taken" in refused["detail"]
    await create(client, workflow_id, 409, webhook_path=first["config"]["webhook_id"])
    await create(client, workflow_id, 409, webhook_id=first["config"]["webhook_id"])
    other = await create(client, workflow_id, webhook_path="invoices")
    one = f"/api/v1/triggers/{other['id']}"
    async with client.patch(one, json={"config": {"webhook_path": "orders"}}, headers=AUTHORIZED) as answer:
        assert answer.status == 409
    async with client.patch(one, json={"config": {"webhook_path": "bills"}}, headers=AUTHORIZED) as answer:
        assert (await answer.json())["url"].endswith("/bills")
    await problem(client, "POST", "/triggers/webhook/invoices", 404)
    async with client.post("/triggers/webhook/bills") as accepted:
        assert accepted.status == 202


async def test_values_arrive_in_their_types(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook(parameters=PARAMETERS)
    headers = {"x-count": "7", "X-Other": "8"}
    async with client.post(
        f"{path}?page=2&n=3", data={"amount": "1.5", "paid": "no"}, headers=headers
    ) as answer:
        assert answer.status == 202, await answer.text()
    form = FormData({"amount": "2"}, default_to_multipart=True)
    async with client.post(f"{path}?page=2", data=form) as answer:
        assert answer.status == 202, await answer.text()
    one, other = events(stand_ins)
    assert one["query"] == {"page": 2, "n": "3"}
    assert one["body"] == {"amount": 1.5, "paid": False}
    assert (one["headers"]["x-count"], one["headers"]["x-other"]) == (7, "8")
    assert other["body"] == {"amount": 2}


async def test_everything_wrong_is_listed(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook(parameters=PARAMETERS, required={"headers": ["X-Kind"]})
    sent = {"json": {"amount": "1.5", "paid": 1}, "headers": {"X-Count": "many"}}
    refused = await problem(client, "POST", f"{path}?page=0", 422, **sent)
    fields = [row["field"] for row in refused["errors"]]
    assert fields == ["headers.X-Kind", "query.page", "headers.x-count", "body.amount", "body.paid"]
    assert all(row["why"] for row in refused["errors"])
    assert "1.5" not in str(refused), "what was sent is not repeated"
    assert stand_ins.sent.events() == []


async def test_bytes_that_are_no_text_fit_no_schema(client: Client, new_webhook: NewWebhook) -> None:
    text = {"properties": {"a": {"type": "string"}}}
    path = await new_webhook(parameters={"query": text, "body": text})
    async with client.post(f"{path}?a=%FF", data=b'{"a": "\xff"}') as answer:
        assert answer.status in (202, 400, 422), await answer.text()


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"parameters": {"body": {"type": "nothing"}}}, "config.parameters"),
        ({"parameters": {"query": {"$ref": "https://example.com/"}}}, "config.parameters"),
        ({"response": {"template": "{% if %}"}}, "config.response.template"),
        ({"signature": {"scheme": "basic", "secrets": ["no colon"]}}, "config.signature.secrets"),
        ({"signature": {"scheme": "hmac", "secrets": ["s"]}}, "config.signature"),
        ({"rate_limit": {"per_s": 0}}, "config.rate_limit.per_s"),
    ],
)
async def test_what_cannot_be_used_is_refused_when_it_is_stored(
    client: Client, workflow_id: str, config: dict[str, Any], field: str
) -> None:
    refused = await create(client, workflow_id, 422, **config)
    assert refused["errors"][0]["field"] == field


async def test_answers_with_headers_and_of_the_event(client: Client, new_webhook: NewWebhook) -> None:
    template = (
        '{"got": {{ body.order.id|tojson }}, "again": {{ duplicate|tojson }}, "id": {{ trigger_id|tojson }}}'
    )
    headers = {"Content-Type": "application/json", "X-Version": "2"}
    path = await new_webhook(
        response={"status": 201, "headers": headers, "template": template}, dedup_key=["body.order.id"]
    )
    for again in (False, True):
        async with client.post(path, json={"order": {"id": 'a"1'}}) as answer:
            assert (answer.status, answer.headers["X-Version"]) == (201, "2")
            assert answer.content_type == "application/json"
            assert await answer.json() == {"got": 'a"1', "again": again, "id": 'a"1'}


async def test_a_template_that_fails_takes_nothing_back(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    greedy = "{% for a in range(99999) %}{{ a }}{% endfor %}"
    for template in (greedy, "{{ body.a.b.c }}", "{{ ''.__class__.__mro__ }}"):
        path = await new_webhook(response={"status": 200, "template": template})
        async with client.post(path, json={}) as answer:
            assert answer.status == 202
            assert (await answer.json())["duplicate"] is False
    assert len(stand_ins.sent.events()) == 3


async def test_a_key_names_the_event(client: Client, new_webhook: NewWebhook, stand_ins: StandIns) -> None:
    path = await new_webhook(dedup_key=["body.order.id", "headers.x-kind"])
    sent = [("1", "a", "x"), ("1", "a", "y"), ("1", "b", "x"), ("2", "a", "x")]
    statuses = []
    for order, kind, note in sent:
        body = {"order": {"id": order}, "note": note}
        async with client.post(path, json=body, headers={"X-Kind": kind, "Idempotency-Key": note}) as answer:
            statuses.append(answer.status)
    assert statuses == [202, 200, 202, 202]
    assert {event["dedup_window_ms"] for event in stand_ins.sent.events()} == {DELIVERY_WINDOW_MS}
    async with client.post(path, json={"order": {"id": "1"}}, headers={"Idempotency-Key": "k"}) as answer:
        assert (await answer.json())["trigger_id"] == "k", "without one of the values the delivery id counts"


async def test_stripe_names_its_events_in_the_body(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    secret = "whsec_of_a_test"
    path = await new_webhook(signature={"scheme": "stripe", "secrets": [secret]})
    statuses = []
    for attempt in range(2):
        # Stripe signs each attempt anew, and says in the body that deliveries are pending.
        body = f'{{"id": "evt_1", "pending_webhooks": {attempt}}}'
        at_s = int(time.time())
        signature = stripe.WebhookSignature._compute_signature(f"{at_s}.{body}", secret)
        headers = {"Stripe-Signature": f"t={at_s},v1={signature}", "Content-Type": "application/json"}
        async with client.post(path, data=body, headers=headers) as answer:
            statuses.append(answer.status)
            assert (await answer.json())["trigger_id"] == "evt_1"
    assert statuses == [202, 200]
    assert stand_ins.sent.events()[-1]["dedup_window_ms"] == DELIVERY_WINDOW_MS


@pytest.mark.parametrize(
    ("signature", "good", "challenge"),
    [
        ({"scheme": "basic", "secrets": ["ada:s3cret"]},
         {"Authorization": "Basic " + base64.b64encode(b"ada:s3cret").decode()}, "Basic"),
        ({"scheme": "bearer", "secrets": ["s3cret"]}, {"Authorization": "Bearer s3cret"}, "Bearer"),
        ({"scheme": "bearer", "header": "X-My", "secrets": ["s3cret"]}, {"X-My": "s3cret"}, "Bearer"),
    ],
)  # fmt: skip
async def test_credentials_are_demanded_and_not_kept(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns,
    signature: dict[str, Any], good: dict[str, str], challenge: str,
) -> None:  # fmt: skip
    path = await new_webhook(signature=signature)
    async with client.post(path, json={}, headers=good) as answer:
        assert answer.status == 202, await answer.text()
    (event,) = stand_ins.sent.events()
    assert "s3cret" not in event["data"]
    assert not {name.lower() for name in good} & orjson.loads(event["data"])["headers"].keys()
    for headers in ({}, {name: f"{value}x" for name, value in good.items()}):
        refused = await problem(client, "POST", path, 401, json={}, headers=headers)
        assert refused["headers"]["WWW-Authenticate"].startswith(challenge)


async def test_a_limit_of_its_own(client: Client, new_webhook: NewWebhook, stand_ins: StandIns) -> None:
    path = await new_webhook(rate_limit={"per_s": 0.001, "burst": 2})
    other = await new_webhook()
    for n in range(2):
        async with client.post(path, json={"n": n}) as answer:
            assert answer.status == 202
    refused = await problem(client, "POST", path, 429, json={"n": 2})
    assert 900 < int(refused["headers"]["Retry-After"]) <= 1000
    async with client.post(other, json={}) as answer:
        assert answer.status == 202
    assert len(stand_ins.sent.events()) == 3
