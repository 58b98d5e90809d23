"""PLUGIN triggers: which events of a subscription they take, and what a node of Dify stands for."""

from typing import Any

import pytest
from pydantic import ValidationError

from plugins.gitlab import GitLabFilters
from schemas.models import AppTrigger, TriggerHead
from schemas.models.subscription import TriggerSubscription
from schemas.plugins.contract import Dispatch, PluginEvent
from schemas.plugins.received import received
from schemas.triggers.delivery import NotUnderstood, Reply
from schemas.triggers.kinds import KINDS
from schemas.triggers.plugin import PluginConfig


def config(**given: Any) -> PluginConfig:
    return PluginConfig.model_validate({"subscription_id": "s1", "provider_id": "hopline/gitlab", **given})


def event(event_type: str, **body: Any) -> dict[str, Any]:
    return {"metadata": {"event_type": event_type}, "body": body}


def test_it_is_looked_up_by_its_subscription() -> None:
    trigger = AppTrigger(
        id="t", app_id="a", workflow_id="w", type="PLUGIN", config=config().model_dump(mode="json")
    )
    head = TriggerHead.of(trigger)
    assert (head.index_key, head.is_alone) == ("s1", False)
    assert (KINDS["PLUGIN"].queue, KINDS["PLUGIN"].node_type) == ("plugin_triggers", "trigger-plugin")


@pytest.mark.parametrize(
    ("types", "event_type", "taken"),
    [
        ((), "anything", True),
        (("push",), "push", True),
        (("push",), "tag_push", False),
        (("invoice.*", "charge.failed"), "invoice.payment.failed", True),
        (("invoice.*", "charge.failed"), "charge.failed", True),
        (("invoice.*",), "Invoice.paid", False),
    ],
)
def test_by_type(types: tuple[str, ...], event_type: str, taken: bool) -> None:
    refusal = config(event_types=types).refusal(event(event_type))
    assert refusal == (None if taken else f"events of type {event_type!r} are not among {', '.join(types)}")


def test_by_the_filters_of_the_plugin() -> None:
    some = config(event_parameters={"branches": ["main"]})
    assert some.refusal(event("push", ref="refs/heads/main")) is None
    assert some.refusal(event("push", ref="refs/heads/x")) == "the branch 'x' is not among main"


def test_filters_that_fail_refuse_the_event_for_their_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GitLabFilters, "refusal", lambda _self, _type, body: body["missing"])
    why = config(event_parameters={"branches": ["main"]}).refusal(event("push"))
    assert why == "the filters of the plugin hopline/gitlab failed: KeyError: 'missing'"


def test_what_filters_say_that_fail_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GitLabFilters, "refusal", lambda _self, _type, body: {}[body["text"]])
    why = config(event_parameters={"branches": ["main"]}).refusal(event("push", text="x" * 1_000_000))
    assert why is not None
    assert why.endswith("x…")
    assert len(why) < 1000


def test_a_worker_without_the_plugin_says_so() -> None:
    other = config(provider_id="acme/acme", event_parameters={"colour": "red"})
    assert other.refusal(event("push")) == "no plugin for 'acme/acme' is installed on this worker"
    older = config(event_parameters={"colour": "red"})
    assert "takes these event_parameters no longer" in (older.refusal(event("push")) or "")


def test_a_node_of_dify() -> None:
    node = {
        "type": "trigger-plugin",
        "title": "Issues",
        "plugin_id": "langgenius/github_trigger",
        "provider_id": "langgenius/github_trigger/github",
        "provider_type": "trigger",
        "event_name": "issues",
        "subscription_id": "s1",
        "event_parameters": {
            "actions": {"type": "constant", "value": ["open"]},
            "labels": {"type": "constant", "value": ""},
            "repository": {"type": "mixed", "value": None},
        },
    }
    assert PluginConfig.from_node(node) == {
        "subscription_id": "s1",
        "provider_id": "langgenius/github_trigger/github",
        "event_types": ["issues"],
        "event_parameters": {"actions": ["open"]},
    }
    assert PluginConfig.from_node({"type": "trigger-webhook"}) is None
    bare = PluginConfig.from_node({"type": "trigger-plugin"})
    assert bare is not None
    with pytest.raises(ValidationError, match="subscription_id"):
        PluginConfig.model_validate(bare)


SUBSCRIPTION = TriggerSubscription.model_validate(
    {
        "id": "s1", "tenant_id": "t", "name": "n", "user_id": "u", "provider_id": "hopline/stripe",
        "endpoint_id": "e", "credential_type": "api_key", "credentials_id": "c", "agreement_id": "a",
    }
)  # fmt: skip


def test_events_without_a_name_are_told_apart_by_their_content() -> None:
    named = PluginEvent(event_type="a", body={"n": 1}, delivery_id="d", source="https://x", subject="y")
    first, second = PluginEvent(event_type="a", body={"n": 1}), PluginEvent(event_type="a", body={"n": 2})
    reply = Reply(202)
    found = received(SUBSCRIPTION, Dispatch((named, first, second, first), reply), {"x-id": "1"})
    assert found.reply is reply
    ids = [one.delivery_id for one in found.events]
    assert ids[0] == "d"
    assert ids[1] == ids[3] != ids[2]
    assert [one.window_s for one in found.events] == [None, 30, 30, 30]
    assert {(one.tenant_id, one.type, one.index_key) for one in found.events} == {("t", "PLUGIN", "s1")}
    assert (found.events[0].source, found.events[1].source) == ("https://x", "/subscriptions/s1")
    assert found.events[0].data["metadata"] == {
        "provider_id": "hopline/stripe", "endpoint_id": "e", "event_type": "a", "subscription_id": "s1",
    }  # fmt: skip
    assert found.events[0].data["headers"] == {"x-id": "1"}


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(NotUnderstood, match="nested too deeply"):
        received(SUBSCRIPTION, Dispatch((PluginEvent(event_type="a", body=deep),)), {})
