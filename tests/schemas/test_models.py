"""What has run, and workflow versions, by the names of the seed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.models import Workflow, WorkflowNodeExecution, WorkflowRun, WorkflowType, utc_now

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

EXECUTED: dict[str, Any] = {
    "id": "1",
    "tenant_id": "t",
    "app_id": "a",
    "workflow_id": "w",
    "inputs": '{"n":1}',
    "outputs": None,
    "error": None,
    "elapsed_time": 0.25,
    "created_by_role": "end_user",
    "created_by": None,
    "created_at": AT,
    "finished_at": None,
    "event_at": AT,
    "revision": 2,
}
RUN = {
    **EXECUTED,
    "triggered_from": "app-run",
    "status": "RUNNING",
    "type": "workflow",
    "version": "2026-01-02 03:04:05.000000",
    "graph": '{"nodes":[],"edges":[]}',
    "graph_hash": "h",
    "total_tokens": 3,
    "total_steps": 2,
    "exceptions_count": 0,
    "trigger_log_id": None,
}
NODE = {
    **EXECUTED,
    "triggered_from": "single-step",
    "status": "succeeded",
    "workflow_run_id": None,
    "index": 1,
    "predecessor_node_id": None,
    "node_execution_id": "1",
    "node_id": "llm",
    "node_type": "llm",
    "title": "Ask",
    "process_data": '{"prompts":[]}',
    "execution_metadata": '{"total_tokens":3}',
}

GRAPH: dict[str, Any] = {
    "nodes": [
        {"id": "s", "data": {"type": "start", "variables": [{"variable": "q", "type": "paragraph"}]}},
        {"id": "i", "data": {"type": "iteration"}},
        {"id": "in", "data": {"type": "llm", "isInIteration": True, "iteration_id": "i"}},
        {"id": "lo", "data": {"type": "code", "isInLoop": True, "loop_id": "l"}},
    ],
    "edges": [],
}


@pytest.mark.parametrize(("model", "fields"), [(WorkflowRun, RUN), (WorkflowNodeExecution, NODE)])
def test_there_and_back(model: type[WorkflowRun] | type[WorkflowNodeExecution], fields: Any) -> None:
    executed = model(**fields)
    shown = executed.to_dict()
    assert shown["inputs"] == executed.inputs_dict == {"n": 1}
    assert shown["outputs"] is None
    assert executed.outputs_dict == {}
    assert model.from_dict(shown) == executed
    del shown["id"]
    with pytest.raises(ValidationError, match="id"):
        model.from_dict(shown)


def test_a_run_keeps_its_snapshot() -> None:
    assert WorkflowRun(**RUN).graph_dict == {"nodes": [], "edges": []}
    assert WorkflowRun(**{**RUN, "graph": None}).graph_dict == {}


def test_a_node_execution_tells_what_it_took() -> None:
    node = WorkflowNodeExecution(**NODE)
    assert node.execution_metadata_dict == {"total_tokens": 3}
    assert node.process_data_dict == {"prompts": []}


def test_what_a_graph_holds() -> None:
    workflow = Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=GRAPH)
    inner = workflow.get_node_config_by_id("in")
    assert workflow.get_node_type_from_node_config(inner) == "llm"
    assert workflow.get_enclosing_node_type_and_id(inner) == ("iteration", "i")
    assert workflow.get_enclosing_node_type_and_id(workflow.get_node_config_by_id("lo")) == ("loop", "l")
    assert workflow.get_enclosing_node_type_and_id(workflow.get_node_config_by_id("s")) is None
    assert [node_id for node_id, _ in workflow.walk_nodes()] == ["s", "i", "in", "lo"]
    assert [node_id for node_id, _ in workflow.walk_nodes("llm")] == ["in"]
    assert workflow.user_input_form() == [{"variable": "q", "type": "paragraph"}]
    assert workflow.user_input_form(to_old_structure=True) == [
        {"paragraph": {"variable": "q", "type": "paragraph"}}
    ]
    with pytest.raises(KeyError, match="no node 'x' in workflow w draft"):
        workflow.get_node_config_by_id("x")


def test_the_head_of_a_workflow_says_how_events_enter_it() -> None:
    hook = {"id": "t", "data": {"type": "trigger-webhook"}}
    graph = {**GRAPH, "nodes": [*GRAPH["nodes"], hook]}
    workflow = Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=graph)
    assert workflow.head.entries == (("s", "start"), ("t", "trigger-webhook"))
    assert workflow.head.inputs == ("q",)
    again = Workflow.model_validate_json(workflow.body())
    assert again.head == workflow.head, "the same state, read again"
    assert again.model_copy(update={"updated_at": utc_now()}).head != workflow.head


@pytest.mark.parametrize("nodes", [None, [None], [{}], [{"id": 1, "data": {"type": ["start"]}}]])
def test_a_graph_that_is_none_has_a_head_all_the_same(nodes: Any) -> None:
    workflow = Workflow(id="w", app_id="a", type=WorkflowType.CHAT, version="1", graph={"nodes": nodes})
    assert (workflow.head.entries, workflow.head.inputs) == ((), ())


@pytest.mark.parametrize(
    ("config", "enclosing"),
    [
        (
            {"data": {"isInLoop": True, "loop_id": "l", "isInIteration": True, "iteration_id": "i"}},
            ("loop", "l"),
        ),
        ({"data": {}, "isInIteration": True, "iteration_id": "i"}, ("iteration", "i")),
        ({"data": {"isInLoop": True}, "parentId": "l"}, ("loop", "l")),
        ({"data": {"isInLoop": False, "loop_id": "l"}, "parentId": "l"}, None),
    ],
)
def test_what_a_node_is_in(config: dict[str, Any], enclosing: tuple[str, str] | None) -> None:
    assert Workflow.get_enclosing_node_type_and_id(config) == enclosing


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("workflow", "workflow"), ("advanced-chat", "chat"), ("chat", "chat"), ("agent-chat", "chat")],
)
def test_the_type_follows_from_the_mode_of_the_app(mode: str, kind: str) -> None:
    assert WorkflowType.from_app_mode(mode).value == kind


def test_a_published_version_is_the_draft_under_the_time_of_its_publication() -> None:
    draft = Workflow(id="w", app_id="a", type=WorkflowType.CHAT, version=Workflow.VERSION_DRAFT, graph=GRAPH)
    version = draft.published(AT, "me", "June", "as agreed")
    assert version.version == "2026-01-02 03:04:05.678901"
    assert (version.marked_name, version.marked_comment, version.created_by) == ("June", "as agreed", "me")
    assert version.graph_hash == draft.graph_hash
    with pytest.raises(ValidationError):
        version.graph = {}  # type: ignore[misc]
