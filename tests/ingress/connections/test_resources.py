"""Connections: what is stored, what is shown, and what is refused."""

from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT, GitHubConnection, SlackConnection
from schemas.secrets import SecretBox
from tests.ingress.provider_clients import connect_github, connect_slack
from tests.ingress.stand_ins import AUTHORIZED, SECRET_KEY, Client, StandIns

GITHUB, SLACK = "/api/v1/github-connections", "/api/v1/slack-connections"


async def test_secrets_are_encrypted_and_never_shown(client: Client, stand_ins: StandIns) -> None:
    shown = await connect_github(client, app_id="12", credentials={"private_key": "pem"})
    assert shown["credentials"] == {"webhook_secret": "********", "private_key": "********"}
    assert (shown["path"], shown["api_url"]) == (
        f"/api/v1/github/webhook/{shown['id']}",
        "https://api.github.com",
    )
    stored = stand_ins.configured.definitions.provider(GitHubConnection, DEFAULT_TENANT, "main")
    assert stored is not None
    box = SecretBox(SECRET_KEY.encode())
    assert box.decrypt(DEFAULT_TENANT, stored.credentials["private_key"]) == "pem"
    shown = await connect_slack(client, team_id="T1")
    assert (shown["path"], shown["team_id"]) == (f"/api/v1/slack/events/{shown['id']}", "T1")
    assert stand_ins.configured.definitions.provider(SlackConnection, DEFAULT_TENANT, "chat") is not None


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (GITHUB, {"credentials": {}}, "webhook_secret is needed"),
        (GITHUB, {"credentials": {"webhook_secret": ""}}, "webhook_secret is needed"),
        (GITHUB, {"credentials": {"webhook_secret": "x", "token": "y"}}, "unknown credentials token"),
        (GITHUB, {"credentials": {"webhook_secret": "x"}, "app_id": "my-app"}, "pattern"),
        (GITHUB, {"credentials": {"webhook_secret": "x"}, "api_url": "ftp://x"}, "must be like https"),
        (GITHUB, {"credentials": {"webhook_secret": "x"}, "api_url": "https://u:p@x"}, "must be like https"),
        (SLACK, {"credentials": {"bot_token": "x"}}, "signing_secret is needed"),
        (SLACK, {"credentials": {"signing_secret": "x"}, "team_id": "acme"}, "pattern"),
    ],
)
async def test_what_could_not_be_used_is_refused(client: Client, path: str, body: Any, said: str) -> None:
    async with client.post(path, json={"name": "n", **body}, headers=AUTHORIZED) as answer:
        assert answer.status == 422
        assert said in (await answer.json())["errors"][0]["why"]


async def test_a_masked_secret_stays_while_the_other_one_changes(client: Client, stand_ins: StandIns) -> None:
    await connect_github(client)
    body = {
        "name": "main",
        "credentials": {"webhook_secret": "new", "previous_webhook_secret": "old"},
    }
    async with client.put(f"{GITHUB}/main", json=body, headers=AUTHORIZED) as answer:
        assert answer.status == 200
    body["credentials"]["webhook_secret"] = "********"  # type: ignore[index]
    elsewhere = {**body, "api_url": "https://github.test/api/v3"}
    for status, wanted in ((422, elsewhere), (200, body)):
        async with client.put(f"{GITHUB}/main", json=wanted, headers=AUTHORIZED) as answer:
            assert answer.status == status
    stored = stand_ins.configured.definitions.provider(GitHubConnection, DEFAULT_TENANT, "main")
    assert stored is not None
    assert (
        SecretBox(SECRET_KEY.encode()).decrypt(DEFAULT_TENANT, stored.credentials["webhook_secret"]) == "new"
    )


async def test_nobody_has_more_connections_to_an_app_than_are_worth_a_signature(client: Client) -> None:
    for number in range(20):
        await connect_github(client, f"c{number}", app_id="12")
    body = {"name": "one more", "app_id": "12", "credentials": {"webhook_secret": "x"}}
    async with client.post(GITHUB, json=body, headers=AUTHORIZED) as answer:
        assert (answer.status, (await answer.json())["detail"]) == (
            409,
            "there are 20 connections to the app 12 already",
        )
    async with client.put(f"{GITHUB}/c3", json={**body, "name": "c3"}, headers=AUTHORIZED) as answer:
        assert answer.status == 200
    await connect_github(client, "other", app_id="13")
    await connect_github(client, "repository")
