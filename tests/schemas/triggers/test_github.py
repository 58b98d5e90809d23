"""GitHub triggers: what is looked up, what is refused, and what a delivery is made of."""

import hmac
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from multidict import CIMultiDict
from pydantic import ValidationError

from schemas.triggers.accounts import Account
from schemas.triggers.delivery import Delivery, NotBelieved, NotUnderstood, Received
from schemas.triggers.github import REDELIVERY_S, GitHubConfig, receive_github
from schemas.triggers.github_filters import EventFilter
from schemas.triggers.signatures import GitHubVerifier
from tests.octokit.payloads import of_event, payloads

SECRET = "It's a Secret to Everybody"
ACCOUNTS = (Account("tenant", "main", GitHubVerifier((SECRET.encode(),))),)
PUSH = next(of_event("push"))


def delivered(event: str, payload: Any, secret: str = SECRET, **headers: str) -> Delivery:
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
    signed = {"X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": f"sha256={digest}"}
    given = CIMultiDict({"Content-Type": "application/json", "X-GitHub-Event": event, **signed, **headers})
    return Delivery("POST", "/api/v1/github/webhook", given, {}, body, 0)


def receive(event: str, payload: Any, accounts: Any = ACCOUNTS, **headers: str) -> Received:
    return receive_github(delivered(event, payload, **headers), accounts)


def refusal(config: dict[str, Any], event: str = "push", payload: Any = PUSH) -> str | None:
    [received] = receive(event, payload).events
    return GitHubConfig.model_validate(config).refusal(received.data)


def test_every_real_payload_becomes_an_event_of_its_repository() -> None:
    for one in payloads():
        received = receive(one.event, one.payload)
        if one.event == "ping":
            assert (received.events, received.reply and received.reply.status) == ((), 200)
            continue
        [event] = received.events
        name = (one.payload.get("repository") or {}).get("full_name", "")
        assert (event.tenant_id, event.event_type, event.delivery_id) == ("tenant", one.event, "d-1")
        assert (event.index_key, event.data["body"]) == (name.lower(), one.payload)
        config = GitHubConfig(repository=name, event_config={one.event: EventFilter()})
        assert config.index_key("") == event.index_key
        assert config.refusal(event.data) is None


def test_every_real_payload_is_refused_with_a_wrong_signature() -> None:
    for one in payloads():
        with pytest.raises(NotBelieved):
            receive_github(delivered(one.event, one.payload, "another secret"), ACCOUNTS)


def test_a_delivery_is_known_by_its_id_for_as_long_as_it_may_come_again() -> None:
    [event] = receive("push", PUSH).events
    assert (event.delivery_id, event.window_s) == ("d-1", REDELIVERY_S)
    [event] = receive("push", PUSH, **{"X-GitHub-Delivery": ""}).events
    assert (event.delivery_id, event.window_s) == (None, None)


def test_each_tenant_whose_secret_proves_it_has_an_event() -> None:
    shared, other = GitHubVerifier((SECRET.encode(),)), GitHubVerifier((b"other",))
    accounts = [
        Account("a", "one", shared),
        Account("b", "x", other),
        Account("c", "y", shared),
        Account("a", "two", shared),
    ]
    events = receive("push", PUSH, accounts).events
    assert [(one.tenant_id, one.data["delivery"]["connection"]) for one in events] == [
        ("a", "one"),
        ("c", "y"),
    ]


def test_a_secret_can_be_rotated() -> None:
    assert receive("push", PUSH, [Account("t", "c", GitHubVerifier((b"new", SECRET.encode())))]).events


def test_without_a_connection_nothing_is_believed() -> None:
    with pytest.raises(NotBelieved, match="no connection"):
        receive("push", PUSH, [])


def test_a_form_holds_the_payload() -> None:
    body = urlencode({"payload": orjson.dumps(PUSH).decode()}).encode()
    [event] = receive("push", body, **{"Content-Type": "application/x-www-form-urlencoded"}).events
    assert event.data["body"] == PUSH


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (b"{", "application/json", "not JSON"),
        (b"[]", "application/json", "not a JSON object"),
        (b"a=b", "application/x-www-form-urlencoded", "one field, `payload`"),
        (b"\xff", "application/x-www-form-urlencoded", "one field, `payload`"),
    ],
)
def test_what_is_no_payload_is_refused(body: bytes, content_type: str, said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        receive("push", body, **{"Content-Type": content_type})


def test_a_delivery_says_what_has_happened() -> None:
    with pytest.raises(NotUnderstood, match="X-GitHub-Event"):
        receive("", PUSH)


def test_facts_and_headers_beside_the_payload() -> None:
    [event] = receive("push", PUSH, **{"X-GitHub-Hook-ID": "7", "Cookie": "c"}).events
    assert event.data["headers"]["x-github-hook-id"] == "7"
    assert "cookie" not in event.data["headers"]
    assert event.data["delivery"]["owner"] == "codertocat"
    assert (event.source, event.subject) == ("https://github.com/Codertocat/Hello-World", PUSH["ref"])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, None),
        ({"repository": "Codertocat"}, None),
        ({"repository": "octo-org"}, "it is of codertocat, not of octo-org"),
        ({"connection": "main"}, None),
        ({"connection": "other"}, "it came by the connection 'main'"),
        ({"github_app_installation_id": 12}, "it is of installation none"),
        ({"event_config": {"push": None}}, None),
        (
            {"event_config": {"push": {"branches": ["nope"], "tags": ["nope"]}}},
            "tag 'simple-tag' is not wanted",
        ),
        ({"event_config": {"issues": {}}}, "event push is not wanted"),
    ],
)
def test_what_a_trigger_does_not_want(config: dict[str, Any], said: str | None) -> None:
    assert refusal(config) == said


def test_an_installation_of_the_app() -> None:
    payload = {"repository": {"full_name": "O/r"}, "installation": {"id": 12}}
    assert refusal({"github_app_installation_id": "12"}, "issues", payload) is None
    assert refusal({"github_app_installation_id": "13"}, "issues", payload) == "it is of installation 12"


@pytest.mark.parametrize(
    "payload",
    [{"organization": {"login": "Octo"}}, {"installation": {"id": 1, "account": {"login": "octo"}}}],
)
def test_events_without_a_repository_have_an_owner(payload: dict[str, Any]) -> None:
    assert refusal({"repository": "OCTO"}, "member", payload) is None


@pytest.mark.parametrize(
    ("repository", "key"), [("", ""), ("octo", ""), ("Octo/Repo.js", "octo/repo.js"), (" o/r ", "o/r")]
)
def test_it_is_looked_up_by_its_repository(repository: str, key: str) -> None:
    assert GitHubConfig(repository=repository).index_key("id") == key


@pytest.mark.parametrize(
    "config",
    [{"repository": "a/b/c"}, {"repository": "a/.."}, {"repository": "https://github.com/a/b"},
     {"event_config": {"Push": {}}}, {"event_config": {"issues": {"branches": ["main"]}}},
     {"github_app_installation_id": 1.5}],
)  # fmt: skip
def test_what_cannot_be_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GitHubConfig.model_validate(config)


@pytest.mark.parametrize("member", ["repository", "organization", "installation", "issue", "ref", "number"])
@pytest.mark.parametrize("value", [None, 1, "x", [], {"id": {}, "full_name": 5, "account": 3}])
def test_whoever_has_the_secret_may_send_anything(member: str, value: Any) -> None:
    [event] = receive("push", {member: value}).events
    config = {
        "repository": "o",
        "github_app_installation_id": "1",
        "event_config": {"push": {"branches": ["a"]}},
    }
    assert GitHubConfig.model_validate(config).refusal(event.data) is not None
