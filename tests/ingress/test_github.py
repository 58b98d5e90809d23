"""Deliveries of GitHub over HTTP: who they are for, what they become, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

from schemas.models import DEFAULT_TENANT, GitHubConnection
from schemas.secrets import SecretBox
from tests.ingress.provider_clients import WEBHOOK_SECRET, connect_github, deliver_github
from tests.ingress.stand_ins import SECRET_KEY, Client, Server, StandIns, assemble, new_settings
from tests.octokit.payloads import of_event, payloads

PATH = "/api/v1/github/webhook"
PUSH = next(of_event("push"))
AS_APP = {
    "X_GitHub_Hook_Installation_Target_Type": "integration",
    "X_GitHub_Hook_Installation_Target_ID": "12",
}


@pytest.fixture
async def client(stand_ins: StandIns) -> AsyncIterator[Client]:
    async with TestClient(Server(assemble(stand_ins, new_settings()))) as client:
        yield client


async def test_every_real_payload_goes_through(client: Client, stand_ins: StandIns) -> None:
    path = (await connect_github(client))["path"]
    sent = payloads()
    for number, one in enumerate(sent):
        status, answer = await deliver_github(client, path, one.event, one.payload, delivery_id=f"d-{number}")
        if one.event == "ping":
            assert (status, answer) == (200, {"pong": True})
        else:
            assert (status, answer["duplicate"]) == (202, False), one.event
    kept = [orjson.loads(event["data"])["body"] for event in stand_ins.sent.events()]
    assert kept == [one.payload for one in sent if one.event != "ping"]


async def test_every_real_payload_is_refused_with_a_wrong_signature(
    client: Client, stand_ins: StandIns
) -> None:
    path = (await connect_github(client))["path"]
    for one in payloads():
        status, _ = await deliver_github(client, path, one.event, one.payload, secret="another")
        assert status == 401
    assert stand_ins.sent.events() == []


async def test_what_an_event_is_made_of(client: Client, stand_ins: StandIns) -> None:
    path = (await connect_github(client))["path"]
    status, answer = await deliver_github(client, path, "push", PUSH)
    assert (status, answer["trigger_id"]) == (202, "d-1")
    [event] = stand_ins.sent.events()
    assert (event["trigger_type"], event["tenant_id"]) == ("GITHUB", DEFAULT_TENANT)
    assert (event["index_key"], event["event_type"]) == ("codertocat/hello-world", "push")
    assert event["dedup_window_ms"] == 3 * 86_400_000
    data = orjson.loads(event["data"])
    assert data["delivery"]["connection"] == "main"
    assert "x-hub-signature-256" not in data["headers"]


async def test_the_same_delivery_again_is_a_duplicate(client: Client, stand_ins: StandIns) -> None:
    path = (await connect_github(client))["path"]
    first = await deliver_github(client, path, "push", PUSH)
    again = await deliver_github(client, path, "push", PUSH)
    other = await deliver_github(client, path, "push", PUSH, delivery_id="d-2")
    assert [(status, answer["duplicate"]) for status, answer in (first, again, other)] == [
        (202, False), (200, True), (202, False),
    ]  # fmt: skip
    keys = [event["dedup_key"] for event in stand_ins.sent.events()]
    assert keys[0] == keys[1] != keys[2]


async def test_an_app_is_told_by_what_github_says_of_it(client: Client) -> None:
    await connect_github(client, "mine", app_id="12")
    await connect_github(client, "other", app_id="13", credentials={"webhook_secret": "x"})
    assert (await deliver_github(client, PATH, "push", PUSH, **AS_APP))[0] == 202
    elsewhere = {**AS_APP, "X_GitHub_Hook_Installation_Target_ID": "13"}
    assert (await deliver_github(client, PATH, "push", PUSH, **elsewhere))[0] == 401
    unknown = {**AS_APP, "X_GitHub_Hook_Installation_Target_ID": "14"}
    assert (await deliver_github(client, PATH, "push", PUSH, **unknown))[0] == 401


async def test_a_webhook_of_a_repository_needs_the_address_of_its_connection(client: Client) -> None:
    connection = await connect_github(client)
    of_repository = {
        "X_GitHub_Hook_Installation_Target_Type": "repository",
        "X_GitHub_Hook_Installation_Target_ID": "1",
    }
    assert (await deliver_github(client, PATH, "push", PUSH, **of_repository))[0] == 401
    assert (await deliver_github(client, connection["path"], "push", PUSH, **of_repository))[0] == 202
    assert (await deliver_github(client, PATH + "/nobody", "push", PUSH))[0] == 404


async def test_each_tenant_of_a_shared_app_has_an_event_of_its_own(
    client: Client, stand_ins: StandIns
) -> None:
    await connect_github(client, app_id="12")
    box = SecretBox(SECRET_KEY.encode())
    for tenant, secret in (("t2", WEBHOOK_SECRET), ("t3", "another")):
        credentials = {"webhook_secret": box.encrypt(tenant, secret)}
        entity = GitHubConnection(id=tenant, tenant_id=tenant, name="x", app_id="12", credentials=credentials)
        await stand_ins.configured.put("definitions.github_connections", entity)
    status, answer = await deliver_github(client, PATH, "push", PUSH, **AS_APP)
    assert (status, len(answer["event_ids"])) == (202, 2)
    assert [event["tenant_id"] for event in stand_ins.sent.events()] == [DEFAULT_TENANT, "t2"]
    assert len({event["dedup_key"] for event in stand_ins.sent.events()}) == 2


async def test_a_connection_whose_secret_cannot_be_read_harms_nobody_else(
    client: Client, stand_ins: StandIns
) -> None:
    sealed = SecretBox(b"another key of this deployment....").encrypt("t2", "s")
    broken = GitHubConnection(
        id="b", tenant_id="t2", name="x", app_id="12", credentials={"webhook_secret": sealed}
    )
    await stand_ins.configured.put("definitions.github_connections", broken)
    await connect_github(client, app_id="12")
    assert (await deliver_github(client, PATH, "push", PUSH, **AS_APP))[0] == 202
    status, problem = await deliver_github(client, PATH + "/b", "push", PUSH)
    assert (status, "HOPLINE_SECRET_KEY" in problem["detail"]) == (503, True)


async def test_a_secret_is_rotated_without_a_gap(client: Client) -> None:
    shown = await connect_github(
        client, credentials={"webhook_secret": "new", "previous_webhook_secret": "old"}
    )
    for secret, status in (("new", 202), ("old", 202), ("older", 401)):
        found, _ = await deliver_github(
            client, shown["path"], "push", PUSH, secret=secret, delivery_id=secret
        )
        assert found == status


async def test_a_deleted_connection_is_gone(client: Client, stand_ins: StandIns) -> None:
    shown = await connect_github(client, app_id="12")
    assert (await deliver_github(client, PATH, "push", PUSH, **AS_APP))[0] == 202
    await stand_ins.configured.delete("definitions.github_connections", shown["id"])
    assert (await deliver_github(client, PATH, "push", PUSH, **AS_APP))[0] == 401
    assert (await deliver_github(client, shown["path"], "push", PUSH))[0] == 404


async def test_an_address_takes_so_many_and_what_is_refused_is_counted(stand_ins: StandIns) -> None:
    settings = new_settings(endpoint_rate_per_s=0.001, endpoint_burst=2)
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        one, other = [(await connect_github(client, name))["path"] for name in ("one", "other")]
        good = WEBHOOK_SECRET
        for path, secret, expected in (
            (one, good, 202),
            (one, "x", 401),
            (one, good, 429),
            (other, good, 202),
        ):
            status, _ = await deliver_github(client, path, "push", PUSH, secret=secret, delivery_id=path)
            assert status == expected
        async with client.get("/metrics") as answer:
            shown = await answer.text()
        for status in (401, 429):
            assert f'hopline_ingress_refusals_total{{status="{status}"}} 1.0' in shown


async def test_a_broker_that_takes_nothing(client: Client, stand_ins: StandIns) -> None:
    path = (await connect_github(client))["path"]
    stand_ins.sent.fails = True
    assert (await deliver_github(client, path, "push", PUSH))[0] == 503


async def test_what_is_no_delivery(client: Client) -> None:
    path = (await connect_github(client))["path"]
    for payload in ([], "x"):
        status, problem = await deliver_github(client, path, "push", payload)
        assert (status, problem["detail"]) == (400, "the payload is not a JSON object")
    async with client.post(path, data=b"{}") as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Signature"


@pytest.mark.parametrize("given", [None, "", "s"])
async def test_the_app_of_the_deployment(stand_ins: StandIns, given: str | None) -> None:
    settings: Any = {} if given is None else {"github_webhook_secret": SecretStr(given)}
    async with TestClient(Server(assemble(stand_ins, new_settings(**settings)))) as client:
        expected = 202 if given else 401
        for headers in ({}, AS_APP):
            status, _ = await deliver_github(client, PATH, "push", PUSH, secret=given or "", **headers)
            assert status == expected
            expected = 200 if given else 401
