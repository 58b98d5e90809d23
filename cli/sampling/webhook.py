"""Samples that a request to an address of their own starts."""

import time
from pathlib import Path

from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample
from cli.signing import new_secret, signed_headers
from schemas.ids import new_id
from schemas.triggers.signature import SignatureConfig


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`. A new trigger where the secret of the old one is not known any more."""
    known = at.secrets()
    listed = await at.call("GET", "/api/v1/triggers", params={"workflow_id": workflow_id})
    for trigger in listed["data"]:
        if trigger["id"] in known:
            return Installed(sample, folder, workflow_id, trigger["url"], known[trigger["id"]])
    config, secret = dict(sample.trigger.config), ""
    if signature := config.get("signature"):
        secret = new_secret(signature["scheme"])
        config["signature"] = {**signature, "secrets": [secret]}
    created = await at.create(
        "triggers", type="WEBHOOK", workflow_id=workflow_id, name=sample.name, config=config
    )
    at.remember(created["id"], secret)
    return Installed(sample, folder, workflow_id, created["url"], secret)


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`."""
    event, body = installed.sample.event, installed.body()
    headers = {**event.headers, **_signature(installed, body)}
    answer = await at.call(event.method, installed.url, data=body, headers=headers)
    return str(answer["event_id"])


def _signature(installed: Installed, body: bytes) -> dict[str, str]:
    """A delivery id and, where the trigger wants one, the signature, as the producer would send them."""
    signature = installed.sample.trigger.config.get("signature")
    if signature is None:
        return {"Idempotency-Key": new_id()}
    config = SignatureConfig.model_validate({**signature, "secrets": [installed.secret]})
    return signed_headers(config, installed.secret, body, delivery_id=new_id(), at_s=time.time())
