"""Assigners: what each operation makes of each type, and what is refused."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.assigner import AssignerData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.assigner import compile_assigner
from streams.engine.nodes.protocol import Outcome
from tests.graphs import Json, answer, graph, node, start
from tests.streams.engine.harness import Run, compiled

FILE = {"dify_model_identity": FILE_IDENTITY, "type": "image"}
TARGET = ["conversation", "v"]


def assign(value: Any, type_: str | None, *items: Json, **given: Any) -> Outcome:
    """What version 2 makes of the conversation variable `v`; `given` are the outputs of the node `n`."""
    types = {"conversation.v": type_} if type_ else {}
    data = AssignerData.model_validate({"type": "assigner", "version": "2", "items": items})
    node = compile_assigner(data.model_copy(update={"target_types": types}))
    return node.run({"conversation": {"v": value}, "n": given, "sys": {"x": 1}, "env": {}})


def by_constant(operation: str, value: Any = None, target: list[str] = TARGET) -> Json:
    return {"variable_selector": target, "input_type": "constant", "operation": operation, "value": value}


def by_variable(operation: str, selector: list[str] | None = None) -> Json:
    return {"variable_selector": TARGET, "input_type": "variable", "operation": operation, "value": selector}


@pytest.mark.parametrize(
    ("before", "type_", "operation", "value", "after"),
    [
        ("a", "string", "over-write", "b", "b"),
        ("a", "string", "set", "b", "b"),
        (1, "number", "set", 2.5, 2.5),
        (False, "boolean", "set", True, True),
        ({}, "object", "set", {"a": 1}, {"a": 1}),
        ({}, "object", "set", '{"a": 1}', {"a": 1}),
        ({}, "object", "over-write", {"a": 1}, {"a": 1}),
        (1, "number", "+=", 2, 3),
        (1.5, "number", "-=", 1, 0.5),
        (3, "integer", "*=", 2, 6),
        (4, "number", "/=", 2, 2.0),
        (4, None, "/=", 8, 0.5),
    ],
)
def test_constants(before: Any, type_: str | None, operation: str, value: Any, after: Any) -> None:
    outcome = assign(before, type_, by_constant(operation, value))
    assert outcome.writes == {("conversation", "v"): after}
    assert type(outcome.writes["conversation", "v"]) is type(after)
    assert outcome.outputs == {}


@pytest.mark.parametrize(
    ("before", "type_", "operation", "value", "after"),
    [
        ("a", "string", "over-write", "b", "b"),
        ("a", "string", "clear", None, ""),
        (5, "number", "clear", None, 0),
        (5.5, "float", "clear", None, 0.0),
        (True, "boolean", "clear", None, False),
        ({"a": 1}, "object", "clear", None, {}),
        (["a"], "array[string]", "clear", None, []),
        ([FILE], "array[file]", "clear", None, []),
        ([], "array[string]", "append", "a", ["a"]),
        ([1], "array[number]", "append", 2.5, [1, 2.5]),
        ([], "array[boolean]", "append", True, [True]),
        ([], "array[object]", "append", {"a": 1}, [{"a": 1}]),
        (["a"], "array[any]", "append", 1, ["a", 1]),
        (["a"], "array[string]", "extend", ["b", "c"], ["a", "b", "c"]),
        (["a"], "array[string]", "over-write", ["b"], ["b"]),
        ([1, 2], "array[number]", "remove-first", None, [2]),
        ([1, 2], "array[number]", "remove-last", None, [1]),
        ([], "array[number]", "remove-last", None, []),
        ([FILE, FILE], "array[file]", "remove-first", None, [FILE]),
    ],
)
def test_variables(before: Any, type_: str, operation: str, value: Any, after: Any) -> None:
    outcome = assign(before, type_, by_variable(operation, ["n", "x"]), x=value)
    assert outcome.writes == {("conversation", "v"): after}


@pytest.mark.parametrize(
    ("before", "type_", "item", "error_type"),
    [
        ("a", "string", by_constant("+=", 1), "OperationNotSupportedError"),
        ("a", "string", by_variable("append", ["n", "x"]), "OperationNotSupportedError"),
        ([], "array[string]", by_constant("set", []), "OperationNotSupportedError"),
        (1, "number", by_variable("+=", ["n", "x"]), "InputTypeNotSupportedError"),
        ("a", "string", by_variable("set", ["n", "x"]), "InputTypeNotSupportedError"),
        ([], "array[string]", by_constant("append", "a"), "InputTypeNotSupportedError"),
        ("a", "string", by_constant("clear"), "InputTypeNotSupportedError"),
        ("a", "string", by_constant("over-write", 1), "InvalidInputValueError"),
        (1, "number", by_constant("over-write", "1"), "InvalidInputValueError"),
        (1, "number", by_constant("/=", 0), "InvalidInputValueError"),
        (1e308, "number", by_constant("*=", 1e308), "InvalidInputValueError"),
        ({}, "object", by_constant("set", "no json"), "InvalidInputValueError"),
        ({}, "object", by_constant("set", "[1]"), "InvalidInputValueError"),
        ({}, "object", by_variable("over-write", ["n", "file"]), "InvalidInputValueError"),
        ([], "array[number]", by_variable("append", ["n", "x"]), "InvalidInputValueError"),
        ([], "array[object]", by_variable("append", ["n", "file"]), "InvalidInputValueError"),
        ([], "array[string]", by_variable("extend", ["n", "x"]), "InvalidInputValueError"),
        ([], "array[file]", by_variable("append", ["n", "file"]), "InvalidInputValueError"),
        ("a", "string", by_variable("over-write"), "InvalidInputValueError"),
        ("a", "string", by_variable("over-write", ["n", "absent"]), "VariableNotFoundError"),
        ("a", "string", by_constant("set", "b", ["conversation", "no"]), "VariableNotFoundError"),
        ("a", "string", by_constant("set", "b", ["sys", "x"]), "VariableReadOnlyError"),
        ({"k": "a"}, "object", by_constant("set", "b", [*TARGET, "k"]), "VariableNotFoundError"),
    ],
)
def test_refused(before: Any, type_: str, item: Json, error_type: str) -> None:
    with pytest.raises(NodeFailure) as refused:
        assign(before, type_, item, x="text", file=FILE)
    assert refused.value.error_type == error_type
    assert refused.value.inputs["version"] == "2"


def test_an_operation_sees_what_those_before_it_have_written() -> None:
    reads_target = {**by_variable("over-write", TARGET), "variable_selector": ["n", "copy"]}
    outcome = assign(1, "number", by_constant("+=", 1), by_constant("*=", 5), reads_target, copy=0)
    assert outcome.writes == {("conversation", "v"): 10, ("n", "copy"): 10}
    assert outcome.process_data == {
        "v": 10,
        "copy": 10,
        "__updated_variables": [
            {"name": "v", "selector": TARGET, "value_type": "number", "new_value": 10},
            {"name": "copy", "selector": ["n", "copy"], "value_type": "number", "new_value": 10},
        ],
    }


def test_a_null_changes_nothing() -> None:
    outcome = assign("a", "string", by_variable("over-write", ["n", "x"]), x=None)
    assert (outcome.writes, outcome.process_data) == ({}, {"__updated_variables": []})


def version_1(mode: str, before: Any, type_: str, **given: Any) -> Outcome:
    data = AssignerData(
        type="assigner",
        assigned_variable_selector=TARGET,
        write_mode=mode,
        input_variable_selector=["n", "x"],
        target_types={"conversation.v": type_},
    )
    return compile_assigner(data).run({"conversation": {"v": before}, "n": given})


@pytest.mark.parametrize(
    ("mode", "before", "type_", "after", "seen"),
    [
        ("over-write", "a", "string", 5, 5),
        ("append", ["a"], "array[string]", ["a", 5], 5),
        ("append", None, "array[number]", [5], 5),
        ("clear", "a", "string", "", ""),
    ],
)
def test_version_1(mode: str, before: Any, type_: str, after: Any, seen: Any) -> None:
    outcome = version_1(mode, before, type_, x=5)
    assert outcome.writes == {("conversation", "v"): after}
    assert outcome.inputs == {"value": seen}
    (updated,) = outcome.process_data["__updated_variables"]
    assert (updated["name"], updated["new_value"]) == ("v", after)


@pytest.mark.parametrize(
    ("mode", "given", "error_type"),
    [("over-write", {}, "VariableNotFoundError"), ("append", {"x": 1}, "OperationNotSupportedError")],
)
def test_version_1_refuses(mode: str, given: Json, error_type: str) -> None:
    with pytest.raises(NodeFailure) as refused:
        version_1(mode, "a", "string", **given)
    assert refused.value.error_type == error_type


@pytest.mark.parametrize(
    ("data", "items"),
    [
        ({"version": "2", "items": None}, 0),
        ({"version": "v2", "items": [by_constant("set", 1)]}, 1),
        ({"items": [by_constant("set", 1)]}, 1),
        ({"version": "1", "assigned_variable_selector": TARGET, "items": []}, None),
    ],
)
def test_the_version_is_told_by_the_fields(data: Json, items: int | None) -> None:
    read = AssignerData.model_validate({"type": "assigner", **data}).items
    assert (None if read is None else len(read)) == items


def test_a_run_goes_on_with_what_was_assigned() -> None:
    item = {"variable_selector": ["conversation", "list"], "operation": "append", "input_type": "variable"}
    assigner = node("assign", "assigner", version="2", items=[{**item, "value": ["sys", "user_id"]}])
    graph_json = graph(
        [start(), assigner, answer("a", "{{#conversation.list#}}")], ("start", "assign"), ("assign", "a")
    )
    variables = [{"name": "list", "value_type": "array[string]", "value": []}]
    run = Run(compiled(graph_json, "chat", conversation_variables=variables)).start(system={"user_id": "ada"})
    assert run.run["outputs"] == '{"answer":"- ada","files":[]}'
