"""Which trigger node of a workflow does an event enter by?"""

from schemas.graph import TRIGGERS
from schemas.models import Workflow
from schemas.triggers.kinds import KINDS


def root_node(workflow: Workflow, trigger_type: str, node_id: str) -> str | None:
    """The node that the trigger names, else the first for events of its type, else the first of all.

    None for a workflow that begins with a start node, whose form the event fills in.
    """
    kinds = workflow.node_types
    if "start" in kinds.values():
        return None
    roots = {found: kind for found, kind in kinds.items() if kind in TRIGGERS}
    if node_id in roots:
        return node_id
    wanted = KINDS[trigger_type].node_type if trigger_type in KINDS else ""
    return next((found for found, kind in roots.items() if kind == wanted), next(iter(roots), None))
