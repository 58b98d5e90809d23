"""A `sample.json`, see samples/README.md."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleTrigger(_Part):
    """How the sample is started."""

    type: Literal["WEBHOOK", "MANUAL", "SCHEDULE", "GITHUB", "SLACK", "CLOUDEVENTS", "PLUGIN"]
    config: dict[str, Any] = Field(default_factory=dict)


class SampleEvent(_Part):
    """The one event that is fired: a request, or the inputs of a manual start. Nothing for a schedule."""

    method: str = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    inputs: dict[str, Any] = Field(default_factory=dict)


class SampleReceiver(_Part):
    """The workflow posts to a receiver, whose URL goes into this environment variable."""

    environment_variable: str


class SampleEnd(_Part):
    """What the run must end with; outputs and received are subsets."""

    status: str
    outputs: dict[str, Any] = Field(default_factory=dict)
    received: dict[str, Any] = Field(default_factory=dict)


class Sample(_Part):
    """A `sample.json`."""

    name: str
    workflow: str
    trigger: SampleTrigger
    event: SampleEvent
    receiver: SampleReceiver | None = None
    expect: SampleEnd


@dataclass(frozen=True)
class Installed:
    """A sample in the deployment, ready to be fired."""

    sample: Sample
    folder: Path
    workflow_id: str
    url: str = ""
    """Where its event goes, for one that takes a request."""
    secret: str = ""
    trigger_id: str = ""
    """Of a schedule."""

    def body(self) -> bytes:
        """Of its event, as it is in the file."""
        return (self.folder / self.sample.event.body).read_bytes() if self.sample.event.body else b""
