"""if-else: the first case whose conditions hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.nodes.if_else import ELSE, Case, IfElseData
from streams.engine.conditions import Seen, compile_conditions, holds
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import Pool


@dataclass(frozen=True, slots=True)
class _CompiledCase:
    id: str
    logical: str
    evaluate: Callable[[Pool, Seen], list[bool]]
    group: Any
    """The case as it is recorded: JSON that is written once, here."""


@dataclass(frozen=True, slots=True)
class IfElseNode:
    """Its outputs are `result` and `selected_case_id`."""

    cases: tuple[_CompiledCase, ...]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`. Recorded as inputs are the comparisons of the last case that was tried."""
        seen: Seen = []
        tried: list[dict[str, Any]] = []
        selected = ELSE
        for case in self.cases:
            seen = []
            results = case.evaluate(pool, seen)
            held = holds(results, case.logical)
            tried.append({"group": case.group, "results": results, "final_result": held})
            if held:
                selected = case.id
                break
        else:
            held = False
        outputs = {"result": held, "selected_case_id": selected}
        return Outcome({"conditions": seen}, outputs, {"condition_results": tried}, selected)


def compile_if_else(data: IfElseData) -> IfElseNode:
    """Both forms of the node."""
    return IfElseNode(tuple(_compile_case(case, legacy=data.cases is None) for case in data.all_cases()))


def _compile_case(case: Case, *, legacy: bool) -> _CompiledCase:
    group = "default" if legacy else orjson.Fragment(case.model_dump_json())
    evaluate = compile_conditions(case.conditions, case.logical_operator)
    return _CompiledCase(case.case_id, case.logical_operator, evaluate, group)
