"""An event as its producer sends it: the same bytes each time, but for what is signed or named anew."""

import time
from typing import Any

import orjson

from bench.chaos.doors import Request
from bench.chaos.events import Event
from bench.chaos.installation import EVENT_TYPE, Installed
from bench.chaos.kinds import Way
from cli.signing import signed_headers
from schemas.triggers.signature import SignatureConfig

_JSON = {"Content-Type": "application/json"}
_SOURCE = "/chaos"


def request_of(event: Event, installed: Installed) -> Request:
    """One delivery of it."""
    kind = event.kind
    match kind.way:
        case Way.WEBHOOK | Way.RETRYING:
            path = installed.paths[kind.app, kind.way]
            return Request(path, orjson.dumps(event.inputs), {**_JSON, "webhook-id": event.id})
        case Way.CONTENT:
            return Request(installed.paths[kind.app, kind.way], orjson.dumps(event.inputs), _JSON)
        case Way.CLOUDEVENTS:
            return _cloud_event(event)
        case Way.GITHUB:
            return _github(event, installed)
        case Way.MANUAL:
            path = f"/api/v1/triggers/workflows/{installed.workflows[kind.app]}/manual"
            body = orjson.dumps({"inputs": event.inputs})
            return Request(path, body, {**_JSON, "Idempotency-Key": event.id}, with_key=True)


def _cloud_event(event: Event) -> Request:
    """In binary and in structured mode, one event after the other."""
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": _SOURCE,
        "type": f"{EVENT_TYPE}.{event.kind.app}",
    }
    path = "/api/v1/events"
    if event.number % 2:
        headers = {f"ce-{name}": value for name, value in attributes.items()}
        return Request(path, orjson.dumps(event.inputs), {**_JSON, **headers}, with_key=True)
    whole: dict[str, Any] = {**attributes, "datacontenttype": "application/json", "data": event.inputs}
    headers = {"Content-Type": "application/cloudevents+json"}
    return Request(path, orjson.dumps(whole), headers, with_key=True)


def _github(event: Event, installed: Installed) -> Request:
    repository = {"full_name": "acme/shop", "name": "shop", "owner": {"login": "acme"}}
    payload = {
        "action": event.kind.app,
        "branch": "main",
        "client_payload": event.inputs,
        "repository": repository,
        "sender": {"login": "ada"},
    }
    body, secret = orjson.dumps(payload), installed.github_secret
    scheme = SignatureConfig(scheme="github", secrets=(secret,))
    signed = signed_headers(scheme, secret, body, delivery_id=event.id, at_s=time.time())
    return Request(installed.github_path, body, {**_JSON, "X-GitHub-Event": "repository_dispatch", **signed})
