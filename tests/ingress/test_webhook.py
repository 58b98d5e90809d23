"""Webhooks over real HTTP: what is refused with what, and what becomes of what is accepted."""

import asyncio
import base64
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from ingress.identity import CONTENT_WINDOW_MS, DELIVERY_WINDOW_MS
from schemas.ids import content_id
from schemas.models import DEFAULT_TENANT
from schemas.traces import span_id
from tests.ingress.stand_ins import AUTHORIZED, Client, NewWebhook, StandIns

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def problem(client: Client, method: str, path: str, status: int, **request: Any) -> dict[str, Any]:
    """The problem document that a request is answered with."""
    async with client.request(method, path, **request) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/problem+json"
        document: dict[str, Any] = await answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    return {**document, "headers": answer.headers}


async def test_an_accepted_event_has_all_of_the_request(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    headers = {
        "X-GitHub-Delivery": "d-1",
        "X-GitHub-Event": "push",
        "User-Agent": "GitHub-Hookshot/1",
        "traceparent": TRACE,
        "tracestate": "a=b",
    }
    async with client.post(f"{path}?page=1&tag=a&tag=b", json={"ref": "main"}, headers=headers) as answer:
        assert answer.status == 202
        accepted = await answer.json()
    (event,) = stand_ins.sent.events()
    assert accepted == {"trigger_id": "d-1", "duplicate": False, "event_id": event["event_id"]}
    webhook_id = path.rpartition("/")[2]
    assert event["dedup_key"] == f"WEBHOOK:{webhook_id}:d-1"
    assert event["dedup_window_ms"] == DELIVERY_WINDOW_MS
    assert (event["tenant_id"], event["trigger_type"]) == (DEFAULT_TENANT, "WEBHOOK")
    assert (event["index_key"], event["source"], event["event_type"]) == (webhook_id, path, "push")
    assert (event["triggers_offset"], event["workflows_offset"]) == (7, 7)
    assert (event["created_by_role"], event["replay_of"]) == ("end_user", None)
    data = orjson.loads(event["data"])
    assert data["type"] == "webhook"
    assert data["source"] == {"ip": "127.0.0.1", "user_agent": "GitHub-Hookshot/1"}
    assert (data["method"], data["path"]) == ("POST", path)
    assert data["query"] == {"page": "1", "tag": ["a", "b"]}
    assert data["body"] == {"ref": "main"}
    assert data["headers"]["x-github-event"] == "push"
    assert data["metadata"]["webhook_id"] == webhook_id
    assert data["metadata"]["received_at"].endswith("Z")


async def test_the_message_carries_cloudevents_and_the_trace(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    headers = {"Idempotency-Key": "k-1", "traceparent": TRACE, "tracestate": "a=b"}
    async with client.post(path, json={}, headers=headers):
        pass
    message = stand_ins.sent.sends[-1]
    (event,) = stand_ins.sent.events()
    assert message.topic == "trigger.events"
    assert message.key == event["dedup_key"].encode()
    carried = dict(message.headers)
    time = carried.pop("ce_time").decode()
    assert time == orjson.loads(event["data"])["metadata"]["received_at"]
    assert carried == {
        "ce_specversion": b"1.0",
        "ce_id": b"k-1",
        "ce_source": path.encode(),
        "ce_type": b"webhook",
        "content-type": b"application/vnd.apache.avro",
        # The trace and the flag that were sent, and the span of the event.
        "traceparent": f"{TRACE[:36]}{span_id(event['event_id'])}-01".encode(),
        "tracestate": b"a=b",
    }
    assert event["traceparent"] == TRACE
    assert event["received_at"] <= event["published_at"]
    async with client.post(path, json={}, headers={"traceparent": "no trace"}):
        pass
    assert "traceparent" not in dict(stand_ins.sent.sends[-1].headers)


async def test_secrets_of_the_request_stay_out_of_the_event(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    secret = dict.fromkeys(("Authorization", "Cookie", "X-Api-Key", "X-Hub-Signature-256"), "s3cret")
    async with client.post(path, json={}, headers={**secret, "X-Kept": "yes"}):
        pass
    data = stand_ins.sent.events()[-1]["data"]
    assert "s3cret" not in data
    assert orjson.loads(data)["headers"]["x-kept"] == "yes"


async def test_a_body_is_taken_as_deep_as_all_that_is_made_of_it_can_hold(
    client: Client, new_webhook: NewWebhook
) -> None:
    path, headers = await new_webhook(), {"Content-Type": "application/json"}
    async with client.post(path, data=b"[" * 250 + b"]" * 250, headers=headers) as answer:
        assert answer.status == 202
    refused = await problem(client, "POST", path, 400, data=b"[" * 251 + b"]" * 251, headers=headers)
    assert refused["detail"] == "the body is nested too deeply; at most 250 levels are taken"


async def test_headers_that_are_no_text_do_not_matter(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    host, port = client.server.host, client.server.port
    reader, writer = await asyncio.open_connection(host, port)
    lines = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n".encode()
    writer.write(lines + b"X-Odd: \xff\r\nIdempotency-Key: \xfe\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 202")
    writer.close()
    await writer.wait_closed()
    (event,) = stand_ins.sent.events()
    assert orjson.loads(event["data"])["headers"]["x-odd"] == "\ufffd"
    assert len(event["trigger_id"]) == 64


async def test_equal_content_is_a_duplicate_and_published_all_the_same(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    answers = []
    for body in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}):
        async with client.post(path, json=body) as answer:
            answers.append((answer.status, (await answer.json())["duplicate"]))
    assert answers == [(202, False), (200, True), (202, False)]
    first, second, _ = stand_ins.sent.events()
    assert first["trigger_id"] == second["trigger_id"] == content_id({"a": 1, "b": 2})
    assert first["event_id"] != second["event_id"]
    assert first["dedup_window_ms"] == CONTENT_WINDOW_MS


async def test_a_window_of_zero_makes_every_delivery_an_event(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook(dedup_window_s=0)
    for _ in range(2):
        async with client.post(path, json={}) as answer:
            assert answer.status == 202
    one, other = stand_ins.sent.events()
    assert one["dedup_key"] != other["dedup_key"]
    assert one["trigger_id"] == other["trigger_id"]
    assert one["dedup_window_ms"] == 0


async def test_a_trigger_answers_as_it_says(client: Client, new_webhook: NewWebhook) -> None:
    text = await new_webhook(response={"status": 200, "body": "ok"})
    json = await new_webhook(response={"status": 201, "body": {"ok": True}})
    empty = await new_webhook(response={"status": 204})
    async with client.post(text) as answer:
        assert (answer.status, answer.content_type, await answer.text()) == (200, "text/plain", "ok")
    async with client.post(json) as answer:
        assert (answer.status, await answer.json()) == (201, {"ok": True})
    async with client.post(empty) as answer:
        assert (answer.status, await answer.read()) == (204, b"")


async def test_the_alias_is_the_same_endpoint(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook(allowed_methods=["GET"])
    alias = path.replace("/triggers/", "/api/v1/public/")
    async with client.get(f"{alias}?a=1") as answer:
        assert answer.status == 202
    (event,) = stand_ins.sent.events()
    assert event["source"] == path
    assert orjson.loads(event["data"])["body"] is None


async def test_a_paused_trigger_accepts(client: Client, new_webhook: NewWebhook, stand_ins: StandIns) -> None:
    path = await new_webhook()
    async with client.get("/api/v1/triggers", headers=AUTHORIZED) as answer:
        trigger_id = (await answer.json())["data"][0]["id"]
    async with client.post(f"/api/v1/triggers/{trigger_id}/pause", headers=AUTHORIZED) as answer:
        assert (await answer.json())["status"] == "PAUSED"
    async with client.post(path, json={}) as answer:
        assert answer.status == 202
    assert len(stand_ins.sent.events()) == 1


async def test_unknown_and_deleted_webhooks_are_not_found(client: Client, new_webhook: NewWebhook) -> None:
    await problem(client, "POST", "/triggers/webhook/nothing-is-here", 404)
    path = await new_webhook()
    async with client.post(path) as answer:
        assert answer.status == 202
    async with client.get("/api/v1/triggers", headers=AUTHORIZED) as answer:
        trigger_id = (await answer.json())["data"][0]["id"]
    async with client.delete(f"/api/v1/triggers/{trigger_id}", headers=AUTHORIZED) as answer:
        assert answer.status == 204
    await problem(client, "POST", path, 404)


async def test_method_content_type_and_parameters(client: Client, new_webhook: NewWebhook) -> None:
    required = {"query": ["page"], "headers": ["X-Kind"], "body": ["a.b", "items.1.sku"]}
    path = await new_webhook(
        allowed_methods=["POST", "PUT"], content_types=["application/json"], required=required
    )
    refused = await problem(client, "GET", path, 405)
    assert refused["headers"]["Allow"] == "POST, PUT"
    refused = await problem(client, "POST", path, 415, data=b"a=1", headers={"Content-Type": "text/csv"})
    assert "application/json" in refused["detail"]
    refused = await problem(client, "POST", path, 422, json={"a": {}, "items": [{"sku": 1}]})
    missing = ["query.page", "headers.X-Kind", "body.a.b", "body.items.1.sku"]
    assert [row["field"] for row in refused["errors"]] == missing
    assert all(name in refused["detail"] for name in missing)
    good = {"a": {"b": None}, "items": [{}, {"sku": 1}]}
    async with client.put(f"{path}?page=", json=good, headers={"x-kind": "1"}) as answer:
        assert answer.status == 202, await answer.text()


async def test_a_signed_webhook_takes_signed_requests_only(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook(signature={"scheme": "github", "secrets": ["old", "new"]})
    body = b'{"ref": "refs/heads/main"}'
    signature = "sha256=" + hmac.digest(b"new", body, "sha256").hex()
    async with client.post(path, data=body, headers={"X-Hub-Signature-256": signature}) as answer:
        assert answer.status == 202, await answer.text()
    for headers in ({}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}):
        refused = await problem(client, "POST", path, 401, data=body, headers=headers)
        assert "WWW-Authenticate" in refused["headers"]
    assert len(stand_ins.sent.events()) == 1


async def test_what_svix_has_signed_is_no_other_delivery_under_a_name_that_it_has_not(
    client: Client, new_webhook: NewWebhook
) -> None:
    path = await new_webhook(signature={"scheme": "svix", "secrets": ["whsec_c2VjcmV0"]})
    at_s = int(time.time())
    signature = base64.b64encode(hmac.digest(b"secret", f"msg_1.{at_s}.{{}}".encode(), "sha256")).decode()
    headers = {"svix-id": "msg_1", "svix-timestamp": str(at_s), "svix-signature": f"v1,{signature}"}
    for more, status in (({}, 202), ({"webhook-id": "msg_2"}, 200), ({"Idempotency-Key": "msg_3"}, 200)):
        async with client.post(path, data=b"{}", headers={**headers, **more}) as answer:
            assert (answer.status, (await answer.json())["trigger_id"]) == (status, "msg_1")


async def test_a_body_over_the_limit_is_refused_announced_or_not(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100

    for data in (b"x" * 4097, pieces()):
        refused = await problem(client, "POST", path, 413, data=data)
        assert "4096 bytes" in refused["detail"]
    async with client.post(path, data=b"x" * 4096) as answer:
        assert answer.status == 202
    assert len(stand_ins.sent.events()) == 1


async def test_without_the_broker_the_producer_is_told_to_come_again(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    stand_ins.sent.fails = True
    refused = await problem(client, "POST", path, 503, json={"a": 1})
    assert refused["headers"]["Retry-After"] == "1"
    stand_ins.sent.fails = False
    async with client.post(path, json={"a": 1}) as answer:
        assert answer.status == 202, "what was not acknowledged is no duplicate"


async def test_what_comes_in_is_counted(client: Client, new_webhook: NewWebhook) -> None:
    path = await new_webhook()
    for _ in range(2):
        async with client.post(path, data=b"1234", headers={"Content-Type": "text/plain"}):
            pass
    await problem(client, "GET", path, 405)
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'hopline_ingress_events_total{duplicate="no",trigger_type="WEBHOOK"} 1.0' in text
    assert 'hopline_ingress_events_total{duplicate="yes",trigger_type="WEBHOOK"} 1.0' in text
    assert 'hopline_ingress_refusals_total{status="405"} 1.0' in text
    assert "hopline_ingress_accept_seconds_count 2.0" in text


@pytest.mark.parametrize("path", ["/", "/api/v1/nothing", "/triggers/webhook/"])
async def test_what_is_not_there_is_a_problem_document(path: str, client: Client) -> None:
    await problem(client, "GET", path, 404)


async def test_a_wrong_method_of_the_control_plane_is_a_problem_document(client: Client) -> None:
    refused = await problem(client, "DELETE", "/api/v1/workflows", 405)
    assert "GET" in refused["headers"]["Allow"]
