"""code: what a script may return for each declared type."""

from typing import Any

from tests.differential.cases.build import probe, variables
from tests.differential.job import Job

_ONE: list[tuple[str, str]] = [
    ("string", "'x'"), ("string", "1"), ("string", "None"), ("string", "['x']"), ("string", "'a\\x00b'"),
    ("string", "'\\\\ud83d\\\\ude00'.encode().decode('unicode_escape')"),
    ("number", "-float('inf')"),
    ("number", "1"), ("number", "1.5"), ("number", "'1'"), ("number", "None"), ("number", "True"),
    ("number", "10**30"), ("number", "0.1234567890123456789012345"), ("boolean", "True"), ("boolean", "0"),
    ("boolean", "None"), ("boolean", "'true'"), ("object", "{'a': 1}"), ("object", "[]"), ("object", "None"),
    ("object", "{'a': {'b': {'c': {'d': {'e': {'f': 1}}}}}}"), ("object", "{'a': [1, 'x']}"),
    ("object", "{'a': [None, 1]}"), ("object", "{'a': [{'b': 1}, {'c': 2}]}"), ("object", "{'a': 'x' * 9}"),
    ("array[string]", "['a', 'b']"), ("array[string]", "['a', 1]"), ("array[string]", "['a', None]"),
    ("array[string]", "None"), ("array[string]", "['x'] * 31"), ("array[string]", "'ab'"),
    ("array[number]", "[1, 2.5]"), ("array[number]", "[1, True]"), ("array[number]", "[1, '2']"),
    ("array[number]", "[1, None]"), ("array[number]", "[0] * 1001"), ("array[boolean]", "[True, False]"),
    ("array[boolean]", "[True, 1]"), ("array[boolean]", "[None]"), ("array[object]", "[{'a': 1}, {}]"),
    ("array[object]", "[{'a': 1}, None]"), ("array[object]", "[{'a': 1}, 1]"), ("array[object]", "[{}] * 31"),
]  # fmt: skip


def _script(body: str, outputs: Any, **inputs: Any) -> Job:
    code = f"def main({', '.join(inputs)}):\n    return {body}"
    paths = variables(
        **{name: ["env" if isinstance(one, list) else "start", name] for name, one in inputs.items()}
    )
    data = {"code": code, "code_language": "python3", "variables": paths, "outputs": outputs}
    return probe("code", list(outputs), data, **inputs)


def one(kind: str, expression: str) -> Job:
    """A script whose output `r` is declared as that type."""
    return _script(f"{{'r': {expression}}}", {"r": {"type": kind, "children": None}})


_CHILDREN = {"a": {"type": "number", "children": None}, "b": {"type": "string", "children": None}}

CASES: dict[str, Job] = {
    **{f"{kind} from {expression}": one(kind, expression) for kind, expression in _ONE},
    "children": _script("{'r': {'a': 1, 'b': 'x'}}", {"r": {"type": "object", "children": _CHILDREN}}),
    "a child is missing": _script("{'r': {'a': 1}}", {"r": {"type": "object", "children": _CHILDREN}}),
    "a child too many": _script(
        "{'r': {'a': 1, 'b': 'x', 'c': 2}}", {"r": {"type": "object", "children": _CHILDREN}}
    ),
    "children in a list": _script(
        "{'r': [{'a': 1, 'b': 'x'}]}", {"r": {"type": "array[object]", "children": _CHILDREN}}
    ),
    "an output is missing": _script("{}", {"r": {"type": "string", "children": None}}),
    "an output too many": _script("{'r': 'x', 's': 1}", {"r": {"type": "string", "children": None}}),
    "no outputs": _script("{}", {}),
    "inputs": _script(
        "{'r': [str(a), str(b), str(c)]}", {"r": {"type": "array[string]"}}, a=1, b="x", c=[1, 2]
    ),
    "without an import": _script(
        "{'r': json.dumps([b64decode('eA==').decode()])}", {"r": {"type": "string"}}
    ),
    "fails": _script("{'r': 1 / 0}", {"r": {"type": "number", "children": None}}),
}
