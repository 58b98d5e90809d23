"""`hopline subscription` and `hopline oauth-client`: what is sent, and how it is shown."""

from pathlib import Path
from typing import Any

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

MADE: dict[str, Any] = {
    "id": "s1", "name": "payments", "provider": "hopline/stripe", "status": "ACTIVE", "expired": False,
    "endpoint": "http://h/triggers/plugin/e", "needs_authorization": False, "error": None,
    "workflows_in_use": 2, "properties": {}, "authorize_url": None, "warnings": [],
}  # fmt: skip
PLUGINS = [
    {
        "provider": "hopline/gitlab", "description": "Events of a GitLab project",
        "parameters": {"properties": {"project": {}, "url": {}}, "required": ["project"]},
        "credential_types": ["api_key", "oauth"],
        "credentials": {"properties": {"private_token": {}}, "required": ["private_token"]},
    }
]  # fmt: skip


def test_what_a_plugin_takes(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/plugins", {"data": PLUGINS})
    lines = hopline("subscription", "plugins").stdout.splitlines()
    assert lines[1] == "hopline/gitlab\tproject, url?\tOAuth | private_token\tEvents of a GitLab project"


def test_parameters_are_json_where_they_can_be(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk_live\n")
    api.says("POST /api/v1/subscriptions", MADE, 201)
    result = hopline(
        "subscription", "create", "payments", "--provider", "stripe", "--parameter",
        'enabled_events=["invoice.paid"]', "--parameter", "api_version=2026-01-01", "--parameters",
        '{"api_version": "x", "other": 1}', "--credential", f"api_key=@{key}",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert api.seen[-1].json == {
        "name": "payments",
        "provider": "stripe",
        "parameters": {"enabled_events": ["invoice.paid"], "api_version": "2026-01-01", "other": 1},
        "credentials": {"api_key": "sk_live"},
    }
    assert result.stdout.splitlines() == [
        "id        s1",
        "status    ACTIVE",
        "endpoint  http://h/triggers/plugin/e",
    ]


def test_where_its_user_agrees_is_printed(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/subscriptions", {**MADE, "authorize_url": "https://gitlab.com/x"}, 201)
    assert "https://gitlab.com/x" in hopline("subscription", "create", "p", "--provider", "gitlab").stdout
    api.says("GET /api/v1/subscriptions", {"data": [MADE]})
    api.says("GET /api/v1/oauth/hopline/stripe/authorize", {"authorize_url": "https://gitlab.com/y"})
    assert hopline("subscription", "authorize", "payments").stdout == "https://gitlab.com/y\n"
    assert api.seen[-1].query == {"subscription_id": "s1", "redirect": "false"}
    assert api.seen[-1].path == "/api/v1/oauth/hopline%2Fstripe/authorize"


def test_the_list_says_how_they_are(hopline: Hopline, api: CannedApi) -> None:
    lost = {**MADE, "id": "s2", "needs_authorization": True, "error": "the token endpoint refuses"}
    api.says("GET /api/v1/subscriptions", {"data": [MADE, lost, {**MADE, "id": "s3", "expired": True}]})
    lines = hopline("subscription", "list", "--provider", "stripe").stdout.splitlines()
    assert api.seen[-1].query == {"provider": "stripe"}
    assert [line.split("\t")[3] for line in lines[1:]] == ["ACTIVE", "NEEDS AUTHORIZATION", "EXPIRED"]
    assert lines[2].endswith("\t2\tthe token endpoint refuses")


def test_it_is_found_by_name_or_id(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/subscriptions", {"data": [MADE]})
    assert "hopline/stripe" in hopline("subscription", "show", "s1").stdout
    result = hopline("subscription", "show", "other")
    assert (result.exit_code, "no subscription is called 'other'" in result.stderr) == (1, True)
    api.says("DELETE /api/v1/subscriptions/s1", None, 204)
    assert hopline("subscription", "delete", "payments", "--force").stdout == "deleted payments\n"
    assert api.seen[-1].query == {"force": "true"}


def test_a_change_says_what_went_wrong_on_the_way(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/subscriptions", {"data": [MADE]})
    api.says("PATCH /api/v1/subscriptions/s1", {**MADE, "warnings": ["the old one is still there"]})
    result = hopline("subscription", "change", "payments", "--parameters", '{"a": 1}')
    assert result.stdout == "changed payments\n  the old one is still there\n"
    assert api.seen[-1].json == {"parameters": {"a": 1}}


def test_a_client_is_set_and_says_what_to_register(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    shown = {"provider": "hopline/gitlab", "client_id": "abc", "redirect_uri": "http://h/callback"}
    api.says("PUT /api/v1/oauth/tenant-clients/gitlab", shown)
    result = hopline(
        "oauth-client", "set", "gitlab", "--client-id", "abc", "--client-secret", f"@{secret}",
        "--scope", "api", "--authorize-parameter", "prompt=consent",
    )  # fmt: skip
    assert "http://h/callback" in result.stdout
    assert api.seen[-1].json == {
        "client_id": "abc", "client_secret": "s3cret", "scopes": ["api"], "enabled": True,
        "authorize_parameters": {"prompt": "consent"},
    }  # fmt: skip
    api.says("PUT /api/v1/oauth/system-clients/gitlab", shown)
    assert hopline("oauth-client", "set", "gitlab", "--client-id", "abc", "--system").exit_code == 0
    assert api.seen[-1].json == {"client_id": "abc", "client_secret": ""}
    disabled = hopline("oauth-client", "set", "gitlab", "--client-id", "abc", "--system", "--disabled")
    assert disabled.exit_code == 2


def test_clients_are_listed_shown_and_deleted(hopline: Hopline, api: CannedApi) -> None:
    shown = {
        "provider": "hopline/gitlab", "client_id": "abc", "enabled": True, "client_secret": "********",
        "authorize_url": "https://gitlab.com/oauth/authorize", "redirect_uri": "http://h/callback",
    }  # fmt: skip
    api.says("GET /api/v1/oauth/system-clients", {"data": [shown]})
    assert "hopline/gitlab\tabc\ttrue" in hopline("oauth-client", "list", "--system").stdout
    api.says("GET /api/v1/oauth/tenant-clients/gitlab", shown)
    assert "********" in hopline("oauth-client", "show", "gitlab").stdout
    api.says("DELETE /api/v1/oauth/tenant-clients/gitlab", None, 204)
    assert hopline("oauth-client", "delete", "gitlab").stdout == "deleted gitlab\n"
