"""Scripts that may use the network: what they reach through the proxy, and that there is nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from textwrap import dedent
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from streams.executors.sandbox.errors import SandboxUnavailable
from streams.executors.sandbox.sandboxes import Sandboxes, open_sandboxes
from streams.executors.sandbox.scripts import Ran
from tests.streams.executors.conftest import SETTINGS
from transport.egress import EgressPolicy

pytestmark = pytest.mark.asyncio(loop_scope="module")

NETWORK = SETTINGS.model_copy(update={"network": True})
GET = """
    import urllib.request, urllib.error
    def main(url, body=None):
        request = urllib.request.Request(url, body and body.encode(), {"X-Mine": "1"})
        try:
            with urllib.request.urlopen(request) as answer:
                return {"status": answer.status, "text": answer.read().decode()}
        except urllib.error.HTTPError as error:
            return {"status": error.code, "text": error.reason}
"""
TUNNEL = """
    import http.client, os
    from urllib.parse import urlsplit
    import base64
    def main(host, port, password=None):
        proxy = urlsplit(os.environ['HTTPS_PROXY'])
        login = f"{proxy.username}:{password or proxy.password}"
        connection = http.client.HTTPConnection(proxy.hostname, proxy.port)
        headers = {"Proxy-Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
        connection.set_tunnel(host, port, headers)
        connection.request("GET", "/inside")
        first = connection.getresponse().read().decode()
        connection.request("GET", "/again")
        return {"text": [first, connection.getresponse().read().decode()]}
"""


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """Answers with what it was asked; yields its port on 127.0.0.1."""

    async def echo(request: web.Request) -> web.Response:
        names = ("X-Mine", "Proxy-Authorization", "Proxy-Connection", "Connection")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        text = f"{request.method} {request.path_qs} {headers} {await request.text()}"
        return web.Response(text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    async with echo_server() as port:
        yield port


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[(), ("mount-namespace", "landlock")])
async def allowed(request: pytest.FixtureRequest, port: int) -> AsyncIterator[Sandboxes]:
    """The operator has allowed the echo server, under one of its names."""
    settings = NETWORK.model_copy(update={"without": request.param})
    async with open_sandboxes(settings, EgressPolicy([f"localhost:{port}"])) as sandboxes:
        yield sandboxes


async def run(sandboxes: Sandboxes, code: str, **inputs: Any) -> Ran:
    return await sandboxes.run(dedent(code), inputs, "python3", network=True)


async def test_an_allowed_host_is_reached(allowed: Sandboxes, port: int) -> None:
    ran = await run(allowed, GET, url=f"http://localhost:{port}/path?a=1", body="hi")
    expected = "POST /path?a=1 {'X-Mine': '1', 'Connection': 'close'} hi"
    assert ran.result == {"status": 200, "text": expected}, ran.error


async def test_a_tunnel_leads_to_an_allowed_host(allowed: Sandboxes, port: int) -> None:
    ran = await run(allowed, TUNNEL, host="localhost", port=port)
    assert ran.result == {"text": ["GET /inside {} ", "GET /again {} "]}, ran.error


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("127.0.0.1", "a loopback address"),
        ("[::1]", "a loopback address"),
        ("0.0.0.0", "an unspecified address"),
        ("10.1.2.3", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("2130706433", "a loopback address"),
        ("0x7f.1", "a loopback address"),
    ],
)
async def test_private_addresses_are_refused(allowed: Sandboxes, host: str, what: str) -> None:
    ran = await run(allowed, GET, url=f"http://{host}:81/")
    assert ran.result["status"] == 403
    assert what in ran.result["text"]
    ran = await run(allowed, TUNNEL, host=host.strip("[]") if "::" not in host else host, port=81)
    assert "403" in str(ran.error)
    assert what in str(ran.error)


async def test_only_the_allowed_port_is_reached(allowed: Sandboxes) -> None:
    ran = await run(allowed, GET, url="http://localhost:1/")
    assert ran.result["status"] == 403


async def test_the_password_is_that_of_the_script(allowed: Sandboxes, port: int) -> None:
    leak = await run(allowed, "import os\ndef main(): return {'url': os.environ['HTTP_PROXY']}")
    former = leak.result["url"].split(":")[2].split("@")[0]
    for password in (former, "guessed"):
        ran = await run(allowed, TUNNEL, host="localhost", port=port, password=password)
        assert "407" in str(ran.error)


async def test_nothing_but_the_proxy_can_be_connected_to(allowed: Sandboxes, port: int) -> None:
    code = """
        import socket
        def main(port):
            reached = []
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
                for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET, '8.8.8.8'),
                                     (socket.AF_INET6, '::1'), (socket.AF_INET, '10.0.0.1')):
                    try:
                        with socket.socket(family, kind) as s:
                            s.settimeout(0.2)
                            s.connect((host, port))
                            reached.append([str(kind), host])
                    except OSError:
                        pass
            for family in (socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK):
                try:
                    socket.socket(family).close()
                    reached.append(str(family))
                except OSError:
                    pass
            try:
                socket.create_server(('127.0.0.1', 0)).close()
                reached.append('listening')
            except OSError:
                pass
            return {'reached': reached}
    """
    assert (await run(allowed, code, port=port)).result == {"reached": []}


async def test_a_request_that_is_none_is_answered(allowed: Sandboxes) -> None:
    code = """
        import socket
        def main(text):
            with socket.create_connection(('127.0.0.1', 3128)) as s:
                s.sendall(text.encode())
                return {'answer': s.recv(1000).decode().split(' ')[1]}
    """
    assert (await run(allowed, code, text="hello\r\n\r\n")).result == {"answer": "400"}
    assert (await run(allowed, code, text="GET /path HTTP/1.1\r\n\r\n")).result == {"answer": "400"}
    assert (await run(allowed, code, text="GET http://x/ HTTP/1.1\r\n\r\n")).result == {"answer": "407"}
    assert (await run(allowed, code, text="x" * 70_000)).result == {"answer": "431"}


async def test_the_connections_of_a_script_end_with_it(allowed: Sandboxes) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_sandboxes(NETWORK, EgressPolicy([f"localhost:{port}"])) as sandboxes:
            script = dedent(TUNNEL).replace("def main(", "def tunnel(") + dedent("""
                import threading, time
                def main(port):
                    threading.Thread(target=tunnel, args=('localhost', port), daemon=True).start()
                    time.sleep(0.3)
                    return {}
            """)
            assert (await sandboxes.run(script, {"port": port}, "python3", network=True)).error is None
            await asyncio.wait_for(ended.wait(), 10)


async def test_others_stay_without_a_network(allowed: Sandboxes, port: int) -> None:
    code = dedent(GET)
    ran = await allowed.run(code, {"url": f"http://localhost:{port}/"}, "python3", network=False)
    assert "the network is off for this code node" in str(ran.error)
    names = "import os\ndef main(): return {'names': [n for n in os.environ if 'PROXY' in n]}"
    assert (await allowed.run(names, {}, "python3")).result == {"names": []}


async def test_the_operator_decides_first(port: int) -> None:
    async with open_sandboxes(SETTINGS, EgressPolicy([f"localhost:{port}"])) as sandboxes:
        ran = await run(sandboxes, GET, url=f"http://localhost:{port}/")
    assert "the network is off for this code node" in str(ran.error)


async def test_without_a_namespace_there_is_no_network() -> None:
    settings = NETWORK.model_copy(update={"without": ("network-namespace",)})
    with pytest.raises(SandboxUnavailable, match="there is no network namespace to keep scripts in"):
        async with open_sandboxes(settings, EgressPolicy([])):
            pass
