"""What is noted of the requests that a node makes, and who is told of its trace."""

from collections.abc import Iterator

import pytest
from yarl import URL

from tests.streams.executors.receiver import running_receiver
from transport.egress import EgressPolicy, EgressRefused
from transport.guarded_session import EgressGuard
from transport.telemetry.work import CURRENT, TraceHosts, Work

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def work(**more: object) -> Work:
    named = {"execution_id": "e", "run_id": "r", "tenant_id": "t", "node_id": "n", "traceparent": PARENT}
    return Work(**{**named, **more})  # type: ignore[arg-type]


@pytest.fixture
def doing() -> Iterator[Work]:
    current = work()
    before = CURRENT.set(current)
    yield current
    CURRENT.reset(before)


async def test_a_request_is_noted_without_what_it_says(doing: Work) -> None:
    async with (
        running_receiver() as receiver,
        EgressGuard(EgressPolicy([receiver.address])).session() as session,
    ):
        url = URL(receiver.url("/orders?token=s3cret#part")).with_user("ada").with_password("s3cret")
        async with session.post(url):
            pass
    (call,) = doing.calls
    assert (call["method"], call["status"], call["error"]) == ("POST", 200, "")
    assert call["url"] == receiver.url("/orders")
    assert (call["host"], call["port"]) == ("127.0.0.1", receiver.port)
    assert len(call["span"]) == 16
    assert call["us"] >= 0


async def test_nobody_is_told_of_the_trace_but_those_who_are_named(doing: Work) -> None:
    async with running_receiver() as receiver:
        policy = EgressPolicy([receiver.address])
        async with EgressGuard(policy).session() as session, session.get(receiver.url()):
            pass
        told = EgressGuard(policy, TraceHosts(("127.0.0.1",)))
        async with told.session() as session:
            async with session.get(receiver.url()):
                pass
            async with session.get(receiver.url(), headers={"Traceparent": "its own"}):
                pass
    sent = [received.headers.get("traceparent") for received in receiver.received]
    assert sent == [None, f"00-{TRACE}-{doing.calls[1]['span']}-01", "its own"]


async def test_what_fails_is_noted_with_its_error(doing: Work) -> None:
    async with EgressGuard(EgressPolicy([])).session() as session:
        with pytest.raises(EgressRefused):
            await session.get("http://127.0.0.1:1/")
    (call,) = doing.calls
    assert (call["status"], call["error"]) == (0, "EgressRefused")


def test_done_again_it_is_the_same_span() -> None:
    first, again = work(), work()
    spans = [one.call("GET", URL("http://a/")).span_id for one in (first, first, again, again)]
    assert spans[:2] == spans[2:]
    assert len(set(spans)) == 2


def test_there_is_a_bound_and_an_end() -> None:
    doing = work(most_calls=2)
    for _ in range(3):
        doing.call("GET", URL("http://a/")).ended(200)
    assert len(doing.calls) == 2
    late = work()
    call = late.call("GET", URL("http://a/"))
    late.over = True
    call.ended(200)
    assert late.calls == []


def test_without_a_trace_there_is_nothing_to_tell() -> None:
    assert work(traceparent="").call("GET", URL("http://a/")).traceparent == ""


@pytest.mark.parametrize(
    ("hosts", "told", "not_told"),
    [
        ((), [], ["a.example", "127.0.0.1"]),
        (("a.example",), ["a.example", "A.example", "a.example."], ["b.a.example", "xa.example"]),
        (("*.a.example",), ["b.a.example", "c.b.a.example"], ["a.example", "xa.example"]),
        (("*",), ["anybody", "10.0.0.1"], []),
    ],
)
def test_hosts_are_named_whole_or_by_what_they_are_below(
    hosts: tuple[str, ...], told: list[str], not_told: list[str]
) -> None:
    chosen = TraceHosts(hosts)
    assert [host for host in told if host not in chosen] == []
    assert [host for host in not_told if host in chosen] == []
