"""What triggers are completed with, by asking servers that stand for GitHub and Slack."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from tests.ingress.provider_clients import connect_github, connect_slack
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from tests.transport.provider_apis import APP_ID, BOT_TOKEN, GitHubApi, SlackWorkspace, key_pair, serving

PAGES = [[("C0GENERAL", "general")], [("C0DEPLOYS", "deploys")]]


@pytest.fixture
async def github() -> AsyncIterator[GitHubApi]:
    api = GitHubApi({"repos/octo/hello": 7, "orgs/octo": 8})
    async with serving(api):
        yield api


@pytest.fixture
async def slack() -> AsyncIterator[SlackWorkspace]:
    api = SlackWorkspace(PAGES)
    async with serving(api):
        yield api


@pytest.fixture
async def client(github: GitHubApi, slack: SlackWorkspace, stand_ins: StandIns) -> AsyncIterator[Client]:
    allowed = ",".join(one.url.removeprefix("http://") for one in (github, slack))
    app = assemble(stand_ins, new_settings(egress_allow=allowed))
    async with TestClient(TestServer(app)) as client:
        yield client


async def create(client: Client, workflow_id: str, kind: str, **config: Any) -> tuple[int, Any]:
    body = {"workflow_id": workflow_id, "type": kind, "config": config}
    async with client.post("/api/v1/triggers", json=body, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


async def connect_app(client: Client, github: GitHubApi, **more: Any) -> None:
    await connect_github(
        client, app_id=APP_ID, api_url=github.url, credentials={"private_key": key_pair()[0]}, **more
    )


async def connect_workspace(
    client: Client, slack: SlackWorkspace, token: str = BOT_TOKEN, **more: Any
) -> None:
    await connect_slack(client, api_url=slack.url, credentials={"bot_token": token}, **more)


async def test_the_installation_of_the_app_is_found(
    client: Client, github: GitHubApi, workflow_id: str
) -> None:
    await connect_app(client, github)
    status, trigger = await create(client, workflow_id, "GITHUB", repository="octo/hello")
    assert (status, trigger["config"]["github_app_installation_id"]) == (201, "7")
    path = f"/api/v1/triggers/{trigger['id']}"
    async with client.patch(path, json={"config": {"repository": "octo"}}, headers=AUTHORIZED) as answer:
        assert (await answer.json())["config"]["github_app_installation_id"] == "8"


async def deploy(client: Client, **config: Any) -> tuple[int, Any]:
    """A workflow whose trigger node names the kind."""
    data = {"type": "trigger-plugin", "title": "Push", "trigger_type": "GITHUB", "config": config}
    graph = {**GRAPH, "nodes": [{"id": "start", "data": data}, GRAPH["nodes"][1]]}
    imported = "/api/v1/workflows/import?app=watch&publish=true"
    async with client.post(imported, json=graph, headers=AUTHORIZED) as answer:
        assert answer.status in (200, 201), await answer.text()
        workflow_id = (await answer.json())["workflow_id"]
    path = f"/api/v1/deployment/workflows/{workflow_id}/deploy"
    async with client.post(path, json={}, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


async def test_a_deployment_asks_for_its_nodes(
    client: Client, github: GitHubApi, stand_ins: StandIns
) -> None:
    await connect_app(client, github)
    status, shown = await deploy(
        client, repository="octo/hello", event_config={"push": {"branches": ["main"]}}
    )
    assert (status, shown["deployment_status"]) == (200, "DEPLOYED")
    [trigger] = shown["triggers"]
    assert (trigger["type"], trigger["index_key"]) == ("GITHUB", "octo/hello")
    stored = stand_ins.configured.definitions.triggers[trigger["id"]]
    assert stored.config["github_app_installation_id"] == "7"
    await deploy(client, repository="octo")
    stored = stand_ins.configured.definitions.triggers[trigger["id"]]
    assert stored.config["github_app_installation_id"] == "8"


async def test_a_deployment_fails_where_the_app_is_not_installed(client: Client, github: GitHubApi) -> None:
    await connect_app(client, github)
    status, problem = await deploy(client, repository="octo/other")
    assert (status, problem["errors"][0]["node"]) == (422, "start")
    assert problem["errors"][0]["field"] == "config.repository"


async def test_where_the_app_is_not_installed_there_is_no_trigger(
    client: Client, github: GitHubApi, workflow_id: str
) -> None:
    await connect_app(client, github)
    status, problem = await create(client, workflow_id, "GITHUB", repository="octo/other")
    assert (status, problem["errors"][0]["field"]) == (422, "config.repository")
    assert "is not installed at octo/other" in problem["detail"]


async def test_github_that_does_not_answer_is_for_later(
    client: Client, github: GitHubApi, workflow_id: str
) -> None:
    await connect_app(client, github)
    github.answer = (502, {})
    status, problem = await create(client, workflow_id, "GITHUB", repository="octo/hello")
    assert (status, problem["detail"]) == (503, "GitHub answers with 502: ; send it again")


async def test_nobody_is_asked_for_what_is_known_or_cannot_be(
    client: Client, github: GitHubApi, workflow_id: str
) -> None:
    for config in ({"repository": "a/b"}, {}):
        assert (await create(client, workflow_id, "GITHUB", **config))[0] == 201
    await connect_app(client, github)
    given = {"repository": "octo/hello", "github_app_installation_id": 3}
    status, trigger = await create(client, workflow_id, "GITHUB", **given)
    assert (status, trigger["config"]["github_app_installation_id"]) == (201, "3")
    await connect_github(client, "webhook")
    for config in ({"repository": "octo/hello"}, {"repository": "octo/hello", "connection": "webhook"}):
        status, trigger = await create(client, workflow_id, "GITHUB", **config)
        assert (status, trigger["config"]["github_app_installation_id"]) == (201, "")
    assert github.asked == []


async def test_where_to_send_to_is_shown(client: Client, workflow_id: str) -> None:
    shown: dict[str, Any] = {}
    for kind, connect in (("GITHUB", connect_github), ("SLACK", connect_slack)):
        assert (await create(client, workflow_id, kind))[1]["url"] is None
        shown[kind] = await connect(client)
        for config in ({}, {"connection": shown[kind]["name"]}):
            _, trigger = await create(client, workflow_id, kind, **config)
            assert trigger["url"] == str(client.make_url(shown[kind]["path"]))
        await connect(client, "another")
        assert (await create(client, workflow_id, kind))[1]["url"] is None
    _, trigger = await create(client, workflow_id, "CLOUDEVENTS")
    assert trigger["url"] == str(client.make_url("/api/v1/events"))


async def test_a_connection_that_there_is_not(client: Client, workflow_id: str) -> None:
    await connect_github(client)
    for kind in ("GITHUB", "SLACK"):
        status, problem = await create(client, workflow_id, kind, connection="other")
        assert (status, problem["errors"][0]["field"]) == (422, "config.connection")


async def test_channels_become_ids_and_the_workspace_is_found(
    client: Client, slack: SlackWorkspace, workflow_id: str
) -> None:
    await connect_workspace(client, slack)
    wanted = ["#deploys", "C0123ABCD", "General"]
    status, trigger = await create(client, workflow_id, "SLACK", channels=wanted)
    assert status == 201, trigger
    config = trigger["config"]
    assert config["channels"] == ["C0DEPLOYS", "C0123ABCD", "C0GENERAL"]
    assert (config["workspace_id"], config["bot_user_id"]) == ("T123ABC456", "UBOT")


async def test_without_names_no_channels_are_listed(
    client: Client, slack: SlackWorkspace, workflow_id: str
) -> None:
    await connect_workspace(client, slack, team_id="T9")
    status, trigger = await create(client, workflow_id, "SLACK", channels=["C0123ABCD"], bot_user_id="UX")
    assert (status, [one["method"] for one in slack.asked]) == (201, ["auth.test"])
    assert (trigger["config"]["workspace_id"], trigger["config"]["bot_user_id"]) == ("T9", "UX")


async def test_a_channel_that_there_is_not(client: Client, slack: SlackWorkspace, workflow_id: str) -> None:
    await connect_workspace(client, slack)
    status, problem = await create(client, workflow_id, "SLACK", channels=["general", "nope"])
    assert (status, problem["detail"]) == (422, "there is no channel nope that the app can see")


async def test_names_need_somebody_to_ask(client: Client, slack: SlackWorkspace, workflow_id: str) -> None:
    for name in ("one", "two"):
        status, problem = await create(client, workflow_id, "SLACK", channels=["general"])
        assert (status, problem["errors"][0]["field"]) == (422, "config.channels")
        await connect_slack(client, name, team_id="T7")
    status, trigger = await create(client, workflow_id, "SLACK")
    assert (status, trigger["config"]["workspace_id"]) == (201, "")


async def test_a_token_that_slack_refuses(client: Client, slack: SlackWorkspace, workflow_id: str) -> None:
    await connect_workspace(client, slack, token="xoxb-revoked")
    status, problem = await create(client, workflow_id, "SLACK")
    assert (status, problem["detail"]) == (422, "Slack refuses auth.test: invalid_auth")


async def test_the_connection_of_the_deployment(
    github: GitHubApi, slack: SlackWorkspace, stand_ins: StandIns
) -> None:
    settings = new_settings(
        github_webhook_secret=SecretStr("s"), github_app_id=APP_ID, github_api_url=github.url,
        github_app_private_key=SecretStr(key_pair()[0].replace("\n", "\\n")),
        slack_signing_secret=SecretStr("s"), slack_bot_token=SecretStr(BOT_TOKEN),
        slack_api_url=slack.url,
        egress_allow=",".join(one.url.removeprefix("http://") for one in (github, slack)),
    )  # fmt: skip
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        path = "/api/v1/workflows/import?app=orders&publish=true"
        async with client.post(path, json=GRAPH, headers=AUTHORIZED) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        _, trigger = await create(
            client, workflow_id, "GITHUB", repository="octo/hello", connection="deployment"
        )
        assert trigger["config"]["github_app_installation_id"] == "7"
        assert trigger["url"].endswith("/api/v1/github/webhook")
        _, trigger = await create(client, workflow_id, "SLACK", channels=["deploys"])
        assert trigger["config"]["channels"] == ["C0DEPLOYS"]
