"""The index of subscriptions: by endpoint, by provider, as they are now, in whatever order records come."""

from typing import Any

from schemas.models import SubscriptionState, TriggerSubscription
from transport.definitions import Definitions
from transport.subscriptions import SUBSCRIPTION_STATES, SUBSCRIPTIONS


def subscription(number: int, **changes: Any) -> TriggerSubscription:
    fields = {
        "id": f"s{number}", "tenant_id": "t", "name": f"n{number}", "user_id": "u", "provider_id": "p/q",
        "endpoint_id": f"e{number}", "credential_type": "oauth", "credentials": {"access_token": "old"},
        "credentials_id": "c", "agreement_id": "a", **changes,
    }  # fmt: skip
    return TriggerSubscription.model_validate(fields)


STATE = SubscriptionState(
    id="s1", tenant_id="t", credentials_id="c", agreement_id="a", credentials={"access_token": "new"}
)


def test_by_endpoint_and_by_provider() -> None:
    definitions = Definitions()
    for number in (1, 2, 3):
        one = subscription(number, **({"tenant_id": "other"} if number == 3 else {}))
        definitions.apply(SUBSCRIPTIONS, one.id, one)
    index = definitions.subscriptions
    found = index.at("e2")
    assert found is not None
    assert found.id == "s2"
    assert {one.id for one in index.of_provider("t", "p/q")} == {"s1", "s2"}
    assert index.of_provider("t", "p/r") == []
    assert [one.id for one in index.of_tenant("other")] == ["s3"]
    definitions.apply(SUBSCRIPTIONS, "s2", subscription(2, endpoint_id="moved"))
    assert index.at("e2") is None
    definitions.apply(SUBSCRIPTIONS, "s2", None)
    assert (index.at("moved"), index.get("s2")) == (None, None)
    assert [one.id for one in index.of_provider("t", "p/q")] == ["s1"]


def test_in_whatever_order_they_come() -> None:
    for order in ((0, 1), (1, 0)):
        definitions = Definitions()
        one = subscription(1)
        records = [(SUBSCRIPTIONS, one), (SUBSCRIPTION_STATES, STATE)]
        for position in order:
            topic, entity = records[position]
            definitions.apply(topic, "s1", entity)
        now = definitions.subscriptions.get("s1")
        assert now is not None
        assert now.credentials == {"access_token": "new"}
        assert definitions.subscriptions.at("e1") is now
        assert definitions.subscriptions.agreed("s1") is one
    index = definitions.subscriptions
    assert (index.size, index.failing) == (1, 0)
    definitions.apply(SUBSCRIPTION_STATES, "s1", STATE.model_copy(update={"error": "no"}))
    definitions.apply(SUBSCRIPTION_STATES, "s2", STATE.model_copy(update={"error": "gone", "id": "s2"}))
    assert (index.size, index.failing) == (1, 1)
    definitions.apply(SUBSCRIPTION_STATES, "s1", None)
    now = definitions.subscriptions.get("s1")
    assert now is not None
    assert now.credentials == {"access_token": "old"}


def test_nothing_stays_of_those_that_are_deleted() -> None:
    definitions = Definitions()
    index = definitions.subscriptions
    for number in range(3):
        one = subscription(number, tenant_id=f"tenant-{number}")
        definitions.apply(SUBSCRIPTIONS, one.id, one)
        definitions.apply(SUBSCRIPTIONS, one.id, one)
        definitions.apply(SUBSCRIPTIONS, one.id, None)
    assert (index.size, index._by_provider, index._by_tenant) == (0, {}, {})
