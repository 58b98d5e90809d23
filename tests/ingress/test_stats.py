"""Counts of what is configured and of what has happened, for one tenant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingress.figures import While
from tests.ingress.stand_ins import AUTHORIZED, Client, NewWebhook
from tests.ingress.test_deployments import CRON, call, publish

Json = dict[str, Any]


async def stats(client: Client, status: int = 200, **query: str) -> Json:
    async with client.get("/api/v1/stats", params=query, headers=AUTHORIZED) as answer:
        assert answer.status == status, await answer.text()
        return dict(await answer.json())


async def test_what_is_configured_is_counted_without_a_history(
    client: Client, new_webhook: NewWebhook
) -> None:
    await new_webhook()
    found = await stats(client)
    assert found["service"] == "hopline"
    assert (found["total_workflows"], found["published_workflows"]) == (1, 1)
    assert (found["total_triggers"], found["trigger_types"]) == (1, {"WEBHOOK": 1})
    assert found["history"] is None
    assert "HOPLINE_CLICKHOUSE" in found["history_unavailable"]


async def test_deployments_are_counted_by_what_came_of_them(client: Client) -> None:
    nothing = {"deployed": 0, "succeeded": 0, "failed": 0, "average_s": None}
    assert (await stats(client))["deployments"] == nothing
    path = f"/api/v1/deployment/workflows/{await publish(client, CRON)}"
    for way in ("deploy", "undeploy", "deploy"):
        status, _ = await call(client, "POST", f"{path}/{way}")
        assert status == 200
    found = await stats(client)
    counts = found["deployments"]
    assert counts.pop("average_s") >= 0
    assert counts == {"deployed": 1, "succeeded": 2, "failed": 0}
    assert found["trigger_types"] == {"SCHEDULE": 1}


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"since": "2026-01-02T00:00Z", "until": "2026-01-01T00:00Z"}]
)
async def test_a_while_that_is_none_is_refused(client: Client, query: dict[str, str]) -> None:
    await stats(client, 400, **query)


async def test_an_offset_may_come_with_the_space_that_a_plus_is_in_a_query(client: Client) -> None:
    await stats(client, since="2026-01-02T00:00:00 02:00")


@pytest.mark.parametrize(
    "query", [{"since": "0001-01-01T00:00:00Z"}, {"until": "9999-12-31T23:59:59Z"}, {"until": "0001-01-01"}]
)
async def test_a_while_may_be_for_ever(client: Client, query: dict[str, str]) -> None:
    await stats(client, **query)


async def test_nobody_gets_them_without_a_key(client: Client) -> None:
    async with client.get("/api/v1/stats") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("length", "period", "since", "until"),
    [
        (timedelta(hours=1), "1m", "2026-05-06T10:29:00", "2026-05-06T11:30:00"),
        (timedelta(days=3), "1h", "2026-05-03T11:00:00", "2026-05-06T12:00:00"),
        (timedelta(days=90), "1d", "2026-02-05T00:00:00", "2026-05-07T00:00:00"),
    ],
)
def test_a_while_is_of_whole_buckets(length: timedelta, period: str, since: str, until: str) -> None:
    end = datetime(2026, 5, 6, 11, 29, 30, tzinfo=UTC)
    found = While.around(end - length, end)
    assert (found.period, found.since, found.until) == (
        period,
        datetime.fromisoformat(since).replace(tzinfo=UTC),
        datetime.fromisoformat(until).replace(tzinfo=UTC),
    )


def test_a_while_that_ends_at_a_border_has_no_bucket_behind_it() -> None:
    end = datetime(2026, 5, 6, 11, 30, tzinfo=UTC)
    assert While.around(end - timedelta(minutes=5), end).until == end
