"""Samples that a CloudEvent starts."""

from pathlib import Path

from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample
from schemas.ids import new_id


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`."""
    listed = await at.call("GET", "/api/v1/triggers", params={"workflow_id": workflow_id})
    if not listed["data"]:
        config = sample.trigger.config
        await at.create(
            "triggers", type="CLOUDEVENTS", workflow_id=workflow_id, name=sample.name, config=config
        )
    return Installed(sample, folder, workflow_id, "/api/v1/events")


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`: in binary mode, under an id of its own."""
    headers = {**installed.sample.event.headers, "ce-id": new_id()}
    answer = await at.call("POST", installed.url, data=installed.body(), headers=headers)
    return str(answer["event_ids"][0])
