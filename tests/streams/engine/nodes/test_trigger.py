"""Trigger nodes: what an event looks like to the nodes after them."""

from typing import Any

from schemas.nodes import parse_node_data
from streams.engine.nodes import compile_pure
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import INPUTS
from tests.graphs import end, graph, node
from tests.streams.engine.harness import Run, compiled

WEBHOOK = {
    "headers": [{"name": "X-Event-Kind"}, {"name": "absent"}],
    "params": [{"name": "page", "type": "number"}, {"name": "size", "type": "number"}],
    "body": [{"name": "order", "type": "object"}, {"name": "none", "type": "string", "required": True}],
}
EVENT = {
    "method": "POST",
    "headers": {"x-event-kind": "push"},
    "query": {"page": "2", "size": "many"},
    "body": {"order": {"id": 7}, "more": 1},
}


def begin(kind: str, event: Any, **data: Any) -> Outcome:
    parsed = parse_node_data({"type": kind, "title": "T", **data})
    return compile_pure(kind, parsed).run({INPUTS: event, "sys": {"timestamp": 5}})


def test_a_webhook_gives_what_it_declares() -> None:
    outcome = begin("trigger-webhook", EVENT, **WEBHOOK)
    assert outcome.inputs == EVENT
    assert outcome.outputs == {
        "X_Event_Kind": "push",
        "absent": None,
        "page": 2,
        "size": "many",
        "order": {"id": 7},
        "none": None,
        "_webhook_raw": EVENT,
        "sys.timestamp": 5,
    }


def test_a_manual_start_gives_the_values_by_their_names() -> None:
    outputs = begin("trigger-webhook", {"page": 3, "order": {}, "X-Event-Kind": "x"}, **WEBHOOK).outputs
    assert (outputs["page"], outputs["order"], outputs["X_Event_Kind"]) == (3, {}, "x")


def test_a_text_is_the_body_as_a_whole() -> None:
    body = [{"name": "raw"}]
    outcome = begin("trigger-webhook", {"body": "hello"}, content_type="text/plain; charset=utf-8", body=body)
    assert outcome.outputs["raw"] == "hello"


def test_a_schedule_gives_its_event_and_a_plugin_the_members_of_its_body() -> None:
    assert begin("trigger-schedule", {"due": 1}).outputs == {"due": 1, "sys.timestamp": 5}
    assert begin("trigger-plugin", {"body": {"a": 1}}).outputs == {"a": 1, "sys.timestamp": 5}
    assert begin("trigger-plugin", {"a": 1}).outputs == {"a": 1, "sys.timestamp": 5}


TWO = graph(
    [
        node("hook", "trigger-webhook", **WEBHOOK),
        node("clock", "trigger-schedule"),
        end(page=["hook", "page"], due=["clock", "due"]),
    ],
    ("hook", "end"),
    ("clock", "end"),
)


def test_a_run_begins_with_the_node_that_its_event_enters_by() -> None:
    first = Run(TWO).start(EVENT)
    assert first.nodes == ["hook", "end"]
    assert first.run["outputs"] == '{"page":2,"due":null}'
    second = Run(compiled(TWO, entry="clock")).start({"due": 1})
    assert second.nodes == ["clock", "end"]
    assert second.run["outputs"] == '{"page":null,"due":1}'
