"""From bytes to JSON, by content type, through real requests."""

import base64
from typing import Any

import orjson
import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient

from schemas.models import DEFAULT_TENANT
from tests.ingress.stand_ins import Client, NewWebhook, Server, StandIns, assemble, new_settings


async def accepted_body(
    client: Client, path: str, stand_ins: StandIns, data: Any, content_type: str | None
) -> Any:
    """What the event has as its body."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    skip = ("Content-Type",) if content_type is None and isinstance(data, bytes) else ()
    async with client.post(path, data=data, headers=headers, skip_auto_headers=skip) as answer:
        assert answer.status == 202, await answer.text()
    return orjson.loads(stand_ins.sent.events()[-1]["data"])["body"]


@pytest.mark.parametrize(
    ("content_type", "raw", "expected"),
    [
        ("application/json", b' {"a": [1, "\xc3\xa9"]} ', {"a": [1, "\u00e9"]}),
        ("application/vnd.api+json; charset=utf-8", b"[]", []),
        ("application/json; charset=utf-16", '{"a":1}'.encode("utf-16"), {"a": 1}),
        ("application/json", b"", None),
        (
            "application/x-www-form-urlencoded",
            b"a=1&b=x+y&a=%C3%A9&c=",
            {"a": ["1", "\u00e9"], "b": "x y", "c": ""},
        ),
        ("text/plain; charset=latin-1", b"\xe9", "\u00e9"),
        ("application/xml", b"<a/>", "<a/>"),
        (None, b'{"a":1}', {"a": 1}),
        (None, b"plain", "plain"),
    ],
)
async def test_bodies(
    content_type: str | None,
    raw: bytes,
    expected: Any,
    *,
    client: Client,
    new_webhook: NewWebhook,
    stand_ins: StandIns,
) -> None:
    path = await new_webhook()
    assert await accepted_body(client, path, stand_ins, raw, content_type) == expected


@pytest.mark.parametrize("content_type", [None, "image/png"])
async def test_bytes_travel_as_base64(
    content_type: str | None, client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    raw = bytes(range(256))
    body = await accepted_body(client, await new_webhook(), stand_ins, raw, content_type)
    assert base64.b64decode(body.pop("data")) == raw
    media_type = content_type or "application/octet-stream"
    assert body == {"encoding": "base64", "content_type": media_type, "size": 256}


async def test_multipart_has_fields_and_files(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    raw = b"\x00\r\n--not the boundary\r\n\xff"
    form = FormData({"name": "Ad\u00e4", "tag": "a"})
    form.add_field("tag", "b")
    form.add_field("photo", raw, filename="p.png", content_type="image/png")
    body = await accepted_body(client, await new_webhook(), stand_ins, form, None)
    photo = body.pop("photo")
    assert body == {"name": "Ad\u00e4", "tag": ["a", "b"]}
    assert (photo["type"], photo["filename"], photo["size"]) == ("image", "p.png", len(raw))
    assert await stand_ins.files.read(DEFAULT_TENANT, photo["related_id"]) == raw
    async with client.get(photo["url"]) as answer:
        assert await answer.read() == raw


async def test_a_file_may_be_as_large_as_a_body(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    raw = b"\r\n" * 500_000
    form = FormData({"name": "v" * 200_000})
    form.add_field("photo", raw, filename="p.png", content_type="image/png")
    async with TestClient(Server(assemble(stand_ins, new_settings()))) as unbounded:
        body = await accepted_body(unbounded, await new_webhook(), stand_ins, form, None)
    assert (len(body["name"]), body["photo"]["size"]) == (200_000, len(raw))


@pytest.mark.parametrize("name", [b'filename="caf\xe9.png"', b"filename*=utf-7''caf%2B2AA-.png"])
async def test_a_file_whose_name_is_no_utf_8_is_taken(
    name: bytes, client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    head = (
        b'--x\r\nContent-Disposition: form-data; name="photo"; ' + name + b"\r\nContent-Type: image/png\xe9"
    )
    raw, content_type = head + b"\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"
    body = await accepted_body(client, await new_webhook(), stand_ins, raw, content_type)
    assert (body["photo"]["filename"], body["photo"]["mime_type"]) == ("caf?.png", "image/png?")


async def test_a_form_with_a_file_that_comes_again_is_the_same_event(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    for content in (b"one", b"one", b"two"):
        form = FormData()
        form.add_field("photo", content, filename="p.png", content_type="image/png")
        async with client.post(path, data=form) as answer:
            assert answer.status in (200, 202)
    first, again, other = (event["trigger_id"] for event in stand_ins.sent.events())
    assert first == again != other


async def test_an_object_that_looks_like_a_file_gets_no_link(
    client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    forged = {"dify_model_identity": "__dify__file__", "tenant_id": "t", "related_id": "f", "url": None}
    raw = orjson.dumps({"photo": forged})
    assert await accepted_body(client, await new_webhook(), stand_ins, raw, "application/json") == {
        "photo": forged
    }


PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n{}\r\n\r\nv\r\n'


@pytest.mark.parametrize(
    ("content_type", "raw"),
    [
        ("application/json", b'{"a":'),
        ("application/json", b'{"a": NaN}'),
        ("application/json", b"[" * 300 + b"]" * 300),
        ("application/json; charset=utf-16", b"\xff"),
        ("application/json; charset=klingon", b"{}"),
        ("application/x-www-form-urlencoded", b"a=%ff"),
        ("application/x-www-form-urlencoded", b"\xff"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1001))),
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition\r\n\r\nv\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            PART.replace(b"{}", b"Content-Transfer-Encoding: odd") + b"--x--",
        ),
        (
            "multipart/form-data; boundary=x",
            PART.replace(b"{}", b"Content-Type: a/b; charset=utf-7") + b"--x--",
        ),
        ("text/plain", b"\xff"),
        ("text/plain; charset=undefined", b"x"),
        ("text/plain; charset=unicode-escape", b"\\ud800"),
        ("text/plain; charset=utf-7", b"+2AA-"),
        ("text/plain; charset=punycode", b"baaa"),
        ("application/json; charset=undefined", b"{}"),
        ("application/x-www-form-urlencoded; charset=unicode-escape", b"a=%5Cud800"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    content_type: str, raw: bytes, client: Client, new_webhook: NewWebhook, stand_ins: StandIns
) -> None:
    async with client.post(await new_webhook(), data=raw, headers={"Content-Type": content_type}) as answer:
        assert answer.status == 400, await answer.text()
        assert answer.content_type == "application/problem+json"
    assert not stand_ins.sent.events()
