"""variable-aggregator: the first variable that exists, whichever branch it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.nodes.variable_aggregator import VariableAggregatorData
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import MISSING, Getter, Pool, carrier

_Candidates = tuple[tuple[str, Getter], ...]


@dataclass(frozen=True, slots=True)
class AggregatorNode:
    """Its output is `output`; there is none where no variable exists."""

    candidates: _Candidates

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        for name, get in self.candidates:
            value = get(pool)
            if value is not MISSING:
                return Outcome({name: value}, {"output": value})
        return Outcome({}, {})


@dataclass(frozen=True, slots=True)
class GroupAggregatorNode:
    """Its outputs are `<group>.output`, for each group that has a variable that exists."""

    groups: tuple[tuple[str, _Candidates], ...]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        inputs: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        for group, candidates in self.groups:
            for name, get in candidates:
                value = get(pool)
                if value is not MISSING:
                    inputs[name] = value
                    outputs[group] = {"output": value}
                    break
        return Outcome(inputs, outputs)


def compile_variable_aggregator(data: VariableAggregatorData) -> AggregatorNode | GroupAggregatorNode:
    """With or without groups."""
    if data.active_groups is None:
        return AggregatorNode(_candidates(data.variables))
    return GroupAggregatorNode(
        tuple((group.group_name, _candidates(group.variables)) for group in data.active_groups)
    )


def _candidates(selectors: Sequence[Sequence[str]]) -> _Candidates:
    return tuple((".".join(selector[1:]), carrier(selector)) for selector in selectors)
