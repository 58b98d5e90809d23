"""Samples that a delivery of GitHub starts."""

import time
from pathlib import Path

from cli.sampling.connection import install_connected
from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample
from cli.signing import signed_headers
from schemas.ids import new_id
from schemas.triggers.signature import SignatureConfig


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`."""
    return await install_connected(at, folder, sample, workflow_id, "github")


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`: under a delivery id of its own."""
    body = installed.body()
    scheme = SignatureConfig(scheme="github", secrets=(installed.secret,))
    signed = signed_headers(scheme, installed.secret, body, delivery_id=new_id(), at_s=time.time())
    headers = {**installed.sample.event.headers, **signed}
    answer = await at.call("POST", installed.url, data=body, headers=headers)
    return str(answer["event_ids"][0])
