"""if-else and variable-aggregator: what is taken, and what is put together again."""

from typing import Any

import orjson
import pytest

from schemas.nodes.if_else import IfElseData
from schemas.nodes.variable_aggregator import VariableAggregatorData
from streams.engine.nodes.if_else import compile_if_else
from streams.engine.nodes.protocol import Outcome
from streams.engine.nodes.variable_aggregator import compile_variable_aggregator
from tests.graphs import Json, case, condition, if_else, node

BIG = condition(["n", "x"], ">", "100")
SMALL = condition(["n", "x"], "<", "10")
EVEN = condition(["n", "even"], "is", "true")


def choose(data: Json, x: int, even: bool = False) -> Outcome:
    chosen = compile_if_else(IfElseData.model_validate(data["data"])).run({"n": {"x": x, "even": even}})
    orjson.dumps(chosen.process_data)
    return chosen


@pytest.mark.parametrize(
    ("x", "even", "chosen"),
    [(101, False, "big"), (5, False, "elif"), (50, True, "elif"), (50, False, "false"), (101, True, "big")],
)
def test_the_first_case_that_holds_is_taken(x: int, even: bool, chosen: str) -> None:
    cases = if_else("i", case("big", BIG), case("elif", SMALL, EVEN, logical="or"))
    outcome = choose(cases, x, even)
    assert outcome.handle == chosen
    assert outcome.outputs == {"result": chosen != "false", "selected_case_id": chosen}


@pytest.mark.parametrize(("x", "chosen"), [(101, "true"), (5, "true"), (50, "false")])
def test_the_old_form_has_one_case(x: int, chosen: str) -> None:
    outcome = choose(node("i", "if-else", conditions=[BIG, SMALL], logical_operator="or"), x)
    assert outcome.handle == outcome.outputs["selected_case_id"] == chosen
    assert outcome.process_data["condition_results"][0]["group"] == "default"


def test_no_case_at_all_is_else() -> None:
    assert choose(node("i", "if-else", cases=[]), 1).handle == "false"
    assert choose(if_else("i", case("a")), 1).handle == "a"


def test_what_was_compared_is_recorded() -> None:
    outcome = choose(if_else("i", case("a", BIG), case("b", SMALL)), 5)
    assert [entry["actual_value"] for entry in outcome.inputs["conditions"]] == [5]
    results = orjson.loads(orjson.dumps(outcome.process_data))["condition_results"]
    assert [(r["group"]["case_id"], r["results"], r["final_result"]) for r in results] == [
        ("a", [False], False),
        ("b", [True], True),
    ]


POOL: dict[str, Any] = {"b": {"output": "B", "none": None}, "c": {"output": "C"}}


def aggregate(**data: Any) -> Outcome:
    parsed = VariableAggregatorData.model_validate({"type": "variable-aggregator", **data})
    return compile_variable_aggregator(parsed).run(POOL)


@pytest.mark.parametrize(
    ("variables", "outputs"),
    [
        ([["a", "output"], ["b", "output"], ["c", "output"]], {"output": "B"}),
        ([["c", "output"], ["b", "output"]], {"output": "C"}),
        ([["b", "none"], ["c", "output"]], {"output": None}),
        ([["a", "output"], []], {}),
        ([], {}),
    ],
)
def test_the_first_variable_that_exists_is_taken(variables: list[list[str]], outputs: Json) -> None:
    assert aggregate(variables=variables).outputs == outputs


def test_groups_are_taken_one_by_one() -> None:
    groups = [
        {"group_name": "G1", "variables": [["a", "output"], ["b", "output"]]},
        {"group_name": "G2", "variables": [["a", "output"]]},
        {"group_name": "G3", "variables": [["c", "output"]]},
    ]
    outcome = aggregate(
        variables=[["b", "output"]], advanced_settings={"group_enabled": True, "groups": groups}
    )
    assert outcome.outputs == {"G1": {"output": "B"}, "G3": {"output": "C"}}
    off = aggregate(variables=[["c", "output"]], advanced_settings={"group_enabled": False, "groups": groups})
    assert (off.inputs, off.outputs) == ({"output": "C"}, {"output": "C"})
