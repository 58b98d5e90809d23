"""Which trigger node an event enters by."""

from typing import Any

import pytest

from schemas.models import Workflow, WorkflowType
from streams.roots import root_node
from tests.graphs import graph, node, start

TRIGGERS = [
    node("clock", "trigger-schedule"),
    node("hook", "trigger-webhook"),
    node("hook2", "trigger-webhook"),
]


def workflow(nodes: list[Any]) -> Workflow:
    return Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=graph(nodes))


@pytest.mark.parametrize(
    ("trigger_type", "node_id", "root"),
    [
        ("WEBHOOK", "", "hook"),
        ("WEBHOOK", "hook2", "hook2"),
        ("WEBHOOK", "gone", "hook"),
        ("SCHEDULE", "", "clock"),
        ("PLUGIN", "", "clock"),
        ("MANUAL", "", "clock"),
    ],
)
def test_by_name_then_by_type_then_the_first(trigger_type: str, node_id: str, root: str) -> None:
    assert root_node(workflow(TRIGGERS).head, trigger_type, node_id) == root


def test_a_form_takes_any_event() -> None:
    assert root_node(workflow([start(), *TRIGGERS]).head, "WEBHOOK", "hook") is None
    assert root_node(workflow([]).head, "WEBHOOK", "hook") is None
