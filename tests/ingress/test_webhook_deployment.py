"""A webhook that is made of a node keeps what the node has no word for."""

from tests.ingress.stand_ins import Client
from tests.ingress.test_deployments import call, publish

NODE = {
    "type": "trigger-webhook", "method": "post", "content_type": "application/json", "headers": [],
    "params": [{"name": "page", "type": "number", "required": True}], "body": [], "async_mode": True,
    "status_code": 201, "response_body": '{"ok": true}',
}  # fmt: skip


async def test_a_node_with_a_config_of_our_own_says_everything(client: Client) -> None:
    config = {"webhook_path": "own", "signature": {"scheme": "bearer", "secrets": ["s"]}}
    node = {"type": "trigger-webhook", "trigger_type": "WEBHOOK"}
    ids = set()
    for given, status in ((config, 401), ({"webhook_path": "own"}, 202)):
        workflow_id = await publish(client, {**node, "config": given})
        deploy = f"/api/v1/deployment/workflows/{workflow_id}/deploy"
        assert (await call(client, "POST", deploy, {}))[0] == 200
        _, listed = await call(client, "GET", f"/api/v1/triggers?workflow_id={workflow_id}")
        ids |= {one["id"] for one in listed["data"]}
        async with client.post("/triggers/webhook/own", json={}) as answer:
            assert answer.status == status
    assert len(ids) == 1


async def test_a_node_becomes_an_endpoint_that_stays(client: Client) -> None:
    workflow_id = await publish(client, NODE)
    deploy = f"/api/v1/deployment/workflows/{workflow_id}/deploy"
    assert (await call(client, "POST", deploy, {}))[0] == 200
    _, listed = await call(client, "GET", f"/api/v1/triggers?workflow_id={workflow_id}")
    (trigger,) = listed["data"]
    path = f"/triggers/webhook/{trigger['config']['webhook_id']}"
    async with client.post(f"{path}?page=2", json={}) as answer:
        assert (answer.status, await answer.json()) == (201, {"ok": True})
    async with client.post(path, json={}) as answer:
        assert (await answer.json())["errors"][0]["field"] == "query"

    signed = {**trigger["config"], "webhook_path": "own", "signature": {"scheme": "bearer", "secrets": ["s"]}}
    one = f"/api/v1/triggers/{trigger['id']}"
    assert (await call(client, "PATCH", one, {"config": signed}))[0] == 200
    assert (await call(client, "POST", deploy, {}))[0] == 200
    _, again = await call(client, "GET", one)
    assert again["config"]["signature"]["scheme"] == "bearer"
    async with client.post("/triggers/webhook/own?page=3", json={}) as answer:
        assert answer.status == 401, "deploying again must not open what was closed"
    async with client.post(
        "/triggers/webhook/own?page=3", json={}, headers={"Authorization": "Bearer s"}
    ) as answer:
        assert answer.status == 201
