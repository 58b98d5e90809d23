"""An ingress that is too far behind says so at once, and to nobody else than to who brings an event."""

import asyncio
import socket
from collections.abc import Iterator

import aiohttp
import pytest

from ingress.keys import METRICS
from ingress.metrics import Metrics
from ingress.overload import OVERLOAD, Overload
from ingress.routes import OPERATIONS
from ingress.server import serve
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, StandIns, assemble, new_settings

EVENT = b"POST /triggers/webhook/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Stuck(Overload):
    """Behind for as long as the test wants, however the loop does."""

    def _decide(self) -> None:
        """`refuses` stays as it is."""


def overload(**given: float) -> Overload:
    return Overload(given.get("limit_s", 0.5), Metrics(), OPERATIONS)


def refusing() -> Overload:
    made = overload()
    made.woken(1.0)
    made.woken(1.0)
    assert made.refuses
    return made


def test_one_late_turn_is_not_enough_and_one_in_time_ends_it() -> None:
    made, said = overload(), []
    for late_s in (0.1, 9.0, 0.1, 0.6, 0.6, 7.0, 0.4, 0.6):
        made.woken(late_s)
        said.append(made.refuses)
    assert said == [False, False, False, False, True, True, False, False]


def test_connections_that_wait_all_the_time_are_a_sign_as_well() -> None:
    clock = [0.0]
    made, said = Overload(0.5, Metrics(), OPERATIONS, lambda: clock[0]), []
    turns = ((1.0, False), (1.4, True), (1.6, False), (2.0, False), (2.2, False), (2.3, True))
    for clock[0], all_of_them in turns:
        made.taken(all_of_them)
        said.append(made.refuses)
    assert said == [False, False, False, False, True, False]


def test_zero_is_never() -> None:
    made = overload(limit_s=0)
    for _ in range(3):
        made.woken(60.0)
        made.taken(all_of_them=False)
    assert not made.refuses


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The ends of a connection: the server's, the producer's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.settimeout(10)
        yield ours, theirs


@pytest.mark.parametrize(
    "sent",
    [
        EVENT % b"w",
        EVENT % b"a/path/of/its/own?page=2",
        b"PUT /api/v1/public/webhook/w HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/github/webhook HTTP/1.1\r\ncontent-LENGTH:3\r\n\r\nabc",
        b"POST /api/v1/triggers/workflows/w/manual HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_whole_event_is_refused_before_anything_is_made_for_it(
    pair: tuple[socket.socket, socket.socket], sent: bytes
) -> None:
    ours, theirs = pair
    theirs.sendall(sent)
    assert not overload().turned_away(ours)
    assert refusing().turned_away(ours)
    head, _, body = theirs.recv(65_536).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 503 Service Unavailable"
    assert b"Connection: close" in lines
    assert b"Content-Length: %d" % len(body) in lines
    assert theirs.recv(1) == b"", "closed, and not reset"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /triggers/webhook/w HTTP/1.1\r\nHost: x\r\n",
        b"POST /triggers/webhook/w HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /triggers/webhook/w HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" + EVENT % b"w",
        b"POST /triggers/webhook/w HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /triggers/webhook/w HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}",
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/github/webhook HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/triggers HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_anything_else_is_left_as_it_was(pair: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(sent)
    assert not refusing().turned_away(ours)
    theirs.sendall(b"more")
    assert ours.recv(65_536) == sent + b"more"


def test_some_are_taken_all_the_same() -> None:
    """Or who comes again at once would keep it behind for ever."""
    made, taken = refusing(), []
    for _ in range(8):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.sendall(EVENT % b"w")
            taken.append(not made.turned_away(ours))
    assert taken == [False, False, False, True] * 2


def test_who_has_gone_is_not_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.close()
    assert refusing().turned_away(ours)
    assert ours.fileno() == -1


async def test_a_server_refuses_events_and_answers_the_rest(stand_ins: StandIns) -> None:
    settings = new_settings()
    app = assemble(stand_ins, settings)
    stuck = Stuck(settings.overload_delay_s, app[METRICS], OPERATIONS)
    app[OVERLOAD] = stuck
    stopping, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, settings, stopping, ready=listening.set_result))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{await listening}") as session:
        path = await webhook(session)
        stuck.refuses = True
        for kept in (True, False):
            if kept:
                async with session.get("/health") as answer:
                    assert answer.status == 200
            async with session.post(path, json={"n": 1}) as answer:
                assert answer.status == 503
                assert answer.content_type == "application/problem+json"
                assert 1 <= int(answer.headers["Retry-After"]) <= 5
                assert "send it again" in (await answer.json())["detail"]
        async with session.get("/metrics") as answer:
            shown = await answer.text()
        async with session.get("/api/v1/triggers", headers=AUTHORIZED) as answer:
            assert answer.status == 200
        stuck.refuses = False
        async with session.post(path, json={"n": 2}) as answer:
            assert answer.status == 202
    assert "hopline_ingress_overloaded 1.0" in shown
    assert "hopline_ingress_overload_refusals_total 2.0" in shown
    assert 'hopline_ingress_refusals_total{status="503"} 2.0' in shown
    assert len(stand_ins.sent.events()) == 1
    stopping.set()
    await serving


async def webhook(session: aiohttp.ClientSession) -> str:
    imported = "/api/v1/workflows/import?app=a&publish=true"
    async with session.post(imported, json=GRAPH, headers=AUTHORIZED) as answer:
        wanted = {"workflow_id": (await answer.json())["workflow_id"]}
    async with session.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
        return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])
