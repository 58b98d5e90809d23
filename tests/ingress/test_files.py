"""Uploading and downloading files, and naming them among the inputs of a run."""

from io import BytesIO
from typing import Any

import orjson
import pytest
from aiohttp import FormData

from schemas.models import DEFAULT_TENANT
from tests.ingress.stand_ins import AUTHORIZED, Client, StandIns
from transport.files import StoredFile

Json = dict[str, Any]

PNG = b"\x89PNG\r\n\x00"


def form(content: bytes = PNG, filename: str = "Ad\u00e4.png", content_type: str = "image/png") -> FormData:
    data = FormData({"user": "abc"}, quote_fields=False)
    data.add_field("file", BytesIO(content), filename=filename, content_type=content_type)
    return data


async def upload(client: Client, data: Any, status: int = 201) -> Json:
    async with client.post("/api/v1/files", data=data, headers=AUTHORIZED) as answer:
        assert answer.status == status, await answer.text()
        document: Json = await answer.json()
    return document


async def test_what_was_uploaded_is_downloaded(client: Client) -> None:
    uploaded = await upload(client, form())
    assert (uploaded["name"], uploaded["extension"], uploaded["size"]) == ("Ad\u00e4.png", "png", len(PNG))
    assert uploaded["file"]["type"] == "image"
    async with client.get(f"/api/v1/files/{uploaded['id']}", headers=AUTHORIZED) as answer:
        assert (answer.status, await answer.read()) == (200, PNG)
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Ad%C3%A4.png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_large_file_passes_the_limit_of_other_requests(client: Client) -> None:
    content = bytes(range(256)) * 8192
    uploaded = await upload(client, form(content, "a.pdf", "application/pdf"))
    assert uploaded["size"] == len(content)
    async with client.get(f"/api/v1/files/{uploaded['id']}", headers=AUTHORIZED) as answer:
        assert await answer.read() == content


async def test_a_link_needs_no_key_and_is_good_for_its_file_only(client: Client) -> None:
    uploaded = await upload(client, form())
    link = uploaded["file"]["url"]
    async with client.get(link[link.index("/files/") :]) as answer:
        assert (answer.status, await answer.read()) == (200, PNG)
    async with client.get(link[link.index("/files/") :].replace("tenant=", "tenant=x")) as answer:
        assert answer.status == 404
    async with client.get(f"/files/{uploaded['id']}") as answer:
        assert answer.status == 404


async def test_another_tenants_file_is_not_there(client: Client, stand_ins: StandIns) -> None:
    theirs = StoredFile(id="f", tenant_id="t", filename="a.txt", mime_type="text/plain", size=1, created_at=0)
    await stand_ins.files.save(theirs, b"1")
    async with client.get("/api/v1/files/f", headers=AUTHORIZED) as answer:
        assert answer.status == 404
    async with client.get("/api/v1/files/..%2Ft%2Ff", headers=AUTHORIZED) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (form(b"x" * 101), 413),
        (FormData({"file": "no file"}), 415),
        (b"{}", 415),
    ],
)
async def test_what_is_refused(client: Client, data: Any, status: int) -> None:
    await upload(client, data, status)


async def test_a_form_without_a_file_is_refused(client: Client) -> None:
    data = FormData()
    data.add_field("photo", PNG, filename="p.png")
    assert "no part `file`" in (await upload(client, data, 400))["detail"]


@pytest.mark.parametrize(
    "raw",
    [
        b"--x\r\nno colon\r\n\r\n",
        b'--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"u" * 100 + b"\r\n--x--",
        b"--x\r\nX: " + b"v" * 9000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_form_is_refused(client: Client, raw: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", **AUTHORIZED}
    async with client.post("/api/v1/files", data=raw, headers=headers) as answer:
        assert answer.status == 400, await answer.text()


async def test_an_input_names_an_upload_by_its_id(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    uploaded = await upload(client, form())
    named = {"type": "image", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}
    remote = {"type": "image", "transfer_method": "remote_url", "url": "http://x/a.png"}
    inputs = {"one": named, "many": [{**named, "type": "custom"}, remote], "text": "t"}
    path = f"/api/v1/triggers/workflows/{workflow_id}/manual"
    async with client.post(path, json={"inputs": inputs}, headers=AUTHORIZED) as answer:
        assert answer.status == 202, await answer.text()
    sent = orjson.loads(stand_ins.sent.events()[0]["data"])["inputs"]
    assert sent["one"] == {**uploaded["file"], "url": sent["one"]["url"]}
    assert sent["one"]["tenant_id"] == DEFAULT_TENANT
    assert (sent["many"][0]["type"], sent["many"][0]["filename"]) == ("custom", "Ad\u00e4.png")
    assert (sent["many"][1], sent["text"]) == (remote, "t")


async def test_an_input_that_names_no_file_is_refused(client: Client, workflow_id: str) -> None:
    inputs = {"one": {"transfer_method": "local_file", "upload_file_id": "nobody"}}
    path = f"/api/v1/triggers/workflows/{workflow_id}/manual"
    async with client.post(path, json={"inputs": inputs}, headers=AUTHORIZED) as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["field"] == "inputs.one"
