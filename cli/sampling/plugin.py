"""Samples that an event of Stripe starts, at a subscription that knows the signing secret alone."""

import json
import time
from pathlib import Path

from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample
from cli.signing import new_secret, signed_headers
from schemas.ids import new_id
from schemas.triggers.signature import SignatureConfig


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`. Another signing secret where that of before is not known any more."""
    subscription_id, url, secret = await _subscription(at, sample)
    listed = await at.call("GET", "/api/v1/triggers", params={"workflow_id": workflow_id})
    if not listed["data"]:
        config = {**sample.trigger.config, "subscription_id": subscription_id}
        await at.create("triggers", type="PLUGIN", workflow_id=workflow_id, name=sample.name, config=config)
    return Installed(sample, folder, workflow_id, url, secret)


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`: under an id of its own."""
    body = json.dumps({**json.loads(installed.body()), "id": f"evt_{new_id()}"}).encode()
    headers = {**installed.sample.event.headers, **stripe_signature(installed.secret, body, time.time())}
    answer = await at.call("POST", installed.url, data=body, headers=headers)
    return str(answer["event_ids"][0])


def stripe_signature(secret: str, body: bytes, at_s: float) -> dict[str, str]:
    """Headers."""
    scheme = SignatureConfig(scheme="stripe", secrets=(secret,))
    return signed_headers(scheme, secret, body, delivery_id="", at_s=at_s)


async def _subscription(at: Deployment, sample: Sample) -> tuple[str, str, str]:
    """(id, endpoint, signing secret) of the one under the name of the sample."""
    known, listed = at.secrets(), await at.call("GET", "/api/v1/subscriptions")
    found = next((one for one in listed["data"] if one["name"] == sample.name), None)
    if found is not None and found["id"] in known:
        return found["id"], found["endpoint"], known[found["id"]]
    secret = new_secret("stripe")
    credentials = {"signing_secret": secret}
    if found is None:
        provider = sample.trigger.config["provider_id"]
        shown = await at.create("subscriptions", name=sample.name, provider=provider, credentials=credentials)
    else:
        path = f"/api/v1/subscriptions/{found['id']}"
        shown = await at.call("PATCH", path, json={"credentials": credentials})
    at.remember(shown["id"], secret)
    return shown["id"], shown["endpoint"], secret
