"""Microsoft Graph: the handshake, notifications, and subscriptions that end unless they are renewed."""

import time
from typing import Any

import orjson
import pytest
from aiohttp import web

from plugins.microsoft_graph import MicrosoftGraph
from schemas.plugins.contract import OpenSubscription, PluginEvent
from schemas.plugins.credentials import CredentialType
from schemas.plugins.errors import ProviderRefused
from schemas.triggers.delivery import NotBelieved, NotUnderstood
from tests.oauth_server import IssuedToken, serving
from tests.plugins.conftest import delivery, opened
from tests.providers import Providers
from transport.plugin_http import PluginHttp

GRAPH = MicrosoftGraph()
PARAMETERS = {"resource": "me/events", "changes": ["created", "updated"], "lifetime_minutes": 60}
SUBSCRIPTION = opened(GRAPH, PARAMETERS, properties={"client_state": "st4te"})


def notified(*notifications: dict[str, Any]) -> list[PluginEvent]:
    body = orjson.dumps({"value": [{"clientState": "st4te", **one} for one in notifications]})
    return list(GRAPH.receive(delivery(body), SUBSCRIPTION).events)


def test_the_handshake_is_answered_in_the_clear() -> None:
    dispatch = GRAPH.receive(delivery(b"", validationToken="a b+c&<d>"), SUBSCRIPTION)
    assert dispatch.reply is not None
    assert (dispatch.reply.status, dispatch.reply.body) == (200, b"a b+c&<d>")
    assert (dispatch.reply.content_type, dispatch.events) == ("text/plain", ())


def test_each_notification_is_an_event() -> None:
    created, removed = notified(
        {"changeType": "created", "resource": "me/events/1", "tenantId": "t", "id": "n1"},
        {"lifecycleEvent": "subscriptionRemoved"},
    )
    assert (created.event_type, created.delivery_id, created.subject) == ("created", "n1", "me/events/1")
    assert created.source == "https://graph.microsoft.com/t"
    assert (removed.event_type, removed.delivery_id) == ("subscriptionRemoved", None)
    assert "st4te" not in str([created, removed])


@pytest.mark.parametrize(
    ("word", "renew"),
    [
        ("reauthorizationRequired", True),
        ("subscriptionRemoved", True),
        ("missed", False),
        (None, False),
        ({}, False),
    ],
)
def test_what_graph_wants_renewed(word: Any, renew: bool) -> None:
    one = {"changeType": "created", "lifecycleEvent": word, "clientState": "st4te"}
    body = orjson.dumps({"value": [{"changeType": "updated", "clientState": "st4te"}, one]})
    assert GRAPH.receive(delivery(body), SUBSCRIPTION).renew is renew


def test_one_that_is_not_believed_takes_the_others_with_it() -> None:
    with pytest.raises(NotBelieved):
        notified({"changeType": "created"}, {"changeType": "created", "clientState": "guessed"})
    with pytest.raises(NotBelieved):
        notified({"changeType": "created", "clientState": None})
    without = opened(GRAPH, PARAMETERS)
    with pytest.raises(NotBelieved):
        GRAPH.receive(delivery(b'{"value": [{"clientState": ""}]}'), without)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"value": {}}', b'{"value": [1]}'])
def test_what_is_no_notification(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        GRAPH.receive(delivery(body), SUBSCRIPTION)


def agreed(providers: Providers, endpoint: str, **fields: Any) -> OpenSubscription:
    """With a token that is good."""
    token = {"access_token": providers.oauth.tokens[-1].issued["access_token"]}
    parameters = {**PARAMETERS, "api_url": f"{providers.url}/v1.0"}
    return opened(
        GRAPH,
        parameters,
        credential_type=CredentialType.OAUTH,
        credentials=token,
        endpoint=endpoint,
        **fields,
    )


async def test_an_end_is_put_off_and_what_was_removed_is_made_anew(
    providers: Providers, http: PluginHttp
) -> None:
    async def handshake(request: web.Request) -> web.Response:
        reply = GRAPH.receive(delivery(b"", **request.query), SUBSCRIPTION).reply
        assert reply is not None
        return web.Response(body=reply.body, content_type=reply.content_type)

    providers.oauth.tokens.append(IssuedToken({"access_token": "a", "expires_in": 60}, time.time()))
    async with serving([web.post("/e", handshake)]) as url:
        made = await GRAPH.subscribe(http, agreed(providers, f"{url}/e"))
        assert made.expires_at == pytest.approx(time.time() + 3600, abs=5)
        [(number, wanted)] = providers.subscriptions.items()
        wanted["expirationDateTime"] = "2020-01-01T00:00:00Z"
        kept = agreed(providers, f"{url}/e", properties=made.properties)
        renewed = await GRAPH.refresh(http, kept)
        assert renewed.expires_at == pytest.approx(time.time() + 3600, abs=5)
        assert renewed.properties == made.properties
        providers.subscriptions.clear()
        anew = await GRAPH.refresh(http, kept)
        assert anew.properties["subscription_id"] != number
        await GRAPH.unsubscribe(http, agreed(providers, f"{url}/e", properties=anew.properties))
        assert providers.subscriptions == {}
        await GRAPH.unsubscribe(http, agreed(providers, f"{url}/e", properties=anew.properties))


async def test_an_endpoint_that_does_not_answer_is_refused(providers: Providers, http: PluginHttp) -> None:
    async def silent(_request: web.Request) -> web.Response:
        return web.Response(status=404)

    providers.oauth.tokens.append(IssuedToken({"access_token": "a", "expires_in": 60}, time.time()))
    async with serving([web.post("/e", silent)]) as url:
        with pytest.raises(ProviderRefused, match="Subscription validation request failed"):
            await GRAPH.subscribe(http, agreed(providers, f"{url}/e"))
