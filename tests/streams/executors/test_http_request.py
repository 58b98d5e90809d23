"""The http-request node against a real server, with nodes as Dify exports them."""

import asyncio
import base64
import datetime
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from obstore.store import MemoryStore

from streams.executors.files import Files
from streams.executors.http_request import HttpRequestExecutor
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.settings import FileReadSettings, HttpSettings
from tests.streams.executors.receiver import Received, Receiver, repeating_server, running_receiver
from transport.egress import EgressPolicy
from transport.files import FileLinks, FileStore
from transport.guarded_session import EgressGuard
from transport.storage import Storage

NODE: dict[str, Any] = {
    "type": "http-request",
    "method": "get",
    "url": "",
    "authorization": {"type": "no-auth", "config": None},
    "headers": "",
    "params": "",
    "body": {"type": "none", "data": []},
    "timeout": {"max_connect_timeout": 0, "max_read_timeout": 0, "max_write_timeout": 0},
    "variables": [],
}


@dataclass
class Client:
    receiver: Receiver
    executor: HttpRequestExecutor
    files: Files

    async def execute(
        self, path: str = "/", *, secrets: frozenset[str] = frozenset(), **config: Any
    ) -> Outcome:
        node = {**NODE, "url": self.receiver.url(path), **config}
        call = NodeCall(
            node_type="http-request",
            config=node,
            inputs={},
            execution_id="0193-exec",
            tenant_id="tenant",
            secrets=secrets,
        )
        return await self.executor(call)

    async def send(self, path: str = "/", **config: Any) -> Received:
        """What arrives at the server."""
        outcome = await self.execute(path, **config)
        assert outcome.status == "succeeded", outcome.error
        return self.receiver.received[-1]


def body(kind: str, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "data": [{"id": "k", "key": "", "type": "text", **row} for row in rows]}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    guard = EgressGuard(EgressPolicy(["127.0.0.1"]))
    settings = HttpSettings(max_text_bytes=1 << 20, max_binary_bytes=2 << 20)
    async with running_receiver() as receiver, guard.session() as session:
        files = Files(FileStore(Storage(MemoryStore()), FileLinks("", "", 60)), session, FileReadSettings())
        yield Client(receiver, HttpRequestExecutor(session, guard, settings, files), files)


async def test_outputs_are_those_of_dify(client: Client) -> None:
    outcome = await client.execute("/?body=hello&type=text/plain")
    assert outcome.status == "succeeded"
    headers = outcome.outputs.pop("headers")
    assert outcome.outputs == {"status_code": 200, "body": "hello", "files": []}
    assert headers["content-type"] == "text/plain"
    assert headers["x-seen"] == "1"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options", "POST"])
async def test_methods(client: Client, method: str) -> None:
    assert (await client.send(method=method)).method == method.upper()


async def test_headers_and_params_are_pairs_from_the_engine(client: Client) -> None:
    received = await client.send(
        "/p", headers=[["X-One", "a:b"], ["", "x"]], params=[["q", "a\nb: c"], ["e", ""]]
    )
    assert received.headers["x-one"] == "a:b"
    assert received.target == "/p?q=a%0Ab%3A+c&e="


async def test_headers_and_params_are_lines(client: Client) -> None:
    received = await client.send(
        "/p?kept=1", headers="X-One: a:b\n\n X-Two :  2 \nX-Empty", params="q:a b&c\nq: zwei\nempty:"
    )
    assert received.target == "/p?kept=1&q=a+b%26c&q=zwei&empty="
    assert (received.headers["x-one"], received.headers["x-two"]) == ("a:b", "2")
    assert received.headers["x-empty"] == ""


async def test_the_execution_id_goes_along_unless_the_node_has_its_own_key(client: Client) -> None:
    assert (await client.send()).headers["idempotency-key"] == "0193-exec"
    assert (await client.send(headers="idempotency-KEY: mine")).headers["idempotency-key"] == "mine"


@pytest.mark.parametrize(
    ("config", "header", "expected"),
    [
        ({"type": "bearer", "api_key": "k3y"}, "authorization", "Bearer k3y"),
        (
            {"type": "basic", "api_key": "me:pw"},
            "authorization",
            f"Basic {base64.b64encode(b'me:pw').decode()}",
        ),
        ({"type": "basic", "api_key": "bWU6cHc="}, "authorization", "Basic bWU6cHc="),
        ({"type": "custom", "api_key": "k3y", "header": "X-Api-Key"}, "x-api-key", "k3y"),
    ],
)
async def test_authorization(client: Client, config: dict[str, str], header: str, expected: str) -> None:
    outcome = await client.execute(authorization={"type": "api-key", "config": config})
    assert client.receiver.received[-1].headers[header] == expected
    assert expected not in outcome.process_data["request"]
    assert ": ***" in outcome.process_data["request"]


async def test_a_password_is_no_less_secret_in_basic_authorization(client: Client) -> None:
    config = {"type": "basic", "api_key": "me:s3cret"}
    pair = base64.b64encode(b"me:s3cret").decode()
    async with repeating_server() as url:
        failed = await client.execute(url=url, authorization={"type": "api-key", "config": config})
    assert (failed.status, pair in str(failed)) == ("failed", False)
    echo = f"/?type=text/plain&body={quote(f'got Basic {pair}', safe='')}"
    outcome = await client.execute(echo, authorization={"type": "api-key", "config": config})
    assert outcome.outputs["body"] == "got Basic ******"


@pytest.mark.parametrize(
    ("sent", "content_type", "content"),
    [
        (body("none"), None, b""),
        (body("raw-text", {"value": "grüß"}), "text/plain", "grüß".encode()),
        (body("json", {"value": '{"a": [1, "ü"]}'}), "application/json", '{"a":[1,"ü"]}'.encode()),
        (body("json", {"value": '{"a": "line\nbreak"}'}), "application/json", b'{"a":"line\\nbreak"}'),
        (body("json", {"value": '{"a": say "hi"}'}), "application/json", None),
        (
            body("x-www-form-urlencoded", {"key": "a", "value": "1 2"}, {"key": "b", "value": "&"}),
            "application/x-www-form-urlencoded",
            b"a=1+2&b=%26",
        ),
        ({"type": "raw-text", "data": "old DSL"}, "text/plain", b"old DSL"),
        (
            {"type": "x-www-form-urlencoded", "data": "a: 1\nb: 2"},
            "application/x-www-form-urlencoded",
            b"a=1&b=2",
        ),
    ],
)
async def test_bodies(client: Client, sent: Any, content_type: str | None, content: bytes | None) -> None:
    received = await client.send(method="post", body=sent)
    assert received.headers.get("content-type") == content_type
    if content is not None:
        assert received.body == content


async def test_form_data_is_multipart(client: Client) -> None:
    sent = body("form-data", {"key": 'na"me', "value": "ä"}, {"key": "b", "value": "2"})
    received = await client.send(method="post", body=sent, headers="Content-Type: multipart/form-data")
    boundary = received.headers["content-type"].removeprefix("multipart/form-data; boundary=")
    parts = received.body.decode().split(f"--{boundary}")
    assert parts[1] == '\r\nContent-Disposition: form-data; name="na%22me"\r\n\r\nä\r\n'
    assert parts[2:] == ['\r\nContent-Disposition: form-data; name="b"\r\n\r\n2\r\n', "--\r\n"]


async def test_the_node_may_set_the_content_type(client: Client) -> None:
    sent = body("json", {"value": "{}"})
    received = await client.send(method="post", body=sent, headers="content-type: application/ld+json")
    assert received.headers["content-type"] == "application/ld+json"


@pytest.mark.parametrize(
    ("config", "error_type", "error"),
    [
        ({"url": ""}, "InvalidURLError", "url is required"),
        ({"url": "ftp://x"}, "InvalidURLError", "url should start with http:// or https://"),
        ({"url": "http://"}, "InvalidURLError", "url is invalid"),
        ({"url": "http://a:99999/"}, "InvalidURLError", "url is invalid"),
        ({"method": "trace"}, "InvalidHttpMethodError", "Invalid http method trace"),
        (
            {"authorization": {"type": "api-key", "config": {"type": "bearer", "api_key": " "}}},
            "AuthorizationConfigError",
            "API key is required for authorization but was empty.",
        ),
        (
            {"authorization": {"type": "api-key", "config": {"type": "bearer", "api_key": "a\nb"}}},
            "HttpRequestNodeError",
            "",
        ),
        ({"body": body("json", {"value": ""})}, "RequestBodyError", "Failed to parse JSON"),
        ({"body": body("json", {"value": "[" * 9_000})}, "RequestBodyError", "Failed to parse JSON"),
        ({"body": body("json", {"value": '{"a":' * 9_000})}, "RequestBodyError", "Failed to parse JSON"),
        ({"body": body("json", {"value": '"\\ud83d"'})}, "RequestBodyError", "Failed to parse JSON"),
        ({"body": body("raw-text")}, "RequestBodyError", "raw-text body type should have exactly one item"),
        ({"body": {"type": "binary", "data": [{"type": "file", "file": ["a", "b"]}]}}, "FileFetchError", ""),
    ],
)
async def test_a_malformed_node_fails(client: Client, config: Any, error_type: str, error: str) -> None:
    outcome = await client.execute(**config)
    assert (outcome.status, outcome.error_type) == ("failed", error_type)
    assert (outcome.error or "").startswith(error)
    assert client.receiver.received == []


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({}, "succeeded"),
        ({"error_strategy": "none"}, "succeeded"),
        ({"retry_config": {"retry_enabled": False, "max_retries": 3}}, "succeeded"),
        ({"retry_config": {"retry_enabled": True, "max_retries": 3}}, "failed"),
        ({"error_strategy": "fail-branch"}, "failed"),
        ({"error_strategy": "default-value"}, "failed"),
    ],
)
async def test_an_error_status_fails_only_a_node_that_handles_it(
    client: Client, config: Any, status: str
) -> None:
    outcome = await client.execute("/?status=503&body=busy&type=text/plain", **config)
    assert outcome.status == status
    assert (outcome.outputs["status_code"], outcome.outputs["body"]) == (503, "busy")
    if status == "failed":
        assert outcome.error == "Request failed with status code 503"
        assert outcome.error_type == "HTTPResponseCodeError"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("type=text/csv&body=a,b", "a,b"),
        ("type=application/octet-stream&body={}", "{}"),
        ("type=application/octet-stream&body=zz", ""),
        ("type=image/png&body=png", ""),
        ("type=application/pdf&body=pdf", ""),
        ("type=text/plain&disposition=attachment&body=x", ""),
        ("type=text/plain&disposition=attachment;filename*=undefined''x&body=x", ""),
        ("type=text/plain&disposition=attachment;filename*=utf-7''%252B2AA-&body=x", ""),
        ("type=text/html;charset=latin-1&body=é", "Ã©"),
        ("type=text/html;charset=nonsense&body=é", "é"),
        ("type=text/html;charset=punycode&body=é", "é"),
    ],
)
async def test_files_are_told_from_text_as_in_dify(client: Client, query: str, shown: str) -> None:
    outcome = await client.execute(f"/?{query}")
    assert outcome.outputs["body"] == shown
    assert bool(outcome.outputs["files"]) is (shown == "")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=image/png&body=png", ("file.png", "image/png", "image", ".png", 3)),
        ("type=application/pdf&body=1", ("file.pdf", "application/pdf", "document", ".pdf", 1)),
        (
            "type=text/plain&disposition=attachment;filename=a.csv&body=x",
            ("a.csv", "text/csv", "document", ".csv", 1),
        ),
    ],
)
async def test_a_response_that_is_a_file_is_stored(client: Client, query: str, expected: Any) -> None:
    outcome = await client.execute(f"/?{query}")
    (file,) = outcome.outputs["files"]
    assert (file["filename"], file["mime_type"], file["type"], file["extension"], file["size"]) == expected
    assert file["transfer_method"] == "tool_file"
    assert len(await client.files.read_file(file, "tenant")) == expected[-1]
    (again,) = (await client.execute(f"/?{query}")).outputs["files"]
    assert again["related_id"] == file["related_id"]


async def test_a_file_is_named_after_its_url(client: Client) -> None:
    outcome = await client.execute("/pictures/b%20c.png?type=image/png&body=x")
    assert outcome.outputs["files"][0]["filename"] == "b c.png"


async def test_a_binary_body_is_the_file(client: Client) -> None:
    file = await client.files.save_file("tenant", b"\x00\xff", identity="a", filename="a.bin")
    sent = {"type": "binary", "data": [{"key": "", "type": "file", "file": file}]}
    outcome = await client.execute(method="post", body=sent)
    received = client.receiver.received[-1]
    assert received.body == b"\x00\xff"
    assert outcome.process_data["request"].endswith("\r\n\r\n<a.bin, 2 bytes>")


async def test_form_data_has_files_and_fields(client: Client) -> None:
    one = await client.files.save_file("tenant", b"\x00\xff", identity="a", filename='a"b.png')
    two = {
        "dify_model_identity": "__dify__file__",
        "transfer_method": "remote_url",
        "remote_url": client.receiver.url("/c.txt?body=remote"),
        "mime_type": "text/plain",
    }
    rows = [
        {"key": "name", "type": "text", "value": "Ada"},
        {"key": "files", "type": "file", "file": [one, two]},
        {"key": "none", "type": "file", "file": None},
    ]
    outcome = await client.execute(method="post", body={"type": "form-data", "data": rows})
    received = client.receiver.received[-1]
    boundary = received.headers["content-type"].partition("boundary=")[2]
    assert received.body.decode("latin-1").replace(boundary, "B") == (
        '--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n'
        '--B\r\nContent-Disposition: form-data; name="files"; filename="a%22b.png"\r\n'
        "Content-Type: image/png\r\n\r\n\x00\xff\r\n"
        '--B\r\nContent-Disposition: form-data; name="files"; filename="c.txt"\r\n'
        "Content-Type: text/plain\r\n\r\nremote\r\n--B--\r\n"
    )
    assert '<a"b.png, 2 bytes>' in outcome.process_data["request"]


@pytest.mark.parametrize("kind", ["binary", "form-data"])
async def test_a_file_that_cannot_be_had_fails_the_node(client: Client, kind: str) -> None:
    file = {"dify_model_identity": "__dify__file__", "transfer_method": "local_file", "related_id": "gone"}
    sent = {"type": kind, "data": [{"key": "f", "type": "file", "file": file}]}
    outcome = await client.execute(method="post", body=sent)
    assert (outcome.status, outcome.error_type) == ("failed", "FileFetchError")
    assert "'gone'" in (outcome.error or "")


async def test_responses_are_bounded_after_decompression(client: Client) -> None:
    outcome = await client.execute(f"/?size={1 << 20}")
    assert len(outcome.outputs["body"]) == 1 << 20
    outcome = await client.execute(f"/?size={(1 << 20) + (1 << 16)}")
    assert outcome.error_type == "ResponseSizeError"
    assert outcome.error == "Text size is too large, max size is 1.00 MB, but current size is 1.06 MB."
    outcome = await client.execute(f"/?size={1 << 30}&type=image/png")
    assert (
        outcome.error == "File size is too large, max size is 2.00 MB, but current size is more than 2.00 MB."
    )


async def test_redirects_are_followed_with_the_body(client: Client) -> None:
    sent = body("form-data", {"key": "a", "value": "1"})
    received = await client.send("/?status=307&redirect=/there", method="post", body=sent)
    assert (received.method, received.target) == ("POST", "/there")
    assert b'name="a"' in received.body
    assert (await client.send("/?redirect=/there", method="post", body=sent)).method == "GET"


async def test_credentials_are_not_sent_on_to_another_origin(client: Client) -> None:
    config = {"type": "custom", "api_key": "k3y", "header": "X-Api-Key"}
    authorization = {"type": "api-key", "config": config}
    assert "x-api-key" in (await client.send("/?redirect=/same", authorization=authorization)).headers
    async with running_receiver() as other:
        await client.send(f"/?redirect={other.url()}", authorization=authorization)
        assert "x-api-key" not in other.received[0].headers


async def test_a_text_that_is_kept_as_a_file_has_no_secret(client: Client) -> None:
    path = "/?type=text/plain&disposition=attachment&body=it+is+s3cret"
    outcome = await client.execute(path, secrets=frozenset({"s3cret"}))
    [file] = outcome.outputs["files"]
    assert await client.files.read_file(file, "tenant") == b"it is ******"


async def test_a_header_with_a_secret_is_not_sent_on_to_another_origin(client: Client) -> None:
    headers = [["X-Token", "token=s3cret"], ["X-Kind", "order"]]
    secrets = frozenset({"s3cret"})
    await client.execute("/?redirect=/same", secrets=secrets, headers=headers)
    assert client.receiver.received[-1].headers["x-token"] == "token=s3cret"
    async with running_receiver() as other:
        await client.execute(f"/?redirect={other.url()}", secrets=secrets, headers=headers)
        [received] = other.received
    assert (received.headers["x-kind"], "x-token" in received.headers) == ("order", False)


async def test_endless_redirects_fail(client: Client) -> None:
    outcome = await client.execute("/loop")
    assert outcome.error_type == "HttpRequestNodeError"
    assert outcome.error == f"Exceeded 20 redirects at {client.receiver.url('/loop')}"


async def test_a_refused_address_says_which_setting_allows_it(client: Client) -> None:
    outcome = await client.execute(url="http://169.254.169.254/latest/meta-data")
    assert (outcome.status, outcome.error_type) == ("failed", "ToolSSRFError")
    assert outcome.error == (
        "Access to 169.254.169.254:80 was blocked: it is a link-local address."
        " The operator can allow it with HOPLINE_EGRESS_ALLOW=169.254.169.254:80"
    )


async def test_transport_errors_fail_the_node_with_their_reason(client: Client) -> None:
    outcome = await client.execute(url="http://127.0.0.1:1/")
    assert (outcome.status, outcome.error_type) == ("failed", "HttpRequestNodeError")
    assert "Cannot connect to host 127.0.0.1:1" in (outcome.error or "")
    assert outcome.process_data["request"].startswith("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")


async def test_a_silent_server_runs_into_the_read_timeout(client: Client) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcome = await client.execute(url=f"http://127.0.0.1:{port}/", timeout={"connect": 1, "read": 0.2})
    server.close()
    await server.wait_closed()
    assert outcome.error_type == "HttpRequestNodeError"
    assert (outcome.error or "").startswith("The request timed out: ")


async def test_certificates_are_verified_unless_the_node_says_otherwise(
    client: Client, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    app = web.Application()
    app.router.add_get("/", client.receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
    outcome = await client.execute(url=url)
    assert "CERTIFICATE_VERIFY_FAILED" in (outcome.error or "")
    assert (await client.execute(url=url, ssl_verify=False)).status == "succeeded"
    await runner.cleanup()


def self_signed(folder: Path) -> Path:
    """A PEM file with a key and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
