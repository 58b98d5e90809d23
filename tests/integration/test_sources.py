"""What Hopline watches by itself starts each run once, though the worker that watches is killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench.fleet import Fleet
from tests.graphs import Json, end, field, graph, start
from tests.streams.sources.google import Google, running_google
from tests.streams.sources.imap_server import PASSWORD, USER, ImapServer, running_imap_server

pytestmark = pytest.mark.broker

_MAILS = 40
_ORDERS = 300
_MEETINGS = 5
_TOPIC = "orders"
_ENV = {"HOPLINE_EGRESS_ALLOW": "127.0.0.1"}
"""Workers may reach this machine."""
_PATIENCE_S = 150
"""Far more than it takes, so that only what never happens fails."""

GRAPH = graph([start(field("what")), end("done", what=["start", "what"])], ("start", "done"))


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """With one worker."""
    async with Fleet(tmp_path / "fleet", workers=1, env=_ENV) as fleet:
        yield fleet


async def _create(fleet: Fleet, kind: str, config: Json) -> Json:
    """A workflow with a trigger."""
    client = fleet.deployment.client

    def create() -> Json:
        imported = client.upload(
            "workflows", "import", content=orjson.dumps(GRAPH), app=kind.lower(), publish="true"
        )
        body = {"workflow_id": imported["workflow_id"], "type": kind, "config": config}
        created: Json = client.post("triggers", body=body)
        return created

    return await asyncio.to_thread(create)


async def _runs(fleet: Fleet, workflow_id: str) -> Counter[str]:
    """How many runs have ended well, by the input that they had."""
    rows = await fleet.deployment.select(
        "SELECT JSONExtractString(outputs, 'what') AS what FROM workflow_runs"
        f" WHERE workflow_id = '{workflow_id}' AND status = 'SUCCEEDED'"
    )
    return Counter(row["what"] for row in rows)


async def _until(fleet: Fleet, workflow_id: str, count: int) -> None:
    while (await _runs(fleet, workflow_id)).total() < count:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def _kill_and_restart(fleet: Fleet) -> None:
    await fleet.workers[0].kill()
    await fleet.start_worker(fleet.workers[0])


def _mail(number: int) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@example.org", USER, f"mail {number}"
    message.set_content("Hello")
    return message


async def _deliver(server: ImapServer) -> None:
    for number in range(_MAILS):
        await server.deliver(_mail(number))
        await asyncio.sleep(0.05)


def _config_of_mail(server: ImapServer) -> Json:
    return {
        "host": "127.0.0.1", "port": server.port, "security": "none", "username": USER,
        "password": PASSWORD, "check_interval": 1, "inputs": {"what": "body.subject"},
    }  # fmt: skip


class _Orders:
    """A topic of another Kafka: the broker is the same, which nobody notices."""

    def __init__(self, servers: str) -> None:
        admin = AdminClient({"bootstrap.servers": servers})
        for created in admin.create_topics([NewTopic(_TOPIC, 3, 1)]).values():
            created.result(30)
        self.config = {
            "bootstrap_servers": servers, "topic": _TOPIC, "consumers": 2, "inputs": {"what": "body.order"},
        }  # fmt: skip
        self._producer = Producer({"bootstrap.servers": servers})

    async def produce(self) -> None:
        for number in range(_ORDERS):
            self._producer.produce(_TOPIC, orjson.dumps({"order": f"order {number}"}), key=str(number))
            self._producer.poll(0)
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(self._producer.flush, 30) == 0


def _config_of_calendar(google: Google, event: str) -> Json:
    oauth = {"client_id": "c", "refresh_token": google.refresh_token, "token_url": f"{google.url}/token"}
    return {
        "oauth": oauth, "api_url": f"{google.url}/calendar/v3", "events": [event], "check_interval": 1,
        "inputs": {"what": "body.summary"},
    }  # fmt: skip


def _plan_meetings(google: Google) -> None:
    begin = datetime.now(UTC) + timedelta(seconds=8)
    for number in range(_MEETINGS):
        google.put(f"m{number}", begin + timedelta(seconds=number), summary=f"meeting {number}")


async def test_each_message_starts_one_run(fleet: Fleet) -> None:
    async with (
        running_imap_server() as server,
        running_google() as google,
        asyncio.timeout(_PATIENCE_S),
    ):
        orders = await asyncio.to_thread(_Orders, fleet.kafka.bootstrap_servers)
        mail = await _create(fleet, "EMAIL", _config_of_mail(server))
        other = await _create(fleet, "KAFKA", orders.config)
        _plan_meetings(google)
        calendar = await _create(fleet, "GOOGLE_CALENDAR", _config_of_calendar(google, "started"))
        assert mail["config"]["password"] == "********"
        async with asyncio.TaskGroup() as group:
            group.create_task(_deliver(server))
            group.create_task(orders.produce())
            await _until(fleet, mail["workflow_id"], 1)
            await _until(fleet, other["workflow_id"], 1)
            await _kill_and_restart(fleet)
        await _until(fleet, mail["workflow_id"], _MAILS)
        await _until(fleet, other["workflow_id"], _ORDERS)
        await _until(fleet, calendar["workflow_id"], _MEETINGS)
        mails, messages = await _runs(fleet, mail["workflow_id"]), await _runs(fleet, other["workflow_id"])
        meetings = await _runs(fleet, calendar["workflow_id"])
    assert mails == {f"mail {number}": 1 for number in range(_MAILS)}
    assert messages == {f"order {number}": 1 for number in range(_ORDERS)}
    assert meetings == {f"meeting {number}": 1 for number in range(_MEETINGS)}


async def test_a_refresh_token_that_was_replaced_outlives_its_worker(tmp_path: Path) -> None:
    async with (
        Fleet(tmp_path / "fleet", workers=2, env=_ENV) as fleet,
        running_google() as google,
        asyncio.timeout(_PATIENCE_S),
    ):
        google.rotates = True
        google.answers.clear()
        calendar = await _create(fleet, "GOOGLE_CALENDAR", _config_of_calendar(google, "created"))

        async def meet(number: int) -> None:
            google.put(f"m{number}", datetime.now(UTC), summary=f"meeting {number}")
            await _until(fleet, calendar["workflow_id"], number + 1)

        one, other = fleet.workers
        while not google.tokens_given:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # A worker that stops hears the answer, which tells the token that is good by now.
        stopping = [asyncio.create_task(worker.stop()) for worker in fleet.workers]
        while await one.is_assigned() or await other.is_assigned():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        google.answers.set()
        assert await asyncio.gather(*stopping) == [True, True]
        for worker in fleet.workers:
            await fleet.start_worker(worker)
        await meet(0)
        # Whichever of them watches the calendar: it is taken over, once at least.
        await one.kill()
        await meet(1)
        await fleet.start_worker(one)
        await other.kill()
        await meet(2)
        meetings = await _runs(fleet, calendar["workflow_id"])
    assert meetings == {f"meeting {number}": 1 for number in range(3)}
    assert google.tokens_given > 1
