"""Rate limits: how many, of whom, and when again."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient

from ingress.errors import TooMany
from ingress.limits import Limits, Rate
from schemas.triggers.webhook import RateLimit
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from tests.ingress.test_webhook import problem


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("per_s", "burst", "at_once"), [(10, 5, 5), (10, 0, 10), (0.5, 0, 1), (0.5, 3, 3)])
def test_so_many_at_once_then_one_each_interval(per_s: float, burst: int, at_once: int) -> None:
    clock = Clock()
    rate = Rate(per_s, burst, clock)
    assert [rate.wait_s("a") for _ in range(at_once)] == [0] * at_once
    assert rate.wait_s("a") == pytest.approx(1 / per_s)
    assert rate.wait_s("b") == 0, "another key has its own"
    for _ in range(3):
        clock.now += 1 / per_s
        assert rate.wait_s("a") == 0
        assert rate.wait_s("a") > 0
    clock.now += 1000
    assert [rate.wait_s("a") for _ in range(at_once)] == [0] * at_once
    assert rate.wait_s("a") > 0


def test_over_a_long_time_the_average_is_kept() -> None:
    clock, taken = Clock(), 0
    rate = Rate(7, 3, clock)
    for _ in range(10_000):
        clock.now += 0.01
        taken += rate.wait_s("a") == 0
    assert taken == pytest.approx(700, abs=4)


def test_a_batch_is_taken_and_paid_for() -> None:
    clock = Clock()
    rate = Rate(10, 5, clock)
    assert rate.wait_s("a", cost=25) == 0
    assert rate.wait_s("a") == pytest.approx(2.1)
    clock.now += 2.1
    assert rate.wait_s("a") == 0


def test_who_has_gone_is_forgotten() -> None:
    clock = Clock()
    rate = Rate(1, 1, clock)
    for n in range(5000):
        clock.now += 1
        assert rate.wait_s(str(n)) == 0
    assert len(rate._full_at) < 2000


def test_ingresses_share_a_limit() -> None:
    clock = Clock()
    limits = Limits(new_settings(tenant_rate_per_s=10, tenant_burst=10, rate_share=2), clock)
    for _ in range(5):
        limits.check_tenant("t")
    with pytest.raises(TooMany):
        limits.check_tenant("t")
    limits.check_tenant("other")


def test_the_lower_of_two_limits_counts() -> None:
    clock = Clock()
    limits = Limits(new_settings(endpoint_rate_per_s=10, endpoint_burst=3), clock)
    for own, taken in ((None, 3), (RateLimit(per_s=1, burst=2), 2), (RateLimit(per_s=100, burst=50), 3)):
        limit = limits.endpoint(own)
        assert limit is not None
        for _ in range(taken):
            limit.check(str(taken) + str(own))
        with pytest.raises(TooMany):
            limit.check(str(taken) + str(own))
    assert Limits(new_settings(), clock).endpoint(None) is None


@pytest.fixture
async def limited(stand_ins: StandIns) -> AsyncIterator[Client]:
    settings = new_settings(
        endpoint_rate_per_s=0.001, endpoint_burst=2, tenant_rate_per_s=0.001, tenant_burst=3
    )
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        yield client


async def webhook(client: Client, **config: object) -> str:
    async with client.post(
        "/api/v1/workflows/import?app=limits&publish=true", json=GRAPH, headers=AUTHORIZED
    ) as answer:
        workflow_id = (await answer.json())["workflow_id"]
    wanted = {"workflow_id": workflow_id, "config": config}
    async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
        return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])


async def test_limits_of_the_deployment(limited: Client) -> None:
    one, other = await webhook(limited), await webhook(limited)
    expected = ((one, 202), (one, 202), (one, 429), (other, 202), (other, 429))
    for n, (path, status) in enumerate(expected):
        async with limited.post(path, data=str(n).encode()) as answer:
            assert answer.status == status, await answer.text()
    async with limited.get("/metrics") as answer:
        assert 'hopline_ingress_refusals_total{status="429"} 2.0' in await answer.text()


async def test_who_cannot_sign_uses_nothing_of_the_tenant_up(limited: Client) -> None:
    signed = await webhook(limited, signature={"scheme": "bearer", "secrets": ["s"]})
    for _ in range(2):
        await problem(limited, "POST", signed, 401, data=b"x")
    open_ = await webhook(limited)
    for n in range(2):
        async with limited.post(open_, data=str(n).encode()) as answer:
            assert answer.status == 202


async def test_a_tenant_is_limited_wherever_events_come_in(limited: Client, stand_ins: StandIns) -> None:
    kind = {"Content-Type": "application/cloudevents-batch+json", **AUTHORIZED}
    batch = [{"specversion": "1.0", "id": str(n), "source": "/t", "type": "t"} for n in range(5)]
    async with limited.post("/api/v1/events", json=batch, headers=kind) as answer:
        assert answer.status == 202, await answer.text()
    refused = await problem(limited, "POST", "/api/v1/events", 429, json=batch, headers=kind)
    # Five were paid for with three: two more, and one each thousand seconds.
    assert 2000 < int(refused["headers"]["Retry-After"]) <= 3000
    assert len(stand_ins.sent.events()) == 5
