"""tool: what an executor is told."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.nodes.tool import ToolData
from streams.engine.nodes.protocol import Task
from streams.engine.nodes.tool import compile_tool

POOL: dict[str, Any] = {"n": {"city": "Bern", "days": 3, "list": [1, {"a": 2}], "no": None}}
NAMES = {"provider_id": "p-1", "provider_type": "api", "provider_name": "weather", "tool_name": "forecast"}


def parsed(**data: Any) -> ToolData:
    return ToolData.model_validate({"type": "tool", "title": "T", **NAMES, **data})


def task(**data: Any) -> Task:
    return compile_tool(parsed(**data)).task(POOL)


def test_the_tool_is_named() -> None:
    assert task().config == {
        "type": "tool",
        "title": "T",
        "tool_label": "",
        "plugin_unique_identifier": None,
        **NAMES,
    }


def test_values_of_every_kind() -> None:
    found = task(
        tool_parameters={
            "text": {"type": "mixed", "value": "in {{#n.city#}} for {{#n.days#}} days"},
            "days": {"type": "variable", "value": ["n", "days"]},
            "deep": {"type": "variable", "value": ["n", "list"]},
            "gone": {"type": "variable", "value": ["n", "gone"]},
            "null": {"type": "variable", "value": ["n", "no"]},
            "constant": {"type": "constant", "value": True},
            "object": {"type": "constant", "value": {"at": ["{{#n.city#}}", 1]}},
            "empty": {"type": "mixed", "value": None},
            "none": None,
            "bare": "in {{#n.city#}}",
        }
    ).inputs  # fmt: skip
    assert found == {
        "text": "in Bern for 3 days",
        "days": 3,
        "deep": [1, {"a": 2}],
        "null": None,
        "constant": True,
        "object": {"at": ["Bern", 1]},
        "bare": "in Bern",
    }


def test_what_was_set_in_the_editor_wins() -> None:
    found = task(
        tool_configurations={"units": "metric", "model": {"model": "m", "type": "x"}, "no": None,
                             "lang": {"type": "constant", "value": "de"}},
        tool_parameters={"lang": {"type": "mixed", "value": "en"}},
    )  # fmt: skip
    assert found.inputs == {"units": "metric", "model": {"model": "m", "type": "x"}, "lang": "de"}


def test_what_it_refers_to() -> None:
    data = parsed(
        tool_parameters={
            "a": {"type": "mixed", "value": "{{#n.city#}}"},
            "b": {"type": "variable", "value": ["n", "days"]},
            "c": {"type": "constant", "value": ["{{#n.list#}}"]},
        }
    )
    assert [(ref.field, ref.selector) for ref in data.references()] == [
        ("tool_parameters.a.value", ("n", "city")),
        ("tool_parameters.b.value", ("n", "days")),
        ("tool_parameters.c.value.0", ("n", "list")),
    ]


def test_what_is_wrong_is_named() -> None:
    assert list(parsed(provider_id="", provider_name=None).faults()) == [
        ("provider_name", "is missing: whose tool is it?")
    ]
    with pytest.raises(ValidationError, match="a variable is a list of texts"):
        parsed(tool_parameters={"a": {"type": "variable", "value": "n.city"}})
