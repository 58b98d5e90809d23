"""assigner of both versions: every operation on every type, and what it refuses."""

from typing import Any

from tests.differential.job import Job
from tests.graphs import Json, end, graph, node, start

_TARGETS: dict[str, tuple[str, Any]] = {
    "s": ("string", "a"),
    "n": ("number", 6),
    "f": ("number", 1.5),
    "o": ("object", {"a": 1}),
    "b": ("boolean", True),
    "ls": ("array[string]", ["a", "b"]),
    "ln": ("array[number]", [1, 2]),
    "lo": ("array[object]", [{"a": 1}]),
    "e": ("array[string]", []),
    "es": ("string", ""),
}

_CONSTANTS: dict[str, list[Any]] = {
    "over-write": [], "set": ["x", 2, 2.5, {"b": 2}, ["z"], True, None, "5", '{"b": 2}'],
    "+=": [1, 2.5, "1", None], "-=": [1], "*=": [2], "/=": [2, 0, 4],
    "append": ["c", 3, {"b": 2}, ["c"], True], "extend": [["c"], [3], [], "c", [{"b": 2}]],
    "clear": [None], "remove-first": [None], "remove-last": [None],
}  # fmt: skip


def _conversation() -> list[Json]:
    return [{"name": name, "value_type": kind, "value": value} for name, (kind, value) in _TARGETS.items()]


def _job(data: Json, shown: list[str]) -> Job:
    made = graph(
        [start(), node("n", "assigner", **data), end(**{one: ["conversation", one] for one in shown})],
        ("start", "n"),
        ("n", "end"),
    )
    return Job(made, conversation=_conversation())


def _second(target: str, operation: str, value: Any, input_type: str = "constant") -> Job:
    item = {
        "variable_selector": ["conversation", target],
        "input_type": input_type,
        "operation": operation,
        "value": value,
    }
    return _job({"version": "2", "items": [item]}, [target])


def _first(target: str, mode: str, source: list[str]) -> Job:
    return _job({"assigned_variable_selector": ["conversation", target], "write_mode": mode,
                 "input_variable_selector": source}, [target])  # fmt: skip


def _several() -> Job:
    def item(target: str, operation: str, value: Any) -> Json:
        return {
            "variable_selector": ["conversation", target],
            "input_type": "constant",
            "operation": operation,
            "value": value,
        }

    return _job(
        {"version": "2", "items": [item("n", "+=", 1), item("n", "*=", 2), item("s", "set", "z")]}, ["n", "s"]
    )


CASES: dict[str, Job] = {
    **{
        f"{target} {operation} {value!r}": _second(target, operation, value)
        for target in _TARGETS
        for operation, values in _CONSTANTS.items()
        for value in values
    },
    **{
        f"{target} {operation} variable {source}": _second(
            target, operation, ["conversation", source], "variable"
        )
        for target in ("s", "n", "o", "ls", "ln")
        for operation in ("over-write", "append", "extend", "+=")
        for source in ("s", "n", "f", "o", "ls", "ln")
    },
    "a missing source": _second("s", "over-write", ["conversation", "nothing"], "variable"),
    **{
        f"version 1: {target} {mode} {source}": _first(target, mode, ["conversation", source])
        for target, source in (
            ("s", "es"),
            ("n", "f"),
            ("ls", "s"),
            ("ls", "e"),
            ("o", "o"),
            ("s", "n"),
            ("ln", "s"),
        )
        for mode in ("over-write", "append", "clear")
    },
    "several items": _several(),
}
