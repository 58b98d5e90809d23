"""GitLab: hooks of a project, by private token and by OAuth, and what they send."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from plugins.gitlab import GitLab, GitLabFilters, GitLabParameters
from schemas.plugins.credentials import CredentialType
from schemas.plugins.errors import ProviderRefused, ProviderUnavailable
from schemas.triggers.delivery import NotBelieved, NotUnderstood
from tests.plugins.conftest import delivery, opened
from tests.providers import PRIVATE_TOKEN, Providers
from transport.plugin_http import PluginHttp

GITLAB = GitLab()
PARAMETERS = {"project": "acme/site", "events": ["push", "issues"]}
PUSH = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "project": {"id": 7, "web_url": "https://gitlab.com/acme/site"},
}
MERGE = {
    "object_kind": "merge_request",
    "object_attributes": {"action": "open", "target_branch": "release/2"},
}
PIPELINE = {"object_kind": "pipeline", "object_attributes": {"ref": "main"}}
SUBSCRIPTION = opened(GITLAB, PARAMETERS, properties={"hook_token": "t0ken"})


def hook(body: Any, **headers: str) -> Any:
    named = {"X-Gitlab-Token": "t0ken", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return delivery(orjson.dumps(body), named)


def test_an_event_keeps_its_name_over_retries() -> None:
    [found] = GITLAB.receive(hook(PUSH, Idempotency_Key="k1", X_Gitlab_Event_UUID="u1"), SUBSCRIPTION).events
    assert (found.event_type, found.delivery_id, found.subject) == ("push", "k1", "refs/heads/main")
    assert (found.source, found.body) == ("https://gitlab.com/acme/site", PUSH)


def test_before_17_4_what_a_hook_has_caused_is_another_event() -> None:
    first = GITLAB.receive(hook(PUSH, X_Gitlab_Event_UUID="u1"), SUBSCRIPTION).events[0]
    again = GITLAB.receive(hook(PUSH, X_Gitlab_Event_UUID="u1"), SUBSCRIPTION).events[0]
    caused = GITLAB.receive(hook(MERGE, X_Gitlab_Event_UUID="u1"), SUBSCRIPTION).events[0]
    bare = GITLAB.receive(hook(MERGE), SUBSCRIPTION).events[0]
    assert first.delivery_id == again.delivery_id != caused.delivery_id
    assert bare.delivery_id is None


@pytest.mark.parametrize("token", ["", "t0keN", "t0ken2", "\udcff"])
def test_who_does_not_know_the_token(token: str) -> None:
    with pytest.raises(NotBelieved):
        GITLAB.receive(hook(PUSH, X_Gitlab_Token=token), SUBSCRIPTION)


@pytest.mark.parametrize("body", [[], {}, "push"])
def test_what_is_no_event(body: Any) -> None:
    with pytest.raises(NotUnderstood):
        GITLAB.receive(hook(body), SUBSCRIPTION)
    with pytest.raises(NotUnderstood):
        GITLAB.receive(delivery(b"{", {"X-Gitlab-Token": "t0ken"}), SUBSCRIPTION)


@pytest.mark.parametrize(
    ("filters", "body", "lets_through"),
    [
        ({}, PUSH, True),
        ({"branches": ["main"]}, PUSH, True),
        ({"branches": ["release/*"]}, PUSH, False),
        ({"branches": ["release/*"]}, MERGE, True),
        ({"branches": ["main"]}, PIPELINE, True),
        ({"actions": ["open", "reopen"]}, MERGE, True),
        ({"actions": ["close"]}, MERGE, False),
        ({"actions": ["close"]}, PUSH, False),
        ({"branches": ["main"]}, "no object", False),
    ],
)
def test_filters(filters: dict[str, Any], body: Any, lets_through: bool) -> None:
    assert (GitLabFilters.model_validate(filters).refusal("x", body) is None) is lets_through


async def test_a_hook_comes_and_goes(providers: Providers, http: PluginHttp) -> None:
    parameters = {**PARAMETERS, "url": providers.url, "branches": "release/*"}
    subscription = opened(GITLAB, parameters, credentials={"private_token": PRIVATE_TOKEN})
    made = await GITLAB.subscribe(http, subscription)
    [(number, hook)] = providers.hooks.items()
    assert made.properties == {"hook_id": int(number), "hook_token": hook["token"]}
    assert (hook["push_events"], hook["issues_events"], hook["url"]) == (True, True, subscription.endpoint)
    assert (hook["push_events_branch_filter"], hook["branch_filter_strategy"]) == ("release/*", "wildcard")
    assert hook["token"] not in repr(made)
    agreed = opened(
        GITLAB, parameters, credentials={"private_token": PRIVATE_TOKEN}, properties=made.properties
    )
    for _ in range(2):
        await GITLAB.unsubscribe(http, agreed)
    assert providers.hooks == {}


async def test_pushes_are_sent_only_where_they_are_wanted(providers: Providers, http: PluginHttp) -> None:
    parameters = {**PARAMETERS, "url": providers.url, "events": ["issues"]}
    await GITLAB.subscribe(http, opened(GITLAB, parameters, credentials={"private_token": PRIVATE_TOKEN}))
    assert next(iter(providers.hooks.values()))["push_events"] is False


async def test_what_gitlab_says_is_passed_on(providers: Providers, http: PluginHttp) -> None:
    fields: dict[str, Any] = {"credential_type": CredentialType.OAUTH, "credentials": {"access_token": "old"}}
    with pytest.raises(ProviderRefused, match="401 Unauthorized"):
        await GITLAB.subscribe(http, opened(GITLAB, {**PARAMETERS, "url": providers.url}, **fields))
    fields = {"credentials": {"private_token": PRIVATE_TOKEN}}
    with pytest.raises(ProviderRefused, match="404 Project Not Found"):
        await GITLAB.subscribe(
            http, opened(GITLAB, {**PARAMETERS, "url": providers.url, "project": "8"}, **fields)
        )
    providers.down = True
    with pytest.raises(ProviderUnavailable, match="answers 502: GitLab is not responding"):
        await GITLAB.subscribe(http, opened(GITLAB, {**PARAMETERS, "url": providers.url}, **fields))


def test_a_project_may_be_a_number() -> None:
    assert GitLabParameters.model_validate({"project": 7, "events": ["push"]}).project == "7"
    with pytest.raises(ValidationError, match="events"):
        GitLabParameters.model_validate({"project": "x", "events": []})
