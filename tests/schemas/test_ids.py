"""Equal things have equal ids; different ones do not."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ids

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert ids.content_id(value) == ids.content_id(dict(reversed(value.items())))


def test_the_content_id_is_the_sha256_of_the_canonical_json() -> None:
    assert ids.canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert ids.content_id({"b": 1, "a": 2}) == (
        "d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772"
    )


def test_a_run_is_the_same_for_the_same_event_and_another_for_any_other() -> None:
    run = ids.workflow_run_id("WEBHOOK:hook:1", 5, "workflow")
    assert run == ids.workflow_run_id("WEBHOOK:hook:1", 5, "workflow")
    others = {
        ids.workflow_run_id("WEBHOOK:hook:2", 5, "workflow"),
        ids.workflow_run_id("WEBHOOK:hook:1", 6, "workflow"),
        ids.workflow_run_id("WEBHOOK:hook:1", 5, "other"),
    }
    assert len(others | {run}) == 4
    assert UUID(run).version == 5


def test_attempts_and_rounds_of_a_node_differ() -> None:
    assert len({ids.node_execution_id("r", "n", path, n) for path in ("", "0", "1") for n in (1, 2)}) == 6


def test_the_same_delivery_id_at_two_endpoints_is_two_events() -> None:
    assert ids.dedup_key("WEBHOOK", "a", "1") != ids.dedup_key("WEBHOOK", "b", "1")


def test_endpoint_ids_are_url_safe_and_long() -> None:
    made = {ids.endpoint_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 24 and one.replace("-", "").replace("_", "").isalnum() for one in made)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        ids.canonical_json({1, 2})


@given(st.text(), st.text())
def test_node_execution_ids_are_version_5_uuids_of_the_namespace(run_id: str, node_id: str) -> None:
    expected = uuid5(ids._NAMESPACE, f"node/{run_id}/{node_id}//1")
    assert ids.node_execution_id(run_id, node_id) == str(expected)
