"""end: the outputs of the run."""

from dataclasses import dataclass

from schemas.nodes.end import EndData
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import Getter, Pool, carrier, or_none


@dataclass(frozen=True, slots=True)
class EndNode:
    """Null for a variable that does not exist."""

    outputs: tuple[tuple[str, Getter], ...]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        outputs = {name: or_none(get(pool)) for name, get in self.outputs}
        return Outcome(outputs, outputs)


def compile_end(data: EndData) -> EndNode:
    """The declared outputs."""
    return EndNode(tuple((output.variable, carrier(output.value_selector)) for output in data.outputs))
