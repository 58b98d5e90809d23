"""The guard on real sockets: what is refused never reaches the server."""

import socket
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from tests.streams.executors.receiver import running_receiver
from transport.egress import EgressPolicy, EgressRefused
from transport.guarded_session import EgressGuard, withhold


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "\uff11\uff12\uff17.0.0.1",
        "user:pass@127.0.0.1",
        "8.8.8.8@127.0.0.1",
    ],
)
async def test_no_notation_of_loopback_gets_through(host: str) -> None:
    async with running_receiver() as receiver, EgressGuard(EgressPolicy([])).session() as session:
        # Odd notations are refused by the client itself, the others by the policy.
        with pytest.raises((EgressRefused, aiohttp.InvalidURL, aiohttp.ClientConnectorDNSError)):
            await session.get(f"http://{host}:{receiver.port}/")
        assert receiver.received == []


async def test_an_allowed_place_is_reached_and_its_neighbour_is_not() -> None:
    async with running_receiver() as allowed, running_receiver() as other:
        async with EgressGuard(EgressPolicy([allowed.address])).session() as session:
            async with session.get(allowed.url()) as response:
                assert response.status == 200
            with pytest.raises(EgressRefused, match=f"HOPLINE_EGRESS_ALLOW={other.address}"):
                await session.get(other.url())
        assert len(allowed.received) == 1
        assert other.received == []


async def test_a_redirect_is_checked_like_a_request() -> None:
    async with running_receiver() as allowed, running_receiver() as other:
        async with EgressGuard(EgressPolicy([allowed.address])).session() as session:
            with pytest.raises(EgressRefused, match="loopback"):
                await session.get(allowed.url(f"/?redirect={other.url()}"))
        assert other.received == []


async def test_a_connection_kept_open_serves_only_the_name_it_was_allowed_for() -> None:
    async with running_receiver() as receiver:
        async with EgressGuard(EgressPolicy([f"localhost:{receiver.port}"])).session() as session:
            async with session.get(f"http://localhost:{receiver.port}/") as response:
                await response.read()
            with pytest.raises(EgressRefused):
                await session.get(receiver.url())
        assert len(receiver.received) == 1


async def test_a_request_that_goes_around_the_middleware_fails() -> None:
    async with running_receiver() as receiver:
        async with EgressGuard(EgressPolicy([receiver.address])).session() as session:
            with pytest.raises(LookupError):
                await session.get(receiver.url(), middlewares=())
        assert receiver.received == []


async def test_no_cookies_are_kept_between_nodes() -> None:
    async with running_receiver() as receiver:
        async with EgressGuard(EgressPolicy([receiver.address])).session() as session:
            for _ in range(2):
                async with session.get(receiver.url()):
                    pass
        assert "cookie" not in receiver.received[1].headers


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_receiver() as receiver:
        monkeypatch.setenv("http_proxy", receiver.url())
        async with EgressGuard(EgressPolicy([receiver.address])).session() as session:
            with pytest.raises(EgressRefused):
                await session.get("http://169.254.169.254/latest/meta-data")
        assert receiver.received == []


async def test_an_unreachable_place_is_an_ordinary_failure() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        async with EgressGuard(EgressPolicy([address])).session() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://{address}/")


@pytest.mark.parametrize(
    ("begun", "led", "kept"),
    [
        ("http://a.example/x", "http://a.example:80/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("http://a.example:80/x", "https://a.example:443/x", True),
        ("http://a.example:8080/x", "https://a.example/x", False),
        ("https://a.example/x", "http://a.example/x", False),
        ("http://a.example/x", "https://b.example/x", False),
        ("http://a.example/x", "http://a.example:81/x", False),
    ],
)
async def test_a_secret_stays_with_its_origin_or_its_https(begun: str, led: str, kept: bool) -> None:
    async def sent(hop: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
        assert hop.headers["Accept"] == "*/*"
        assert ("X-Token" in hop.headers) is kept
        return cast(Any, None)

    hop = SimpleNamespace(url=URL(led), headers=CIMultiDict({"X-Token": "s3cret", "Accept": "*/*"}))
    await withhold(URL(begun), {"x-token"})(cast(Any, hop), sent)
