"""The form of a workflow at the door: inputs that cannot work are refused before they are an event."""

from collections.abc import Mapping
from typing import Any

from ingress.errors import Unprocessable
from schemas.forms import fill
from schemas.models import Workflow
from schemas.nodes.start import InputVariable


def check_inputs(workflow: Workflow, inputs: Mapping[str, Any]) -> None:
    """Raises `Unprocessable` with a row for each field. The start node applies the same rules."""
    form = [InputVariable.model_validate(variable) for variable in workflow.user_input_form()]
    faults = fill(form, inputs).faults
    if faults:
        rows = [{"node": None, "field": f"inputs.{fault.field}", "why": fault.why} for fault in faults]
        named = ", ".join(fault.field for fault in faults)
        raise Unprocessable(f"the inputs do not fit the form of the workflow: {named}", errors=rows)
