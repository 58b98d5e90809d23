"""Which trigger node of a workflow does an event enter by?"""

from schemas.graph import TRIGGERS
from schemas.models import WorkflowHead
from schemas.triggers.kinds import KINDS


def root_node(workflow: WorkflowHead, trigger_type: str, node_id: str) -> str | None:
    """The node that the trigger names, else the first for events of its type, else the first of all.

    None for a workflow that begins with a start node, whose form the event fills in.
    """
    if any(kind not in TRIGGERS for _, kind in workflow.entries):
        return None
    roots = dict(workflow.entries)
    if node_id in roots:
        return node_id
    wanted = KINDS[trigger_type].node_type if trigger_type in KINDS else ""
    return next((found for found, kind in roots.items() if kind == wanted), next(iter(roots), None))
