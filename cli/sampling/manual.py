"""Samples that are started by hand: nothing is configured for them."""

from pathlib import Path

from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`."""
    return Installed(sample, folder, workflow_id)


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`."""
    path = f"/api/v1/triggers/workflows/{installed.workflow_id}/manual"
    answer = await at.call("POST", path, json={"inputs": installed.sample.event.inputs})
    return str(answer["event_id"])
