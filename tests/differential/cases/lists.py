"""list-operator: filters, order, position and limit, on lists of each type."""

from typing import Any

from tests.differential.cases.build import probe
from tests.differential.job import Job

_OFF = {"enabled": False, "conditions": []}
_LISTS: dict[str, list[Any]] = {
    "texts": ["b", "a", "ab", "", "c"], "numbers": [3, 1, 2.5, 2], "flags": [True, False, True], "none": [],
    "one": ["x"], "objects": [{"a": 2}, {"a": 1}],
}  # fmt: skip


def _job(items: list[Any], **data: Any) -> Job:
    whole = {
        "variable": ["env", "v"],
        "filter_by": _OFF,
        "order_by": {"enabled": False, "key": "", "value": "asc"},
        "limit": {"enabled": False, "size": 10},
        "extract_by": {"enabled": False, "serial": "1"},
        **data,
    }
    return probe("list-operator", ["result", "first_record", "last_record"], whole, v=items)


def _filter(name: str, operator: str, value: Any) -> Job:
    conditions = [{"key": "", "comparison_operator": operator, "value": value}]
    return _job(_LISTS[name], filter_by={"enabled": True, "conditions": conditions})


_FILTERS: list[tuple[str, str, Any]] = [
    *(
        ("texts", operator, value)
        for operator in ("contains", "not contains", "start with", "end with", "is", "is not")
        for value in ("a", "")
    ),
    *(("texts", operator, "") for operator in ("empty", "not empty")),
    ("texts", "in", "abc"),
    ("texts", "not in", "abc"),
    ("texts", "=", "a"),
    ("texts", ">", "a"),
    *(
        ("numbers", operator, value)
        for operator in ("=", "≠", "<", ">", "≥", "≤")
        for value in ("2", "2.5", "x", "")
    ),
    ("numbers", "contains", "2"),
    ("numbers", "is", "2"),
    *(("flags", operator, value) for operator in ("is", "is not", "=") for value in ("true", "false", True)),
    ("none", "contains", "a"),
    ("objects", "contains", "a"),
    ("one", "is", "{{#env.v#}}"),
]

CASES: dict[str, Job] = {
    **{f"nothing on {name}": _job(items) for name, items in _LISTS.items()},
    **{f"{name} {operator} {value!r}": _filter(name, operator, value) for name, operator, value in _FILTERS},
    **{
        f"{name} {order}": _job(items, order_by={"enabled": True, "key": "", "value": order})
        for name, items in _LISTS.items()
        for order in ("asc", "desc")
    },
    **{
        f"{name} limit {size}": _job(items, limit={"enabled": True, "size": size})
        for name, items in _LISTS.items()
        for size in (0, 1, 2, 99, -1)
    },
    **{
        f"{name} extract {serial}": _job(items, extract_by={"enabled": True, "serial": serial})
        for name, items in _LISTS.items()
        for serial in ("1", "2", "0", "-1", "99", "x", "{{#env.v#}}")
    },
    "all together": _job(
        _LISTS["numbers"],
        filter_by={"enabled": True, "conditions": [{"key": "", "comparison_operator": ">", "value": "1"}]},
        order_by={"enabled": True, "key": "", "value": "desc"},
        limit={"enabled": True, "size": 2},
        extract_by={"enabled": True, "serial": "1"},
    ),
}
