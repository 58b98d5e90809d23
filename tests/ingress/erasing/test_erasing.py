"""`/api/v1/erasures`: who may ask, and what a tenant can do meanwhile."""

from collections.abc import AsyncIterator

import jwt
import pytest
from aiohttp.test_utils import TestClient

from schemas.models import DEFAULT_TENANT, Erasure, ErasureStatus, utc_now
from tests.ingress.stand_ins import AUTHORIZED, Client, Server, StandIns, assemble, new_settings
from transport.clickhouse import ClickHouse

TENANT = "acme"


@pytest.fixture
async def client(stand_ins: StandIns, clickhouse: ClickHouse) -> AsyncIterator[Client]:
    async with TestClient(Server(assemble(stand_ins, new_settings(), clickhouse))) as client:
        yield client


async def test_the_operator_asks_once_and_sees_what_becomes_of_it(
    client: Client, stand_ins: StandIns
) -> None:
    wanted = {"tenant_id": TENANT, "reason": "contract ended"}
    async with client.post("/api/v1/erasures", json=wanted, headers=AUTHORIZED) as answer:
        first = await answer.json()
        assert answer.status == 202, first
    assert (first["status"], first["created_by"], first["before"]) == ("RUNNING", "bootstrap", None)
    async with client.post("/api/v1/erasures", json=wanted, headers=AUTHORIZED) as answer:
        assert (answer.status, await answer.json()) == (200, first)

    erasures = stand_ins.configured.definitions.erasures
    done = {"status": ErasureStatus.COMPLETED, "before": utc_now(), "counts": {"objects": 3}}
    erasures[first["id"]] = erasures[first["id"]].model_copy(update=done)
    async with client.get(f"/api/v1/erasures/{first['id']}", headers=AUTHORIZED) as answer:
        shown = await answer.json()
        assert (shown["status"], shown["counts"]) == ("COMPLETED", {"objects": 3})
    async with client.post("/api/v1/erasures", json=wanted, headers=AUTHORIZED) as answer:
        assert answer.status == 202
        again = await answer.json()
    async with client.get("/api/v1/erasures", headers=AUTHORIZED) as answer:
        assert [one["id"] for one in (await answer.json())["data"]] == [again["id"], first["id"]]
    async with client.get("/api/v1/erasures/none", headers=AUTHORIZED) as answer:
        assert answer.status == 404


async def test_no_key_of_a_tenant_may(client: Client) -> None:
    async with client.post("/api/v1/api-keys", json={"name": "all"}, headers=AUTHORIZED) as answer:
        key = {"Authorization": f"Bearer {(await answer.json())['token']}"}
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/e")):
        async with client.request(
            method, f"/api/v1/erasures{path}", headers=key, json={"tenant_id": TENANT}
        ) as answer:
            assert answer.status == 403
            assert "HOPLINE_API_KEY" in (await answer.json())["detail"]


async def test_a_token_says_who_is_the_operator(stand_ins: StandIns) -> None:
    secret = "s" * 32
    settings = new_settings(jwt={"secret": secret})
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        for words, status in (("operator", 200), ("read run admin", 403)):
            token = jwt.encode({"sub": "ada", "exp": 2**32, "scope": words}, secret, algorithm="HS256")
            headers = {"Authorization": f"Bearer {token}"}
            async with client.get("/api/v1/erasures", headers=headers) as answer:
                assert answer.status == status


async def test_nothing_can_be_done_for_a_tenant_meanwhile(client: Client, stand_ins: StandIns) -> None:
    erasures = stand_ins.configured.definitions.erasures
    erasures["e"] = Erasure(id="e", tenant_id=DEFAULT_TENANT)
    async with client.get("/api/v1/workflows", headers=AUTHORIZED) as answer:
        assert answer.status == 403
        assert "being erased" in (await answer.json())["detail"]
    async with client.get("/api/v1/erasures/e", headers=AUTHORIZED) as answer:
        assert answer.status == 200
    erasures["e"] = Erasure(
        id="e", tenant_id=DEFAULT_TENANT, status=ErasureStatus.COMPLETED, before=utc_now()
    )
    async with client.get("/api/v1/workflows", headers=AUTHORIZED) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("tenant_id", ["", "..", "a/b", "a b", "x" * 201])
async def test_what_is_no_tenant_is_refused(client: Client, tenant_id: str) -> None:
    async with client.post("/api/v1/erasures", json={"tenant_id": tenant_id}, headers=AUTHORIZED) as answer:
        assert answer.status == 422
