"""`hopline trigger`: the config that is sent, and the secret that is shown once."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.triggers.signature import SCHEMES, SignatureConfig
from schemas.triggers.signatures import build_verifier
from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

SAMPLES = Path(__file__).parents[2] / "samples"
CREATED = {"id": "t1", "url": "http://h/triggers/webhook/abc", "status": "ACTIVE", "type": "WEBHOOK",
           "name": "", "workflow_id": "wf-1"}  # fmt: skip


def create(hopline: Hopline, api: CannedApi, *args: str) -> tuple[str, Any]:
    api.says("POST /api/v1/triggers", CREATED, 201)
    result = hopline("trigger", "create", "--workflow", "order-review", *args)
    assert result.exit_code == 0, result.output
    return result.stdout, api.seen[-1].json


def test_create_prints_the_url(hopline: Hopline, api: CannedApi) -> None:
    output, sent = create(hopline, api, "--method", "put", "--method", "POST", "--dedup-window", "0")
    assert "http://h/triggers/webhook/abc" in output
    assert "secret" not in output
    assert sent == {"workflow_id": "wf-1", "type": "WEBHOOK", "name": "", "status": "ACTIVE",
                    "config": {"allowed_methods": ["PUT", "POST"], "dedup_window_s": 0.0}}  # fmt: skip


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "hmac"])
def test_scheme_alone_gets_a_secret_that_the_door_takes(
    hopline: Hopline, api: CannedApi, scheme: str
) -> None:
    output, sent = create(hopline, api, "--scheme", scheme)
    secret = sent["config"]["signature"]["secrets"][0]
    assert secret in output
    build_verifier(SignatureConfig.model_validate(sent["config"]["signature"]), [secret])
    if scheme in ("standard-webhooks", "svix"):
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32


def test_given_secrets_are_not_shown_again(hopline: Hopline, api: CannedApi) -> None:
    output, sent = create(hopline, api, "--scheme", "github", "--secret", "one", "--secret", "two")
    assert sent["config"]["signature"] == {"scheme": "github", "secrets": ["one", "two"]}
    assert "one" not in output


def test_config_of_a_sample(hopline: Hopline, api: CannedApi) -> None:
    path = SAMPLES / "github-push-notify/sample.json"
    _, sent = create(hopline, api, "--config", f"@{path}")
    assert sent["config"]["inputs"]["repository"] == "body.repository.full_name"
    assert sent["config"]["signature"]["secrets"]


@pytest.mark.parametrize(
    "args",
    [("--secret", "x"), ("--config", "{"), ("--config", "[]"), ("--config", "@absent"), ("--type", "smoke")],
)
def test_wrong_usage(hopline: Hopline, api: CannedApi, args: tuple[str, ...]) -> None:
    assert hopline("trigger", "create", "--workflow", "order-review", *args).exit_code == 2


def test_a_path_of_its_own(hopline: Hopline, api: CannedApi) -> None:
    _, sent = create(hopline, api, "--path", "shop/orders")
    assert sent["config"]["webhook_path"] == "shop/orders"


def test_list_names_the_workflow(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/triggers", {"data": [CREATED]})
    result = hopline("trigger", "list", "--workflow", "order-review")
    assert api.seen[-2].query == {"workflow_id": "wf-1"}
    assert result.stdout.splitlines()[1].split("\t")[3] == "order-review"


def test_requests_show_what_came_and_why_it_started_nothing(hopline: Hopline, api: CannedApi) -> None:
    row = {
        "received_at": "2026-01-31T12:00:00.123456Z", "method": "POST", "path": "/triggers/webhook/a",
        "status": "STOPPED", "error": "the trigger is paused", "body": {"text": "a\u001b[2J" + "b" * 100},
    }  # fmt: skip
    api.says("GET /api/v1/triggers/t1/requests", {"data": [row], "next_cursor": None})
    header, line = hopline("trigger", "requests", "t1", "--limit", "5").stdout.splitlines()
    assert api.seen[-1].query == {"limit": "5"}
    assert header.split("\t") == ["received", "method", "path", "status", "error", "body"]
    cells = line.split("\t")
    assert cells[:5] == ["2026-01-31 12:00:00Z", "POST", "/triggers/webhook/a", "STOPPED", row["error"]]
    assert "\x1b" not in line
    assert cells[5].endswith("b…")
    assert orjson.loads(hopline("trigger", "requests", "t1", "--json").stdout) == [row]


def test_pause_resume_delete(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/triggers/t1/pause", {**CREATED, "status": "PAUSED"})
    api.says("POST /api/v1/triggers/t1/resume", CREATED)
    api.says("DELETE /api/v1/triggers/t1", None, 204)
    assert hopline("trigger", "pause", "t1").stdout == "t1 is PAUSED\n"
    assert orjson.loads(hopline("trigger", "resume", "t1", "--json").stdout)["status"] == "ACTIVE"
    assert hopline("trigger", "delete", "t1").stdout == "deleted t1\n"


def test_config_of_a_file(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    path = tmp_path / "mailbox.json"
    path.write_bytes(orjson.dumps({"host": "mail.example.com"}))
    _, sent = create(hopline, api, "--type", "email", "--config", str(path))
    assert (sent["type"], sent["config"]) == ("EMAIL", {"host": "mail.example.com"})


def test_show_tells_how_a_source_is_doing(hopline: Hopline, api: CannedApi) -> None:
    state = {"status": "FAILING", "error": "mail.example.com:993 is away", "since": "2026-11-21T10:00:00Z"}
    shown = {
        **CREATED,
        "type": "EMAIL",
        "url": None,
        "next_times": None,
        "last_triggered_at": None,
        "source": state,
    }
    api.says("GET /api/v1/triggers/t1", shown)
    assert (
        "FAILING since 2026-11-21 10:00:00Z: mail.example.com:993 is away"
        in hopline("trigger", "show", "t1").stdout
    )
