"""What a worker and a sink say of themselves over HTTP."""

import asyncio
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry, Counter

from transport.status import DEGRADED, HEALTHY, UNHEALTHY, Component, Status, serving


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.components = {"partitions": Component(HEALTHY, "12 partitions")}
        self.status = Status("hopline-worker", lambda: self.components, lambda: self.now)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def port(world: World) -> Iterator[int]:
    registry = CollectorRegistry()
    Counter("hopline_things", "Things.", registry=registry).inc()
    with serving(0, world.status, registry) as port:
        yield port


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.status, answer.read()
    connection.close()
    return content


def told(port: int, path: str) -> tuple[int, Any]:
    status, body = get(port, path)
    return status, orjson.loads(body)


def test_it_is_live_while_its_loop_turns_and_ready_while_it_can_work(port: int, world: World) -> None:
    assert told(port, "/health") == (200, {"service": "hopline-worker", "status": HEALTHY})
    status, detailed = told(port, "/health/detailed")
    assert (status, detailed["status"]) == (200, HEALTHY)
    assert detailed["components"]["partitions"] == {"status": HEALTHY, "detail": "12 partitions"}
    world.components["definitions"] = Component(DEGRADED, "1 unreadable")
    assert told(port, "/health/detailed")[0] == 200
    assert told(port, "/health/detailed")[1]["status"] == DEGRADED
    world.components["partitions"] = Component(UNHEALTHY, "waits for partitions")
    assert told(port, "/health/detailed")[0] == 503
    assert told(port, "/health")[0] == 200, "no restart would help"


async def test_a_loop_that_does_not_turn_is_not_live(port: int, world: World) -> None:
    world.now += 31
    status, answer = told(port, "/health")
    assert (status, answer["detail"]) == (503, "the event loop has not turned for 31 s")
    assert told(port, "/health/detailed")[0] == 503
    beating = asyncio.create_task(world.status.beat())
    await asyncio.sleep(0)
    assert told(port, "/health")[0] == 200
    beating.cancel()


def test_metrics_and_nothing_else_are_beside_it(port: int) -> None:
    status, body = get(port, "/metrics")
    assert status == 200
    assert b"hopline_things_total 1.0" in body
    assert get(port, "/")[0] == 404


def test_a_caller_that_says_nothing_keeps_nobody_else_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.status._CALLER_S", 0.05)
    with socket.create_connection(("127.0.0.1", port)) as silent:
        silent.send(b"GET /hea")
        assert told(port, "/health")[0] == 200


def test_a_port_that_is_taken_is_refused(port: int, world: World) -> None:
    with pytest.raises(OSError, match="in use"), serving(port, world.status, CollectorRegistry()):
        pass
