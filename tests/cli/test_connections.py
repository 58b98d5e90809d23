"""`hopline github-connection` and `hopline slack-connection` against a canned API."""

from pathlib import Path

import orjson
import pytest

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

GITHUB = {
    "id": "1", "name": "main", "app_id": "12", "api_url": "https://api.github.com",
    "credentials": {"webhook_secret": "********"}, "path": "/api/v1/github/webhook/1",
}  # fmt: skip
SLACK = {
    "id": "2", "name": "chat", "app_id": "A1", "team_id": "", "api_url": "https://slack.com/api",
    "credentials": {"signing_secret": "********"}, "path": "/api/v1/slack/events/2",
}  # fmt: skip


def test_a_connection_to_github_gets_a_secret_that_is_shown_once(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/github-connections", GITHUB, 201)
    output = hopline("github-connection", "create", "main").output
    sent = api.seen[-1].json
    secret = sent["credentials"]["webhook_secret"]
    assert len(secret) == 64
    assert secret in output
    assert "/api/v1/github/webhook/1" in output
    assert sent == {"name": "main", "app_id": "", "credentials": {"webhook_secret": secret}}
    shown = orjson.loads(hopline("github-connection", "create", "main", "--json").output)
    assert shown["secret"] == api.seen[-1].json["credentials"]["webhook_secret"]


def test_an_app_with_its_key(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    (elsewhere / "app.pem").write_text("-----BEGIN-----\n")
    api.says("POST /api/v1/github-connections", GITHUB, 201)
    output = hopline(
        "github-connection", "create", "main", "--app-id", "12", "--secret", "s", "--private-key", "@app.pem",
        "--api-url", "https://ghe/api/v3",
    ).output  # fmt: skip
    assert "secret" not in output
    assert api.seen[-1].json == {
        "name": "main",
        "app_id": "12",
        "api_url": "https://ghe/api/v3",
        "credentials": {"webhook_secret": "s", "private_key": "-----BEGIN-----"},
    }


def test_a_connection_to_slack(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/slack-connections", SLACK, 201)
    result = hopline(
        "slack-connection", "create", "chat", "--app-id", "A1", "--team", "T1", "--signing-secret", "s",
        "--bot-token", "xoxb", "--api-url", "http://stand-in",
    )  # fmt: skip
    assert "/api/v1/slack/events/2" in result.output
    assert api.seen[-1].json == {
        "name": "chat",
        "app_id": "A1",
        "team_id": "T1",
        "api_url": "http://stand-in",
        "credentials": {"signing_secret": "s", "bot_token": "xoxb"},
    }
    assert hopline("slack-connection", "create", "chat").exit_code == 2


@pytest.mark.parametrize(("group", "shown"), [("github-connection", GITHUB), ("slack-connection", SLACK)])
def test_list_show_and_delete(hopline: Hopline, api: CannedApi, group: str, shown: dict[str, str]) -> None:
    route = f"/api/v1/{group}s"
    api.says(f"GET {route}", {"data": [shown]})
    api.says(f"GET {route}/{shown['name']}", shown)
    api.says(f"DELETE {route}/{shown['name']}", None, 204)
    assert shown["path"] in hopline(group, "list").output
    assert orjson.loads(hopline(group, "list", "--json").output) == [shown]
    assert "********" in hopline(group, "show", shown["name"]).output
    assert orjson.loads(hopline(group, "show", shown["name"], "--json").output) == shown
    assert hopline(group, "delete", shown["name"]).output == f"deleted {shown['name']}\n"
