"""Subscriptions are made at the provider, changed there, and ended there."""

import asyncio
import logging
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT, ApiKey
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import SECRET_KEY
from tests.ingress.subscriptions.conftest import Caller
from tests.providers import API_KEY, PRIVATE_TOKEN

BOX = SecretBox(SECRET_KEY.encode())


async def test_an_api_key_makes_an_endpoint_at_the_provider(caller: Caller) -> None:
    made = await caller.subscribe()
    [endpoint] = caller.providers.endpoints.values()
    assert endpoint["url"] == made["endpoint"]
    assert endpoint["enabled_events"] == ["invoice.paid"]
    assert (made["status"], made["provider"], made["workflows_in_use"]) == ("ACTIVE", "hopline/stripe", 0)
    assert made["credential_type"] == "api_key"
    assert made["credentials"] == {"api_key": "********"}
    assert made["properties"] == {"webhook_endpoint_id": endpoint["id"], "signing_secret": "********"}
    assert (made["expires_at"], made["credential_expires_at"]) == (-1, -1)
    status, shown = await caller.call("GET", f"/subscriptions/{made['id']}")
    assert (status, shown) == (200, made)
    assert (await caller.call("GET", "/subscriptions?provider=stripe"))[1] == {"data": [made]}
    assert (await caller.call("GET", "/subscriptions?provider=gitlab"))[1] == {"data": []}
    assert caller.commands() == ["SET"]


async def test_secrets_are_encrypted_for_the_tenant(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = await caller.subscribe()
    stored = caller.stand_ins.configured.definitions.subscriptions.get(made["id"])
    assert stored is not None
    [endpoint] = caller.providers.endpoints.values()
    assert BOX.decrypt(DEFAULT_TENANT, stored.credentials["api_key"]) == API_KEY
    assert BOX.decrypt(DEFAULT_TENANT, stored.properties["signing_secret"]) == endpoint["secret"]
    sent = str(caller.stand_ins.sent.sends) + caplog.text + str(made)
    assert [secret for secret in (API_KEY, endpoint["secret"]) if secret in sent] == []


async def test_an_endpoint_that_was_made_by_hand(caller: Caller) -> None:
    made = await caller.subscribe(credentials={"signing_secret": "whsec_by_hand"})
    assert made["properties"] == {"signing_secret": "********"}
    assert caller.providers.endpoints == {}
    assert (await caller.call("DELETE", f"/subscriptions/{made['id']}"))[0] == 204


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"provider": "nobody"}, "provider", "there are hopline/gitlab, "),
        ({"parameters": {"enabled_event": ["x"]}}, "parameters.enabled_event", "Extra inputs"),
        ({"parameters": {"api_url": "ftp://x"}}, "parameters.api_url", "should match pattern"),
        ({"credentials": {}, "credential_type": "api_key"}, "credentials", "either an api_key or a signing"),
        ({"credentials": {"api_key": "a", "signing_secret": "b"}}, "credentials", "either an api_key or"),
        ({"credentials": {}}, "credentials", "takes an API key, and no OAuth"),
        ({"provider": "microsoft_graph"}, "parameters.resource", "Field required"),
    ],
)
async def test_what_does_not_fit_is_refused(
    caller: Caller, changes: dict[str, Any], field: str, said: str
) -> None:
    body = {"name": "n", "provider": "stripe", "parameters": {}, "credentials": {"api_key": "k3y"}, **changes}
    status, problem = await caller.call("POST", "/subscriptions", body)
    assert status == 422, problem
    assert field in problem["errors"][0]["field"] or field == "credentials"
    assert said in problem["errors"][0]["why"]
    assert "k3y" not in str(problem)
    assert (await caller.call("GET", "/subscriptions"))[1] == {"data": []}


async def test_what_the_provider_refuses_is_not_kept(caller: Caller) -> None:
    parameters = {"api_url": caller.providers.url}
    body = {"name": "n", "provider": "stripe", "parameters": parameters, "credentials": {"api_key": "wr0ng"}}
    status, problem = await caller.call("POST", "/subscriptions", body)
    assert status == 422
    assert "Invalid API Key provided: ******" in problem["detail"]
    assert "wr0ng" not in str(problem)
    caller.providers.down = True
    body["credentials"] = {"api_key": API_KEY}
    status, problem = await caller.call("POST", "/subscriptions", body)
    assert (status, "answers 503" in problem["detail"]) == (503, True)
    assert (await caller.call("GET", "/subscriptions"))[1] == {"data": []}


async def test_a_private_address_is_out_of_reach(caller: Caller) -> None:
    body = {
        "name": "n",
        "provider": "stripe",
        "parameters": {"api_url": "http://169.254.169.254"},
        "credentials": {"api_key": API_KEY},
    }
    status, problem = await caller.call("POST", "/subscriptions", body)
    assert (status, "it is a link-local address" in problem["detail"]) == (422, True)


async def test_names_are_one_and_so_many_is_the_limit(caller: Caller) -> None:
    await caller.subscribe()
    body = {"name": "payments", "provider": "stripe", "credentials": {"signing_secret": "s"}}
    assert (await caller.call("POST", "/subscriptions", body))[0] == 409
    for name in ("second", "third"):
        await caller.subscribe(name=name)
    status, problem = await caller.call("POST", "/subscriptions", {**body, "name": "fourth"})
    assert (status, "HOPLINE_SUBSCRIPTIONS_PER_TENANT" in problem["detail"]) == (409, True)


async def test_other_parameters_are_agreed_on_under_the_same_endpoint(caller: Caller) -> None:
    made = await caller.subscribe()
    path = f"/subscriptions/{made['id']}"
    assert (await caller.call("PATCH", path, {"name": "new"}))[1]["name"] == "new"
    assert set(caller.providers.endpoints) == {"we_1"}
    parameters = {"enabled_events": ["charge.*"], "api_url": caller.providers.url}
    status, changed = await caller.call("PATCH", path, {"parameters": parameters})
    assert (status, changed["endpoint"], changed["warnings"]) == (200, made["endpoint"], [])
    [endpoint] = caller.providers.endpoints.values()
    assert (endpoint["id"], endpoint["enabled_events"]) == ("we_2", ["charge.*"])
    assert changed["properties"]["webhook_endpoint_id"] == "we_2"
    status, _ = await caller.call("PATCH", path, {"credentials": {"api_key": "wr0ng"}})
    assert status == 422
    assert (await caller.call("GET", path))[1]["properties"]["webhook_endpoint_id"] == "we_2"


async def test_a_stored_key_goes_to_no_other_server(caller: Caller) -> None:
    made = await caller.subscribe()
    moved = {"parameters": {"api_url": caller.providers.url.replace("127.0.0.1", "localhost")}}
    status, problem = await caller.call("PATCH", f"/subscriptions/{made['id']}", moved)
    assert (status, problem["errors"][0]["field"]) == (422, "credentials")
    assert "api_url has changed" in problem["errors"][0]["why"]


async def test_it_ends_at_the_provider_too(caller: Caller) -> None:
    made = await caller.subscribe()
    path = f"/subscriptions/{made['id']}"
    caller.providers.down = True
    assert (await caller.call("DELETE", path))[0] == 503
    assert (await caller.call("GET", path))[0] == 200
    caller.providers.down = False
    assert (await caller.call("DELETE", path))[0] == 204
    assert caller.providers.endpoints == {}
    assert (await caller.call("GET", path))[0] == 404
    assert caller.commands() == ["SET", "REMOVE"]


async def test_one_that_the_provider_has_forgotten_ends_all_the_same(caller: Caller) -> None:
    made = await caller.subscribe()
    caller.providers.endpoints.clear()
    assert (await caller.call("DELETE", f"/subscriptions/{made['id']}"))[0] == 204


async def test_by_force_without_the_provider(caller: Caller) -> None:
    made = await caller.subscribe()
    caller.providers.down = True
    assert (await caller.call("DELETE", f"/subscriptions/{made['id']}?force=true"))[0] == 204


async def test_what_workflows_use_is_not_deleted_by_the_way(caller: Caller, workflow_id: str) -> None:
    made = await caller.subscribe()
    wanted = {
        "workflow_id": workflow_id,
        "type": "PLUGIN",
        "config": {"subscription_id": "payments", "event_types": ["invoice.*"]},
    }
    status, trigger = await caller.call("POST", "/triggers", wanted)
    assert status == 201, trigger
    assert trigger["config"]["subscription_id"] == made["id"]
    assert (trigger["config"]["provider_id"], trigger["url"]) == ("hopline/stripe", made["endpoint"])
    assert (await caller.call("GET", f"/subscriptions/{made['id']}"))[1]["workflows_in_use"] == 1
    status, problem = await caller.call("DELETE", f"/subscriptions/{made['id']}")
    assert (status, "1 workflow(s)" in problem["detail"]) == (409, True)


async def test_a_trigger_finds_the_only_subscription_at_its_provider(
    caller: Caller, workflow_id: str
) -> None:
    def wanted(**config: Any) -> dict[str, Any]:
        return {"workflow_id": workflow_id, "type": "PLUGIN", "config": config}

    status, problem = await caller.call("POST", "/triggers", wanted(provider_id="langgenius/stripe/stripe"))
    assert status == 422
    assert problem["errors"][0]["field"] == "config.subscription_id"
    made = await caller.subscribe()
    status, trigger = await caller.call("POST", "/triggers", wanted(provider_id="langgenius/stripe/stripe"))
    assert (status, trigger["config"]["subscription_id"]) == (201, made["id"])
    unknown = wanted(subscription_id="payments", event_parameters={"colour": "red"})
    status, problem = await caller.call("POST", "/triggers", unknown)
    assert (status, problem["errors"][0]["field"]) == (422, "config.event_parameters.colour")
    await caller.subscribe(name="second")
    status, problem = await caller.call("POST", "/triggers", wanted(provider_id="stripe"))
    assert (status, "there are 2 to 'stripe' (payments, second)" in problem["errors"][0]["why"]) == (
        422,
        True,
    )


async def test_a_deployed_node_of_dify_becomes_a_trigger(caller: Caller) -> None:
    made = await caller.subscribe()
    node = {
        "type": "trigger-plugin", "title": "Paid", "plugin_id": "langgenius/stripe_trigger",
        "provider_id": "langgenius/stripe_trigger/stripe", "provider_type": "trigger",
        "event_name": "invoice.paid", "event_parameters": {}, "subscription_id": "",
    }  # fmt: skip
    end = {"type": "end", "title": "End", "outputs": []}
    graph = {
        "nodes": [{"id": "paid", "data": node}, {"id": "end", "data": end}],
        "edges": [{"id": "e", "source": "paid", "target": "end", "sourceHandle": "source"}],
    }
    status, imported = await caller.call("POST", "/workflows/import?app=paid&publish=true", graph)
    assert status == 201, imported
    path = f"/deployment/workflows/{imported['workflow_id']}"
    status, deployed = await caller.call("POST", f"{path}/deploy", {})
    assert status == 200, deployed
    [trigger] = deployed["triggers"]
    assert (trigger["type"], trigger["node_id"], trigger["index_key"]) == ("PLUGIN", "paid", made["id"])
    _, listed = await caller.call("GET", "/triggers")
    [config] = [one["config"] for one in listed["data"]]
    assert (config["provider_id"], config["event_types"]) == ("hopline/stripe", ["invoice.paid"])


async def test_those_of_others_are_not_there(caller: Caller) -> None:
    made = await caller.subscribe()
    key = ApiKey(id="k", tenant_id="other", name="other", sha256=ApiKey.digest("other-key"))
    await caller.stand_ins.configured.put("definitions.api_keys", key)
    other = {"Authorization": "Bearer other-key"}
    assert (await caller.call("GET", "/subscriptions", headers=other))[1] == {"data": []}
    for method in ("GET", "PATCH", "DELETE"):
        status, _ = await caller.call(method, f"/subscriptions/{made['id']}", {}, headers=other)
        assert status == 404


async def test_a_private_token_makes_a_hook(caller: Caller) -> None:
    parameters = {"project": "acme/site", "events": ["push", "merge_requests"], "url": caller.providers.url}
    made = await caller.subscribe(
        provider="hopline/gitlab", parameters=parameters, credentials={"private_token": PRIVATE_TOKEN}
    )
    [hook] = caller.providers.hooks.values()
    assert (hook["url"], hook["merge_requests_events"], hook["push_events"]) == (made["endpoint"], True, True)
    assert "issues_events" not in hook
    assert (await caller.call("DELETE", f"/subscriptions/{made['id']}"))[0] == 204
    assert caller.providers.hooks == {}


async def test_plugins_say_what_they_take(caller: Caller) -> None:
    _, listed = await caller.call("GET", "/plugins")
    by_name = {one["provider"]: one for one in listed["data"]}
    assert set(by_name) >= {"hopline/gitlab", "hopline/microsoft_graph", "hopline/stripe"}
    assert by_name["hopline/gitlab"]["credential_types"] == ["api_key", "oauth"]
    assert by_name["hopline/microsoft_graph"]["credentials"] is None
    assert "branches" in by_name["hopline/gitlab"]["event_parameters"]["properties"]


async def test_what_is_changed_and_deleted_at_once_leaves_nothing(caller: Caller) -> None:
    made = await caller.subscribe()
    path = f"/subscriptions/{made['id']}"
    parameters = {"enabled_events": ["invoice.voided"], "api_url": caller.providers.url}
    answers = await asyncio.gather(
        caller.call("PATCH", path, {"parameters": parameters}), caller.call("DELETE", path)
    )
    assert answers[1][0] == 204
    assert (await caller.call("GET", path))[0] == 404
    assert caller.providers.endpoints == {}


async def test_all_changes_at_once_are_made(caller: Caller) -> None:
    made = await caller.subscribe()
    path = f"/subscriptions/{made['id']}"
    parameters = {"enabled_events": ["invoice.voided"], "api_url": caller.providers.url}
    await asyncio.gather(
        caller.call("PATCH", path, {"parameters": parameters}), caller.call("PATCH", path, {"name": "new"})
    )
    _, shown = await caller.call("GET", path)
    assert (shown["name"], shown["parameters"]["enabled_events"]) == ("new", ["invoice.voided"])
    [endpoint] = caller.providers.endpoints.values()
    assert endpoint["enabled_events"] == ["invoice.voided"]
