"""Deliveries of GitHub as the seed has them: made of what the ingress accepts."""

import uuid
from typing import Any

import orjson

from ingress.sql import Sql
from schemas.topics import TOPICS
from schemas.triggers.accounts import Account
from schemas.triggers.delivery import Delivery
from schemas.triggers.github import receive_github
from schemas.triggers.signatures import GitHubVerifier
from sinks.table import Table
from tests.octokit.payloads import of_event
from tests.sinks import records
from tests.sinks.records import CODEC, START_US, TENANT, message
from transport.clickhouse import ClickHouse

SEED = (
    "id",
    "delivery_id",
    "event_type",
    "installation_id",
    "repository_id",
    "payload",
    "processed_at",
    "created_at",
)
WITH_INSTALLATION = next(one for one in of_event("repository_dispatch") if "installation" in one)
WITHOUT_REPOSITORY = next(of_event("installation"))


class Believing(GitHubVerifier):
    """What signs them is not looked at here."""

    def verify(self, *_: Any) -> None:
        return


def accepted(event: str, payload: dict[str, Any], delivery_id: str, **changes: Any) -> dict[str, Any]:
    """The TriggerEvent of a delivery."""
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery_id}
    delivery = Delivery("POST", "/", headers, {}, orjson.dumps(payload), 0)
    [received] = receive_github(delivery, [Account(TENANT, "main", Believing(()))]).events
    return records.event(
        trigger_type="GITHUB", event_type=event, trigger_id=delivery_id, dedup_key=f"GITHUB:{delivery_id}",
        index_key=received.index_key, data=orjson.dumps(received.data).decode(), **changes,
    )  # fmt: skip


async def write(database: ClickHouse, topic: str, *rows: dict[str, Any]) -> None:
    values = [CODEC.encode(TOPICS[topic].schema or "", row) for row in rows]
    poisons = await Table(topic, database, CODEC).write(
        [message(topic, value, offset) for offset, value in enumerate(values)]
    )
    assert poisons == []


async def events(database: ClickHouse) -> list[dict[str, Any]]:
    return (await database.query("SELECT * FROM github_webhook_events ORDER BY delivery_id")).dicts()


async def test_a_delivery_by_the_names_of_the_seed(database: ClickHouse) -> None:
    await write(database, "trigger.events", accepted("repository_dispatch", WITH_INSTALLATION, "d-1"))
    [row] = await events(database)
    assert tuple(row)[:8] == SEED
    assert (row["delivery_id"], row["event_type"]) == ("d-1", "repository_dispatch")
    assert row["installation_id"] == WITH_INSTALLATION["installation"]["id"]
    assert row["repository_id"] == WITH_INSTALLATION["repository"]["id"]
    assert orjson.loads(row["payload"]) == WITH_INSTALLATION
    assert (row["processed_at"], row["created_at"]) == (None, "2026-11-18T11:06:40.000000Z")
    assert (row["repository"], row["connection"]) == (WITH_INSTALLATION["repository"]["full_name"], "main")


async def test_what_is_not_there_is_null(database: ClickHouse) -> None:
    await write(database, "trigger.events", accepted("x", {"zen": "Design for failure."}, "d-1"))
    await write(database, "trigger.events", accepted("installation", WITHOUT_REPOSITORY, "d-2"))
    bare, installed = await events(database)
    assert [bare[name] for name in ("installation_id", "repository_id", "repository", "action")] == [None] * 4
    assert (installed["repository_id"], installed["action"]) == (None, WITHOUT_REPOSITORY["action"])
    assert installed["installation_id"] == WITHOUT_REPOSITORY["installation"]["id"]


async def test_a_delivery_that_is_sent_again_is_one(database: ClickHouse) -> None:
    first, again = (accepted("push", {"n": n}, "d-1", received_at=START_US + n) for n in range(2))
    await write(database, "trigger.events", again, first, accepted("push", {"n": 2}, "d-2"))
    shown = await events(database)
    assert [(row["delivery_id"], orjson.loads(row["payload"])["n"]) for row in shown] == [
        ("d-1", 0),
        ("d-2", 2),
    ]
    assert shown[0]["id"] == first["event_id"]


async def test_when_it_was_processed(database: ClickHouse) -> None:
    event = accepted("push", {}, "d-1")
    log = {"event_id": event["event_id"], "trigger_type": "GITHUB"}
    await write(database, "trigger.events", event)
    pending = records.trigger_log(**log)
    await write(database, "trigger.logs", pending)
    assert (await events(database))[0]["processed_at"] is None
    began = {**pending, "revision": 2, "status": "RUNNING", "triggered_at": START_US + 2_000_000}
    refused = records.trigger_log(**log, status="STOPPED", finished_at=START_US + 3_000_000)
    await write(database, "trigger.logs", began, refused)
    assert (await events(database))[0]["processed_at"] == "2026-11-18T11:06:42.000000Z"


async def test_other_events_are_none_and_other_tenants_have_theirs(database: ClickHouse) -> None:
    await write(database, "trigger.events", records.event(), accepted("push", {}, "d-1"))
    await write(database, "trigger.events", accepted("push", {}, "d-1", tenant_id="other"))
    query = "SELECT delivery_id, tenant_id FROM github_webhook_events"
    assert (await Sql(database).run(query, TENANT)).rows == [["d-1", TENANT]]
    assert (await Sql(database).run(query, str(uuid.UUID(int=9)))).rows == []
    assert len(await events(database)) == 2
