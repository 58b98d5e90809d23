"""The policy of a tenant's code nodes."""

from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT, SandboxPolicy
from tests.ingress.stand_ins import AUTHORIZED, Client, StandIns

PATH = "/api/v1/sandbox-policies"


async def test_the_network_is_switched_on_and_off(client: Client, stand_ins: StandIns) -> None:
    async with client.post(PATH, json={"network": True}, headers=AUTHORIZED) as answer:
        assert (answer.status, (await answer.json())["network"]) == (201, True)
    definitions = stand_ins.configured.definitions
    stored = definitions.provider(SandboxPolicy, DEFAULT_TENANT, "default")
    assert stored is not None
    assert stored.network
    async with client.put(f"{PATH}/default", json={"network": False}, headers=AUTHORIZED) as answer:
        assert (answer.status, (await answer.json())["network"]) == (200, False)


@pytest.mark.parametrize(
    "body", [{"name": "mine"}, {"network": "perhaps"}, {"credentials": {"token": "x"}}, {"web": True}]
)
async def test_what_it_has_not_is_refused(client: Client, body: dict[str, Any]) -> None:
    async with client.post(PATH, json=body, headers=AUTHORIZED) as answer:
        assert answer.status == 422
