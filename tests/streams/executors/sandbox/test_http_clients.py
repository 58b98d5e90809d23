"""The HTTP clients that published scripts import, as they come from the package index, behind the guard."""

import datetime
import ipaddress
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.metadata import distribution
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streams.executors.sandbox.outfit import Outfit
from streams.executors.sandbox.proxy import EgressProxy
from streams.executors.sandbox.sandboxes import Sandboxes
from streams.executors.sandbox.scripts import Ran, Sandbox
from tests.streams.executors.conftest import SETTINGS
from transport.egress import EgressPolicy

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS = ("requests", "urllib3", "idna", "certifi", "charset-normalizer")
HTTPX = ("httpx", "httpcore", "h11", "anyio", "idna", "certifi", "typing-extensions")
CLIENTS = {
    "requests": """
        import requests
        def ask(url, data): return requests.post(url, data=data) if data else requests.get(url)
    """,
    "a session of requests": """
        import requests
        session = requests.Session()
        def ask(url, data): return session.post(url, data=data) if data else session.get(url)
    """,
    "httpx": """
        import httpx
        def ask(url, data):
            call = {'content': data.encode()} if data else {}
            return httpx.request('POST' if data else 'GET', url, follow_redirects=True, **call)
    """,
    "httpx and asyncio": """
        import asyncio, httpx
        def ask(url, data):
            async def request():
                async with httpx.AsyncClient(follow_redirects=True) as client:
                    call = {'content': data.encode()} if data else {}
                    return await client.request('POST' if data else 'GET', url, **call)
            return asyncio.run(request())
    """,
}
MAIN = """
def main(url, data=None):
    answer = ask(url, data)
    return {'status': answer.status_code, 'text': answer.text}
"""


class Place(NamedTuple):
    """Where the server is, and a sandbox whose scripts may go there under the name localhost."""

    http: str
    https: str
    sandboxes: Sandboxes

    async def run(self, client: str, url: str, **inputs: Any) -> Ran:
        script = dedent(CLIENTS[client]) + MAIN
        return await self.sandboxes.run(script, {"url": url, **inputs}, "python3", network=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("clients")
    async with AsyncExitStack() as stack:
        # Not below /tmp, of which each script has its own.
        certificate = self_signed(Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))))
        http, https = await serve(stack, certificate)
        proxy = EgressProxy(EgressPolicy([f"localhost:{http}", f"localhost:{https}"]))
        stack.push_async_callback(proxy.close)
        outfit = Outfit(copied(folder / "packages"), proxy.listen, str(certificate))
        sandbox = await stack.enter_async_context(Sandbox(SETTINGS, outfit))
        yield Place(
            f"http://localhost:{http}", f"https://localhost:{https}", Sandboxes(sandbox, sandbox, proxy)
        )


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_allowed_server_is_reached(place: Place, client: str) -> None:
    for url in (place.http, place.https):
        ran = await place.run(client, f"{url}/path?a=1")
        assert ran.result == {"status": 200, "text": "GET /path?a=1 "}, ran.error
        ran = await place.run(client, f"{url}/", data="x" * 100_000)
        assert ran.result == {"status": 200, "text": "POST / 100000"}, ran.error


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_private_address_is_refused(place: Place, client: str, scheme: str) -> None:
    for target in (f"{scheme}://10.1.2.3/", f"{scheme}://169.254.169.254/latest/meta-data/"):
        for url in (target, f"{place.http}/?to={target}", f"{place.https}/?to={target}"):
            ran = await place.run(client, url)
            refused = ran.error if scheme == "https" else str(ran.result)
            assert "403" in str(refused), (url, ran)
            assert "was blocked" in str(ran.error) or scheme == "http"


async def serve(stack: AsyncExitStack, certificate: Path) -> tuple[int, int]:
    """The ports of one server, without TLS and with."""

    async def answer(request: web.Request) -> web.Response:
        if "to" in request.query:
            raise web.HTTPFound(request.query["to"])
        body = await request.read()
        return web.Response(text=f"{request.method} {request.path_qs} {len(body) or ''}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return runner.addresses[0][1], runner.addresses[1][1]


def copied(folder: Path) -> Path:
    """The clients of the environment of the tests, in a folder of their own."""
    for name in {*REQUESTS, *HTTPX}:
        for file in distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
    return folder


def self_signed(folder: Path) -> Path:
    """A PEM file with a key and its certificate, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(encoded + certificate.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o644)
    return path
