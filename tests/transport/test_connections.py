"""Connections are found by the app that they are to, whoever's they are."""

from typing import Any

from schemas.models import GitHubConnection, SlackConnection
from transport.definitions import Definitions

TOPIC = "definitions.github_connections"


def connection(key: str, app_id: str, tenant_id: str = "t") -> GitHubConnection:
    credentials = {"webhook_secret": "enc:v1:x"}
    return GitHubConnection(id=key, tenant_id=tenant_id, name=key, app_id=app_id, credentials=credentials)


def ids(definitions: Definitions, app_id: str) -> list[str]:
    return sorted(one.id for one in definitions.providers_of_account(GitHubConnection, app_id))


def put(definitions: Definitions, *entities: Any) -> None:
    for one in entities:
        definitions.apply(TOPIC, one.key, one)


def test_those_of_all_tenants_to_an_app() -> None:
    definitions = Definitions()
    put(
        definitions,
        connection("a", "1"),
        connection("b", "1", "other"),
        connection("c", "2"),
        connection("d", ""),
    )
    assert (ids(definitions, "1"), ids(definitions, "2"), ids(definitions, "3")) == (["a", "b"], ["c"], [])
    assert ids(definitions, "") == ["a", "b", "c", "d"]
    assert definitions.providers_of_account(SlackConnection, "1") == []


def test_what_is_replaced_is_found_by_its_new_app_alone() -> None:
    definitions = Definitions()
    put(definitions, connection("a", "1"), connection("a", "2"))
    assert (ids(definitions, "1"), ids(definitions, "2")) == ([], ["a"])
    put(definitions, connection("a", ""))
    assert (ids(definitions, "2"), ids(definitions, "")) == ([], ["a"])


def test_what_is_deleted_is_not_found() -> None:
    definitions = Definitions()
    put(definitions, connection("a", "1"))
    assert definitions.provider_by_id(GitHubConnection, "a") is not None
    definitions.apply(TOPIC, "a", None)
    assert (ids(definitions, "1"), ids(definitions, "")) == ([], [])
    assert definitions.provider_by_id(GitHubConnection, "a") is None
