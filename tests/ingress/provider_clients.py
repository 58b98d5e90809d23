"""What a test does at the API for connections, and as the providers that deliver by them."""

import hmac
from typing import Any

import orjson

from tests.ingress.stand_ins import AUTHORIZED, Client
from tests.schemas.triggers.slack_samples import signed

WEBHOOK_SECRET = "It's a Secret to Everybody"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


async def post(client: Client, path: str, body: Any) -> Any:
    """Of the control plane: the answer, which is a good one."""
    async with client.post(path, json=body, headers=AUTHORIZED) as answer:
        assert answer.status in (200, 201), await answer.text()
        return await answer.json()


async def connect_github(client: Client, name: str = "main", **more: Any) -> Any:
    """A connection to a repository, or with `app_id` to an app."""
    credentials = {"webhook_secret": WEBHOOK_SECRET, **more.pop("credentials", {})}
    return await post(
        client, "/api/v1/github-connections", {"name": name, "credentials": credentials, **more}
    )


async def connect_slack(client: Client, name: str = "chat", **more: Any) -> Any:
    """A connection to an app."""
    credentials = {"signing_secret": SIGNING_SECRET, **more.pop("credentials", {})}
    return await post(client, "/api/v1/slack-connections", {"name": name, "credentials": credentials, **more})


async def deliver_github(
    client: Client,
    path: str,
    event: str,
    payload: Any,
    *,
    secret: str = WEBHOOK_SECRET,
    delivery_id: str = "d-1",
    **headers: str,
) -> tuple[int, Any]:
    """(status, document) of the answer."""
    body = orjson.dumps(payload)
    given = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery_id,
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    async with client.post(path, data=body, headers=given) as answer:
        return answer.status, orjson.loads(await answer.read())


async def deliver_slack(
    client: Client, path: str, body: Any, *, secret: str = SIGNING_SECRET, at_s: int, **headers: str
) -> tuple[int, bytes]:
    """(status, bytes) of the answer."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    content_type = "application/x-www-form-urlencoded" if isinstance(body, bytes) else "application/json"
    given = {"Content-Type": content_type, **signed(raw, secret, at_s), **headers}
    async with client.post(path, data=raw, headers=given) as answer:
        return answer.status, await answer.read()
