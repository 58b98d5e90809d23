"""Apps: what has a name and owns one workflow."""

from enum import StrEnum

from schemas.models.entity import Entity


class AppMode(StrEnum):
    """`app.mode` of the Dify DSL, as far as it has a graph."""

    WORKFLOW = "workflow"
    ADVANCED_CHAT = "advanced-chat"


class App(Entity):
    """Something with a name that owns one workflow."""

    name: str
    mode: AppMode
    description: str = ""
    workflow_id: str
