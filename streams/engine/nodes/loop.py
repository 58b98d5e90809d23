"""loop: the nodes inside, until a condition holds or a count is reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from schemas.nodes.loop import LoopData, LoopVariable
from schemas.variables import coerce
from streams.engine.conditions import Seen, compile_conditions, holds
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Closed, Opened
from streams.engine.pool import MISSING, Pool, getter, or_none

_Initial = tuple[str, Callable[[Pool], Any]]


@dataclass(frozen=True, slots=True)
class LoopNode:
    """Its outputs are its variables, and `loop_round`: how many rounds there were."""

    kind: ClassVar[str] = "loop"
    has_items: ClassVar[bool] = False
    shares_writes: ClassVar[bool] = True
    parallel: ClassVar[int] = 1
    is_parallel: ClassVar[bool] = False

    node_id: str
    count: int
    variables: tuple[_Initial, ...]
    conditions: Callable[[Pool, Seen], list[bool]] | None
    logical: str

    def open(self, pool: Pool) -> Opened:
        """See `ContainerNode.open`."""
        variables = {label: initial(pool) for label, initial in self.variables}
        return Opened({"loop_count": self.count, **variables}, self.count, variables=variables)

    def is_over(self, pool: Pool) -> bool:
        """See `ContainerNode.is_over`. A condition that cannot be told yet does not hold."""
        try:
            return self._holds(pool)
        except NodeFailure:
            return False

    def close(self, pool: Pool, error: str | None) -> Closed:
        """See `ContainerNode.close`."""
        own = pool.get(self.node_id) or {}
        variables = {label: own.get(label) for label, _ in self.variables}
        if error is not None:
            return Closed(variables, fails=True)
        return Closed(variables, last=self._holds(pool))

    def outputs(self, results: Sequence[Any], pool: Pool) -> Mapping[str, Any]:
        """See `ContainerNode.outputs`. None without rounds; the variables are there all the same."""
        if not results:
            return {}
        own = pool.get(self.node_id) or {}
        return {**{label: own.get(label) for label, _ in self.variables}, "loop_round": len(results)}

    def metadata(self, results: Sequence[Any]) -> Mapping[str, Any]:
        """See `ContainerNode.metadata`."""
        return {"loop_variable_map": {str(index): variables for index, variables in enumerate(results)}}

    def _holds(self, pool: Pool) -> bool:
        return self.conditions is not None and holds(self.conditions(pool, []), self.logical)


def compile_loop(node_id: str, data: LoopData) -> LoopNode:
    """The conditions, compiled; the constants in their types."""
    conditions = data.break_conditions
    return LoopNode(
        node_id=node_id,
        count=data.loop_count,
        variables=tuple((variable.label, _initial(variable)) for variable in data.loop_variables),
        conditions=compile_conditions(conditions, data.logical_operator) if conditions else None,
        logical=data.logical_operator,
    )


def _initial(variable: LoopVariable) -> Callable[[Pool], Any]:
    if variable.value_type == "constant":
        constant = coerce(variable.var_type, variable.value)
        return lambda _: constant
    get, name = getter(variable.value), ".".join(variable.value)

    def read(pool: Pool) -> Any:
        value = get(pool)
        if value is MISSING:
            reason = f"loop variable {variable.label}: variable {name} not found"
            raise NodeFailure(reason, "WorkflowNodeError")
        return or_none(value)

    return read
