"""From an event to the inputs of a run."""

from streams.inputs import event_inputs, map_inputs, map_system

EVENT = {
    "method": "POST",
    "headers": {"x-github-event": "push"},
    "query": {"page": "2", "amount": "from query"},
    "body": {"amount": 120, "repository": {"full_name": "ada/engine"}, "commits": [{"id": "c1"}]},
}
FORM = ("amount", "page", "repo", "absent")


def test_a_variable_takes_its_name_from_the_body_then_from_the_query() -> None:
    assert map_inputs(EVENT, FORM, {}) == {"amount": 120, "page": "2"}


def test_a_mapping_says_where_a_variable_comes_from() -> None:
    mapping = {"repo": "body.repository.full_name", "page": "headers.x-github-event"}
    assert map_inputs(EVENT, FORM, mapping) == {"amount": 120, "page": "push", "repo": "ada/engine"}


def test_a_mapped_value_that_is_not_there_is_left_out() -> None:
    assert "amount" not in map_inputs(EVENT, FORM, {"amount": "body.nothing.here"})


def test_a_manual_start_brings_its_inputs_as_they_are() -> None:
    assert map_inputs({"inputs": {"x": 1}}, FORM, {}) == {"x": 1}


def test_a_body_that_is_no_object_has_no_names() -> None:
    assert map_inputs({"body": "text", "query": {}}, FORM, {}) == {}
    assert map_inputs({"body": "text"}, FORM, {"amount": "body"}) == {"amount": "text"}


def test_system_variables_are_mapped_or_brought_by_a_manual_start() -> None:
    mapping = {"sys.query": "body.repository.full_name", "sys.user_id": "body.nobody", "amount": "x"}
    assert map_system(EVENT, mapping) == {"query": "ada/engine"}
    assert map_system(EVENT, {}) == {}
    assert map_system({"inputs": {}, "system": {"query": "hi"}}, {}) == {"query": "hi"}


def test_a_trigger_node_begins_with_the_event() -> None:
    assert event_inputs({**EVENT, "metadata": {}, "source": {}}) == EVENT
    assert event_inputs({"inputs": {"x": 1}, "metadata": {}}) == {"x": 1}
