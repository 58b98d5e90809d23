"""What is filled into a form."""

import pytest

from schemas.forms import _validator, fill
from schemas.nodes.start import InputVariable


@pytest.mark.parametrize(("size", "kept"), [(10, 1), (1_000, 0)], ids=["small", "large"])
def test_a_schema_is_kept_ready_unless_it_is_large(size: int, kept: int) -> None:
    properties = {f"property {n}": {"type": "integer", "description": "x" * 50} for n in range(size)}
    schema = {"type": "object", "properties": properties}
    field = InputVariable.model_validate({"variable": "a", "type": "json_object", "json_schema": schema})
    _validator.cache_clear()
    for _ in range(2):
        filled = fill([field], {"a": {"property 1": "no number"}})
        assert [fault.field for fault in filled.faults] == ["a"]
    assert _validator.cache_info().currsize == kept
