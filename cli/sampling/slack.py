"""Samples that an event of Slack starts."""

import json
import time
from pathlib import Path

from cli.sampling.connection import install_connected
from cli.sampling.deployment import Deployment, check
from cli.sampling.sample import Installed, Sample
from cli.signing import signed_headers
from schemas.ids import new_id
from schemas.triggers.signature import SignatureConfig


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`."""
    return await install_connected(at, folder, sample, workflow_id, "slack")


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`: under an event_id of its own."""
    body = json.dumps({**json.loads(installed.body()), "event_id": f"Ev{new_id()}"}).encode()
    scheme = SignatureConfig(scheme="slack", secrets=(installed.secret,))
    signed = signed_headers(scheme, installed.secret, body, delivery_id="", at_s=time.time())
    headers = {**installed.sample.event.headers, **signed}
    async with at.session.post(installed.url, data=body, headers=headers) as response:
        await check(response)
        # Slack shows the body of an answer to people, so that it is empty.
        return response.headers["Hopline-Event-Ids"]
