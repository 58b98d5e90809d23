"""What every kind of trigger can be asked."""

import pytest

from schemas.triggers.kinds import KINDS


@pytest.mark.parametrize("kind", ["GITHUB", "SLACK", "CLOUDEVENTS", "EMAIL", "PLUGIN"])
def test_a_node_may_say_of_which_kind_its_trigger_is(kind: str) -> None:
    """One kind alone takes it, whatever the order in which they are asked."""
    data = {"type": "trigger-plugin", "trigger_type": kind, "config": {"inputs": {"a": "body.a"}}}
    made = {name: one.from_node(data) for name, one in KINDS.items()}
    assert {name: config for name, config in made.items() if config is not None} == {
        kind: {"inputs": {"a": "body.a"}}
    }


def test_a_node_that_says_nothing_is_as_dify_has_it() -> None:
    data = {"type": "trigger-plugin", "provider_id": "langgenius/github", "event_name": "push"}
    assert [name for name, one in KINDS.items() if one.from_node(data) is not None] == ["PLUGIN"]


def test_a_config_that_is_no_object_is_refused() -> None:
    data = {"type": "trigger-plugin", "trigger_type": "GITHUB", "config": ["push"]}
    with pytest.raises(ValueError, match="must be an object"):
        KINDS["GITHUB"].from_node(data)
