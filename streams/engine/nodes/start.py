"""start: the inputs of the run, checked against the form and brought to its types."""

from dataclasses import dataclass

from schemas.forms import fill
from schemas.nodes.start import InputVariable, StartData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import INPUTS, Pool


@dataclass(frozen=True, slots=True)
class StartNode:
    """Inputs that are not in the form are left out."""

    form: tuple[InputVariable, ...]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`. The outputs show the system variables as well, as `sys.<name>`."""
        given = pool.get(INPUTS, {})
        inputs, faults = fill(self.form, given)
        if faults:
            reason = "; ".join(f"{fault.field} {fault.why}" for fault in faults)
            raise NodeFailure(reason, "InvalidInput", given)
        outputs = dict(inputs)
        for name, value in pool["sys"].items():
            outputs[f"sys.{name}"] = value
        return Outcome(inputs, outputs)


def compile_start(data: StartData) -> StartNode:
    """The form."""
    return StartNode(tuple(data.variables))
