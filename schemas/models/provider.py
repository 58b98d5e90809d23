"""What a tenant has configured outside of its workflows for nodes to use: models, tools, knowledge."""

from pydantic import Field

from schemas.models.entity import Entity


class Provider(Entity):
    """Found by its name within its tenant: what a node's `data` calls its provider."""

    name: str = Field(min_length=1, max_length=200)
    credentials: dict[str, str] = Field(default_factory=dict)
    """Each encrypted for the tenant; in the clear nowhere but in the executor that uses it."""

    @property
    def account(self) -> str | None:
        """What requests from outside name, whose tenant is not known yet; several may have the same."""
        return None
