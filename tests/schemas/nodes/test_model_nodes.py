"""llm, question-classifier and parameter-extractor: what is refused, what is remarked on, what is read."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.nodes import parse_node_data
from schemas.nodes.base import NodeData

MODEL = {"provider": "openai", "name": "m"}


def parsed(node_type: str, **data: Any) -> NodeData:
    return parse_node_data({"type": node_type, "model": MODEL, **data})


def llm(text: str = "x {{#context#}}", **data: Any) -> NodeData:
    return parsed("llm", **{"prompt_template": [{"role": "user", "text": text}], **data})


def classifier(*classes: Any, **data: Any) -> NodeData:
    return parsed("question-classifier", query_variable_selector=["a", "q"], classes=classes, **data)


def extractor(*parameters: Any, **data: Any) -> NodeData:
    return parsed("parameter-extractor", **{"query": ["a", "q"], "parameters": parameters, **data})


JINJA = {"role": "user", "edition_type": "jinja2", "jinja2_text": "{% if %}"}
SIZE = {"name": "size", "type": "string", "description": "d"}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (llm(prompt_template=[JINJA]), ("prompt_template.0.jinja2_text", "line 1")),
        (classifier(), ("classes", "none to choose from")),
        (extractor({**SIZE, "name": "__reason"}), ("parameters", "reserved")),
    ],
)
def test_faults(data: NodeData, fault: tuple[str, str]) -> None:
    found = list(data.faults())
    assert [field for field, _ in found] == [fault[0]]
    assert fault[1] in found[0][1]


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (llm(" "), ("prompt_template", "there is no prompt")),
        (llm("{{#a b#}}"), ("prompt_template.0.text", "stays as it stands")),
        (llm("x", context={"enabled": True, "variable_selector": ["a", "b"]}), ("context", "does not see")),
        (
            llm(structured_output={"schema": {"type": 3}}, structured_output_enabled=True),
            ("structured_output.schema", "the node will fail: at $.type"),
        ),
        (classifier({"id": "1", "name": "a"}, {"id": "1", "name": "b"}), ("classes", "used 2 times")),
        (classifier({"id": "1", "name": ""}), ("classes.0.name", "is empty")),
        (extractor(SIZE, SIZE), ("parameters", "used 2 times")),
        (extractor(), ("parameters", "nothing to look for")),
        (extractor(SIZE, query=[]), ("query", "no variable")),
        (extractor({**SIZE, "description": ""}), ("parameters.0.description", "is empty")),
    ],
)
def test_remarks(data: NodeData, remark: tuple[str, str]) -> None:
    assert list(data.faults()) == []
    found = list(data.remarks())
    assert [field for field, _ in found] == [remark[0]]
    assert remark[1] in found[0][1]


def test_every_place_that_a_variable_can_be_named_in() -> None:
    data = llm(
        "{{#a.text#}} {{#context#}}",
        model={**MODEL, "completion_params": {"seed": "{{#a.seed#}}", "top_p": 1}},
        prompt_config={"jinja2_variables": [{"variable": "v", "value_selector": ["a", "jinja"]}]},
        context={"enabled": True, "variable_selector": ["a", "context"]},
        memory={"window": {"enabled": False}, "query_prompt_template": "{{#sys.query#}}"},
        vision={"enabled": True, "configs": {"variable_selector": ["a", "files"]}},
    )
    assert [".".join(reference.selector) for reference in data.references()] == [
        "a.seed", "a.text", "a.jinja", "a.context", "sys.query", "a.files",
    ]  # fmt: skip
    found = classifier({"id": "1", "name": "{{#a.name#}}"}, instructions="{{#a.rule#}}").references()
    assert [reference.selector[1] for reference in found] == ["q", "name", "rule"]


def test_the_branches_of_a_classifier_are_its_classes() -> None:
    assert classifier({"id": "1", "name": "a"}, {"id": "x"}).handles() == {"1", "x"}


@pytest.mark.parametrize("given", ["bool", "select", "array[object]"])
def test_types_of_parameters(given: str) -> None:
    assert list(extractor({**SIZE, "type": given}).faults()) == []
    with pytest.raises(ValidationError):
        extractor({**SIZE, "type": "file"})
