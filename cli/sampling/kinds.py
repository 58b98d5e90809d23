"""The kinds of samples, by the type of their triggers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from cli.sampling import cloudevents, github, manual, plugin, schedule, slack, webhook
from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample


class SampleKind(Protocol):
    """A module of this package."""

    async def install(self, at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
        """Creates what starts the workflow, where that has not been done."""

    async def fire(self, at: Deployment, installed: Installed) -> str:
        """Makes its one event; returns the event_id once it is durable."""


KINDS: Final[Mapping[str, SampleKind]] = {
    "WEBHOOK": webhook,
    "MANUAL": manual,
    "SCHEDULE": schedule,
    "GITHUB": github,
    "SLACK": slack,
    "CLOUDEVENTS": cloudevents,
    "PLUGIN": plugin,
}
