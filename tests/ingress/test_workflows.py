"""Importing, drafting, publishing and exporting workflows over HTTP."""

from typing import Any

import yaml
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from schemas.models import DRAFT
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, SECRET_KEY, Client, StandIns, assemble, new_settings
from transport.definitions import APPS, WORKFLOWS

Json = dict[str, Any]


def dsl(name: str = "orders", token: str = "s3cret", title: str = "Start") -> str:
    """A DSL file with a secret variable."""
    start = {"id": "start", "data": {"type": "start", "title": title, "variables": []}}
    document = {
        "kind": "app",
        "version": "0.3.0",
        "app": {"name": name, "mode": "workflow", "description": "takes orders"},
        "workflow": {
            "graph": {**GRAPH, "nodes": [start, GRAPH["nodes"][1]]},
            "environment_variables": [
                {"id": "1", "name": "token", "value_type": "secret", "value": token},
                {"id": "2", "name": "region", "value_type": "string", "value": "eu"},
            ],
        },
    }
    return yaml.safe_dump(document)


async def call(client: Client, method: str, path: str, status: int, **request: Any) -> Json:
    """The JSON of an authorised call."""
    async with client.request(method, f"/api/v1/workflows{path}", headers=AUTHORIZED, **request) as answer:
        return await checked(answer, status)


async def checked(answer: ClientResponse, status: int) -> Json:
    assert answer.status == status, await answer.text()
    document: Json = await answer.json()
    return document


async def test_importing_again_under_the_same_name_replaces_the_draft(client: Client) -> None:
    first = await call(client, "POST", "/import", 201, data=dsl())
    again = await call(client, "POST", "/import", 200, data=dsl(title="Begin"))
    assert first["created"]
    assert not again["created"]
    assert again["workflow_id"] == first["workflow_id"]
    shown = await call(client, "GET", f"/{first['workflow_id']}", 200)
    assert shown["version"] == DRAFT
    assert shown["graph"]["nodes"][0]["data"]["title"] == "Begin"
    other = await call(client, "POST", "/import?app=other", 201, data=dsl())
    assert other["workflow_id"] != first["workflow_id"]
    listed = await call(client, "GET", "", 200)
    assert [(w["name"], w["published_version"]) for w in listed["data"]] == [
        ("orders", None),
        ("other", None),
    ]


async def test_the_list_comes_in_pages(client: Client) -> None:
    for name in ("b", "a", "c"):
        await call(client, "POST", "/import", 201, data=dsl(name))
    seen, cursor = [], ""
    while cursor is not None:
        page = await call(client, "GET", f"?limit=2{cursor and '&cursor='}{cursor}", 200)
        seen.append([one["name"] for one in page["data"]])
        cursor = page["next_cursor"]
    assert seen == [["a", "b"], ["c"]]
    whole = await call(client, "GET", "", 200)
    assert ([one["name"] for one in whole["data"]], whole["next_cursor"]) == (["a", "b", "c"], None)
    for wrong in ("limit=0", "cursor=bm9uc2Vuc2U=", "cursor=MQ==", "cursor=x"):
        await call(client, "GET", f"?{wrong}", 400)


async def test_publishing_what_is_published_makes_no_new_version(client: Client) -> None:
    """So that a deployment can import and publish its files at each start."""
    first = await call(client, "POST", "/import?publish=true", 201, data=dsl())
    again = await call(client, "POST", "/import?publish=true", 200, data=dsl())
    assert first["version"] == again["version"] != DRAFT
    changed = await call(client, "POST", "/import?publish=true", 200, data=dsl(token="new"))
    assert changed["version"] > first["version"]
    path = f"/{first['workflow_id']}"
    versions = (await call(client, "GET", f"{path}/versions", 200))["data"]
    assert [v["version"] for v in versions] == [DRAFT, changed["version"], first["version"]]
    assert (await call(client, "GET", path, 200))["version"] == changed["version"]
    old = await call(client, "GET", f"{path}?version={first['version']}", 200)
    assert old["version"] == first["version"]
    published = await call(client, "POST", f"{path}/publish", 200)
    assert published["version"] == changed["version"]


async def test_secret_variables_are_encrypted_masked_and_kept(client: Client, stand_ins: StandIns) -> None:
    imported = await call(client, "POST", "/import", 201, data=dsl())
    workflow_id = imported["workflow_id"]
    versions = stand_ins.configured.definitions.workflows[workflow_id]

    def stored() -> str:
        variable = versions[DRAFT].environment_variables[0]
        return SecretBox(SECRET_KEY.encode()).decrypt(versions[DRAFT].tenant_id, variable["value"])

    assert stored() == "s3cret"
    shown = await call(client, "GET", f"/{workflow_id}", 200)
    assert [v["value"] for v in shown["environment_variables"]] == ["********", "eu"]
    draft = {"graph": shown["graph"], "environment_variables": shown["environment_variables"]}
    await call(client, "PUT", f"/{workflow_id}/draft", 200, json=draft)
    assert stored() == "s3cret"
    await call(client, "POST", "/import", 200, data=dsl(token=""))
    assert stored() == "s3cret"
    await call(client, "POST", "/import", 200, data=dsl(token="other"))
    assert stored() == "other"


async def test_sending_it_again_completes_an_import_of_which_a_part_was_written(
    client: Client, stand_ins: StandIns
) -> None:
    first = await call(client, "POST", "/import?publish=true", 201, data=dsl())
    definitions = stand_ins.configured.definitions
    definitions.apply(APPS, first["app_id"], None)
    definitions.apply(WORKFLOWS, f"{first['workflow_id']}:{DRAFT}", None)
    again = await call(client, "POST", "/import?publish=true", 201, data=dsl())
    assert again == first, "no further version"
    assert first["app_id"] in definitions.apps
    assert set(definitions.versions(first["workflow_id"])) == {DRAFT, first["version"]}


async def test_what_is_exported_can_be_imported(client: Client) -> None:
    imported = await call(client, "POST", "/import", 201, data=dsl())
    async with client.get(
        f"/api/v1/workflows/{imported['workflow_id']}/export", headers=AUTHORIZED
    ) as answer:
        assert answer.content_type == "application/yaml"
        text = await answer.text()
    assert "enc:v1:" not in text
    assert "s3cret" not in text
    again = await call(client, "POST", "/import?app=copy", 201, data=text)
    one = await call(client, "GET", f"/{imported['workflow_id']}", 200)
    copy = await call(client, "GET", f"/{again['workflow_id']}", 200)
    assert copy["graph_hash"] == one["graph_hash"]


async def test_a_plain_graph_needs_a_name(client: Client) -> None:
    refused = await call(client, "POST", "/import", 422, json=GRAPH)
    assert "?app=NAME" in refused["detail"]
    await call(client, "POST", "/import?app=plain", 201, json=GRAPH)


async def test_every_problem_of_a_graph_is_listed(client: Client, workflow_id: str) -> None:
    graph = {
        "nodes": [GRAPH["nodes"][0], {"id": "x", "data": {"type": "teleport", "title": "X"}}],
        "edges": [{"id": "e", "source": "start", "target": "nowhere"}],
    }
    for method, path, body in (
        ("POST", "/import?app=broken", graph),
        ("PUT", f"/{workflow_id}/draft", {"graph": graph}),
    ):
        refused = await call(client, method, path, 422, json=body)
        assert len(refused["errors"]) >= 2
        assert {"node", "field", "why"} == set(refused["errors"][0])
        assert any(row["node"] == "x" for row in refused["errors"])


async def test_importing_into_a_workflow_keeps_its_app(client: Client, workflow_id: str) -> None:
    imported = await call(client, "POST", f"/{workflow_id}/import", 200, data=dsl("another name"))
    assert (imported["workflow_id"], imported["name"]) == (workflow_id, "orders")


async def test_what_is_not_there_is_not_found(client: Client, workflow_id: str) -> None:
    await call(client, "GET", "/unknown", 404)
    await call(client, "POST", "/unknown/publish", 404)
    await call(client, "PUT", "/unknown/draft", 404, json={"graph": GRAPH})
    refused = await call(client, "GET", f"/{workflow_id}?version=1", 404)
    assert DRAFT in refused["detail"]


async def test_without_a_key_no_secret_can_be_stored(stand_ins: StandIns) -> None:
    app = assemble(stand_ins, new_settings(secret_key=None))
    async with TestClient(TestServer(app)) as client:
        refused = await call(client, "POST", "/import", 409, data=dsl())
    assert "HOPLINE_SECRET_KEY" in refused["detail"]


async def test_the_form_of_a_rag_pipeline_is_kept_and_published(client: Client) -> None:
    imported = await call(client, "POST", "/import?publish=true", 201, data=dsl())
    workflow_id, first = imported["workflow_id"], imported["version"]
    form = [{"variable": "query", "type": "text-input", "label": "Query", "required": True}]
    draft = await call(client, "GET", f"/{workflow_id}?version=draft", 200)
    body = {"graph": draft["graph"], "rag_pipeline_variables": form}
    assert (await call(client, "PUT", f"/{workflow_id}/draft", 200, json=body))[
        "rag_pipeline_variables"
    ] == form
    published = await call(client, "POST", f"/{workflow_id}/publish", 201, json={})
    assert published["version"] != first
    assert published["rag_pipeline_variables"] == form
