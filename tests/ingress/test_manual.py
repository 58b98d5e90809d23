"""Starting workflows by hand over HTTP."""

from typing import Any

import orjson

from ingress.identity import DELIVERY_WINDOW_MS
from schemas.ids import conversation_id, workflow_run_id
from tests.graphs import answer, dsl, graph
from tests.graphs import start as start_node
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, StandIns

Json = dict[str, Any]


async def start(client: Client, workflow_id: str, status: int, body: Any = None, **headers: str) -> Json:
    """The answer to a manual start."""
    path = f"/api/v1/triggers/workflows/{workflow_id}/manual"
    async with client.post(path, json=body or {}, headers={**AUTHORIZED, **headers}) as answer:
        assert answer.status == status, await answer.text()
        document: Json = await answer.json()
    return document


async def test_each_click_is_a_run(client: Client, workflow_id: str, stand_ins: StandIns) -> None:
    first = await start(client, workflow_id, 202, {"inputs": {"name": "Ada"}})
    second = await start(client, workflow_id, 202, {"inputs": {"name": "Ada"}})
    assert first["workflow_run_id"] != second["workflow_run_id"]
    event = stand_ins.sent.events()[0]
    assert first == {
        "trigger_id": event["trigger_id"],
        "duplicate": False,
        "event_id": event["event_id"],
        "workflow_run_id": workflow_run_id(event["dedup_key"], event["received_at"], workflow_id),
        "conversation_id": None,
    }
    assert (event["trigger_type"], event["index_key"]) == ("MANUAL", workflow_id)
    assert (event["created_by_role"], event["created_by"]) == ("account", "bootstrap")
    assert event["dedup_window_ms"] == DELIVERY_WINDOW_MS
    data = orjson.loads(event["data"])
    assert (data["type"], data["inputs"]) == ("manual", {"name": "Ada"})
    metadata = data["metadata"]
    assert (metadata["initiated_by"], metadata["version"]) == ("bootstrap", "")


async def test_an_idempotency_key_is_one_run(client: Client, workflow_id: str) -> None:
    first = await start(client, workflow_id, 202, **{"Idempotency-Key": "once"})
    again = await start(client, workflow_id, 200, **{"Idempotency-Key": "once"})
    assert again["duplicate"]
    assert again["trigger_id"] == "once"
    assert again["workflow_run_id"] == first["workflow_run_id"]


async def test_only_what_has_the_wanted_version_can_be_started(client: Client, stand_ins: StandIns) -> None:
    await start(client, "unknown", 404)
    path = "/api/v1/workflows/import?app=draft-only"
    async with client.post(path, json=GRAPH, headers=AUTHORIZED) as answer:
        draft_only = (await answer.json())["workflow_id"]
    refused = await start(client, draft_only, 409)
    assert "draft: true" in refused["detail"]
    await start(client, draft_only, 202, {"draft": True})
    (event,) = stand_ins.sent.events()
    assert orjson.loads(event["data"])["metadata"]["version"] == "draft"


async def test_a_misspelt_field_is_refused(client: Client, workflow_id: str, stand_ins: StandIns) -> None:
    refused = await start(client, workflow_id, 422, {"input": {}})
    assert refused["errors"][0]["field"] == "input"
    assert not stand_ins.sent.events()


FIELDS = [
    {"variable": "name", "label": "name", "type": "text-input", "required": True, "max_length": 5},
    {"variable": "age", "label": "age", "type": "number"},
    {"variable": "kind", "label": "kind", "type": "select", "options": ["a", "b"]},
]


async def with_form(client: Client) -> str:
    """The id of a published workflow that asks for `FIELDS`."""
    first, *others = GRAPH["nodes"]
    form = {**first, "data": {**first["data"], "variables": FIELDS}}
    path = "/api/v1/workflows/import?app=form&publish=true"
    async with client.post(path, json={**GRAPH, "nodes": [form, *others]}, headers=AUTHORIZED) as answer:
        return str((await answer.json())["workflow_id"])


async def test_every_input_that_does_not_fit_the_form_is_named(client: Client, stand_ins: StandIns) -> None:
    workflow_id = await with_form(client)
    refused = await start(client, workflow_id, 422, {"inputs": {"age": "old", "kind": "c"}})
    assert refused["errors"] == [
        {"node": None, "field": "inputs.name", "why": "is required in input form"},
        {"node": None, "field": "inputs.age", "why": "in input form must be a valid number"},
        {"node": None, "field": "inputs.kind", "why": "in input form must be one of a, b"},
    ]
    assert not stand_ins.sent.events()
    await start(client, workflow_id, 202, {"inputs": {"name": "Ada", "age": "36"}})


async def test_a_chat_tells_its_conversation(client: Client) -> None:
    path = "/api/v1/workflows/import?app=chat&publish=true"
    talk = graph([start_node(), answer("say", "{{#sys.query#}}")], ("start", "say"))
    async with client.post(path, json=dsl(talk, "advanced-chat"), headers=AUTHORIZED) as imported:
        assert imported.status == 201, await imported.text()
        chat = (await imported.json())["workflow_id"]
    first = await start(client, chat, 202, {"query": "hello"}, **{"Idempotency-Key": "once"})
    assert first["conversation_id"] == conversation_id(first["workflow_run_id"])
    again = await start(client, chat, 200, {"query": "hello"}, **{"Idempotency-Key": "once"})
    assert again["conversation_id"] == first["conversation_id"]
    second = await start(client, chat, 202, {"query": "more", "conversation_id": "mine"})
    assert second["conversation_id"] == "mine"


async def test_what_the_user_of_a_chat_says_is_brought_as_system_variables(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    await start(client, workflow_id, 202, {"query": "hello", "conversation_id": "c"})
    await start(client, workflow_id, 202)
    first, second = (orjson.loads(event["data"]) for event in stand_ins.sent.events())
    assert first["system"] == {"query": "hello", "conversation_id": "c"}
    assert "system" not in second
