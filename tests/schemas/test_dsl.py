"""Files are read as Dify writes them, and refused with every problem they have."""

from typing import Any

import orjson
import pytest
import yaml

from schemas.dsl import export_dsl, parse_dsl
from schemas.errors import InvalidDefinition
from schemas.models import App, AppMode, Workflow, WorkflowType
from tests.graphs import Json, answer, dsl, end, field, graph, node, start

SMALL = graph([start(field("a")), end(out=["start", "a"])], ("start", "end"))

OLD = """
app:
  description: ''
  icon: "\U0001f916"
  mode: workflow
  name: Old
kind: app
version: 0.1.1
workflow:
  features: {opening_statement: ''}
  graph:
    edges:
    - {id: e1, source: '1', sourceHandle: source, target: '2', targetHandle: target, type: custom, zIndex: 0}
    - {id: e2, source: '2', sourceHandle: 'true', target: '3', type: custom}
    - {id: e3, source: '2', sourceHandle: 'false', target: '4', type: custom}
    nodes:
    - data: {type: start, title: Start, variables: [{variable: n, label: n, type: number, required: true}]}
      id: '1'
      position: {x: 80.5, y: 282}
      type: custom
      width: 244
    - data:
        type: if-else
        title: IF
        logical_operator: or
        conditions:
        - {id: '17', comparison_operator: '>', value: '1', variable_selector: ['1', n]}
      id: '2'
    - {data: {type: end, title: End, outputs: [{variable: n, value_selector: ['1', n]}]}, id: '3'}
    - {data: {type: end, title: End 2, outputs: []}, id: '4'}
    - {data: {author: Ada, text: a note, type: ''}, id: '9', type: custom-note}
    viewport: {x: 0, y: 0, zoom: 0.7}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidDefinition) as refused:
        parse_dsl(text)
    return [str(problem) for problem in refused.value.problems]


def as_yaml(document: Any) -> str:
    return yaml.safe_dump(document, allow_unicode=True)


def test_a_file_of_dsl_0_1_is_read() -> None:
    app = parse_dsl(OLD)
    assert (app.name, app.mode, app.dsl_version) == ("Old", AppMode.WORKFLOW, "0.1.1")
    assert [n["id"] for n in app.graph["nodes"]] == ["1", "2", "3", "4", "9"]
    assert app.features == {"opening_statement": ""}
    assert app.environment_variables == app.conversation_variables == []


@pytest.mark.parametrize("version", ["0.1.0", "0.1.5", "0.3.1", "0.6.0", "0.7.0", "2.0.0-beta1", 0.3, None])
def test_files_of_any_version_are_read(version: Any) -> None:
    document = {**dsl(SMALL), "version": version}
    assert parse_dsl(as_yaml(document)).dsl_version == str(version or "0.1.0")


@pytest.mark.parametrize("version", ["0", "x", "1.x", "v1"])
def test_what_is_no_version_is_refused(version: str) -> None:
    assert "version" in problems(as_yaml({**dsl(SMALL), "version": version}))[0]


def test_a_chat_with_variables_is_read() -> None:
    chat = graph([start(), answer("a", "{{#env.x#}} {{#conversation.c#}} {{#sys.query#}}")], ("start", "a"))
    env = [{"name": "x", "value": "1", "value_type": "string"}]
    conversation = [{"name": "c", "value": [], "value_type": "array[string]"}]
    document = dsl(chat, "advanced-chat", environment_variables=env, conversation_variables=conversation)
    app = parse_dsl(as_yaml(document))
    assert app.mode is AppMode.ADVANCED_CHAT
    assert (app.environment_variables, app.conversation_variables) == (env, conversation)


def test_plain_graph_json_is_read() -> None:
    assert parse_dsl(orjson.dumps(SMALL).decode()).graph == SMALL
    chat = graph([start(), answer("a", "hi")], ("start", "a"))
    assert parse_dsl(orjson.dumps(chat).decode()).mode is AppMode.ADVANCED_CHAT


def test_aliases_and_dates_become_plain_json() -> None:
    app = parse_dsl(as_yaml(dsl(SMALL)) + "dependencies: [2024-01-02, &a {b: 1}, *a]\n")
    assert orjson.loads(orjson.dumps(app.graph)) == app.graph


def test_all_problems_of_a_file_are_named_at_once() -> None:
    broken = graph([start(), node("x", "teleport"), node("l", "datasource")], ("start", "gone"))
    document = {**dsl(broken, "agent-chat"), "version": "seven", "kind": "rag_pipeline"}
    found = problems(as_yaml(document))
    assert len(found) == 6
    for part in (
        "app.mode",
        "version",
        "kind",
        "unknown node type 'teleport'",
        "datasource is not supported yet",
    ):
        assert any(part in problem for problem in found), part
    assert any("'gone'" in problem for problem in found)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"app": None}, "app: is missing"),
        ({"app": "x"}, "app: must be an object"),
        ({"workflow": {}}, "workflow: is missing"),
        ({"workflow": {"graph": []}}, "workflow.graph: is missing"),
        ({"workflow": {"graph": SMALL, "features": [1]}}, "workflow.features: must be an object"),
        ({"workflow": {"graph": SMALL, "environment_variables": [{}]}}, "environment_variables.0"),
        (
            {"workflow": {"graph": SMALL, "rag_pipeline_variables": ["query"]}},
            "rag_pipeline_variables: must be",
        ),
        (
            {"workflow": {"graph": SMALL, "conversation_variables": {"a": 1}}},
            "conversation_variables: must be",
        ),
    ],
)
def test_what_is_missing_is_named(change: Json, named: str) -> None:
    found = problems(as_yaml({**dsl(SMALL), **change}))
    assert any(named in problem for problem in found), found


def test_what_is_exported_is_read_back() -> None:
    app = App(id="a", name="Näme", mode=AppMode.WORKFLOW, description="d", workflow_id="w")
    env = [{"name": "x", "value": "1", "value_type": "string"}]
    workflow = Workflow(
        id="w",
        app_id="a",
        type=WorkflowType.WORKFLOW,
        version="draft",
        graph=SMALL,
        features={"f": True},
        environment_variables=env,
        conversation_variables=env,
        rag_pipeline_variables=[{"variable": "query", "type": "text-input", "label": "Query"}],
    )
    text = export_dsl(app, workflow)
    read = parse_dsl(text)
    assert "&id" not in text
    assert (read.name, read.mode, read.description) == ("Näme", AppMode.WORKFLOW, "d")
    assert (read.graph, read.features) == (SMALL, {"f": True})
    assert read.environment_variables == read.conversation_variables == env
    assert read.rag_pipeline_variables == workflow.rag_pipeline_user_input_form()
