"""`/api/v1/sandbox-policies`: what a tenant lets its code nodes do."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ingress.resources import ProviderBody, Resource
from ingress.wire import Answer
from schemas.models.sandbox_policy import SandboxPolicy


class SandboxPolicyBody(ProviderBody):
    """The policy to be created or replaced."""

    name: Literal["default"] = "default"
    """There is one for all code nodes."""
    network: bool = False
    """Whether scripts in Python may make connections, where the operator allows it at all."""
    credentials: dict[str, str] = Field(default_factory=dict, max_length=0)
    """None."""


class SandboxPolicyView(Answer):
    """A policy as it is shown."""

    id: str
    name: str
    network: bool
    created_at: datetime
    updated_at: datetime


class SandboxPolicyList(Answer):
    """The tenant's: one or none."""

    data: list[SandboxPolicyView]


OPERATIONS = Resource(
    topic="definitions.sandbox_policies",
    entity=SandboxPolicy,
    body=SandboxPolicyBody,
    view=SandboxPolicyView,
    listing=SandboxPolicyList,
    path="/api/v1/sandbox-policies",
    tag="sandbox-policies",
).operations()
