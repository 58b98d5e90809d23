"""JSON Schema of draft 7, as forms and structured outputs have it in Dify: held against values of strangers.

It is the hop, or the loop of an executor, that does so. Patterns are RE2's, which take linear time, and
keywords are looked at so many times only: few references that lead to two others each would never end, and a
thousand alternatives for each of a hundred thousand elements in minutes. The engine of `json_schema` is none
for this: it cannot be stopped, and a schema of a tree, which refers to itself, may take it 2^depth steps.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from schemas.regexes import compile_regex
from schemas.work_budget import CURRENT, TooMuchWork, weigh, within

MAX_STEPS = 900_000
"""For one value. Two for each time that a keyword is looked at, and more where that takes longer."""

MAX_DEPTH = 100
"""Keywords within keywords, of which Python has room for 130 at least. It must not come to that: references
are compared in Rust, which takes a comparison that has no room left for the end of the program."""

_PER_FAULT = 10
_PER_REFERENCE = 10

_LITERAL = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are no schemas."""

_DEPTH: ContextVar[int] = ContextVar("depth", default=0)
"""How many keywords the one that is looked at is within."""

_Faults = Iterator[ValidationError]


def schema_misfit(schema: Mapping[str, Any]) -> str | None:
    """Why it is no schema of draft 7. Raises `ValueError` for one that is nested too deep to tell."""
    wrong = misfit(_OF_SCHEMAS, schema)
    return None if wrong is None else f"at {wrong.json_path}: {wrong.message}"


def schema_error(schema: Any) -> str | None:
    """Why nothing can be held against it: it is no schema of draft 7, or has a pattern that is not taken."""
    if not isinstance(schema, Mapping):
        return "must be an object"
    try:
        if wrong := schema_misfit(schema):
            return wrong
        for pattern in _patterns(schema):
            compile_regex(pattern)
    except ValueError as untold:
        return str(untold)
    return None


def validator(schema: Mapping[str, Any]) -> Any:
    """For `misfit`; share it. Nothing is ever fetched."""
    # With a registry of its own: the default one would fetch a $ref from the network.
    return _Bounded(schema, registry=Registry())


def misfit(validator: Any, value: Any) -> ValidationError | None:
    """What is wrong with the value. Raises `ValueError` where that cannot be told: for a pattern that is not
    taken, too much work, a reference that leads to itself or nowhere, a number of hundreds of digits."""
    try:
        found: ValidationError | None = within(MAX_STEPS, best_match, validator.iter_errors(value))
    except TooMuchWork as limit:
        raise ValueError(f"its schema {limit}") from limit
    except Unresolvable as nowhere:
        raise ValueError(f"its schema refers to what cannot be found: {nowhere}") from nowhere
    except RecursionError as deep:
        raise ValueError("it is nested too deep") from deep
    except OverflowError as large:
        raise ValueError(f"it has a number that is too large: {large}") from large
    return found


def _patterns(schema: Any) -> Iterator[str]:
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, Mapping):
            if isinstance(pattern := part.get("pattern"), str):
                yield pattern
            if isinstance(named := part.get("patternProperties"), Mapping):
                yield from named
            pending.extend(value for name, value in part.items() if name not in _LITERAL)


def _pattern(validator: Any, pattern: str, value: Any, _: Any) -> _Faults:
    if validator.is_type(value, "string") and not compile_regex(pattern).search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, schemas: Mapping[str, Any], value: Any, _: Any) -> _Faults:
    for pattern, schema in schemas.items() if validator.is_type(value, "object") else ():
        regex = compile_regex(pattern)
        for name in filter(regex.search, value):
            yield from validator.descend(value[name], schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, given: Any, value: Any, schema: Mapping[str, Any]) -> _Faults:
    if validator.is_type(value, "object"):
        named = [compile_regex(pattern) for pattern in schema.get("patternProperties", ())]
        value = {name: one for name, one in value.items() if not any(regex.search(name) for regex in named)}
        schema = {name: one for name, one in schema.items() if name != "patternProperties"}
    yield from Draft7Validator.VALIDATORS["additionalProperties"](validator, given, value, schema)


def _additional_items(validator: Any, given: Any, value: Any, schema: Mapping[str, Any]) -> _Faults:
    """The library counts the schemas of the items, also where that is `true`."""
    if isinstance(schema.get("items"), list):
        yield from Draft7Validator.VALIDATORS["additionalItems"](validator, given, value, schema)


def _unique_items(validator: Any, wanted: Any, value: Any, _: Any) -> _Faults:
    """The library compares each object with each other one."""
    if wanted and validator.is_type(value, "array") and len(set(map(_hashable, value))) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _hashable(value: Any) -> Any:
    """Equal for what is equal in JSON Schema: 1 and 1.0, but not 1 and true."""
    if isinstance(value, list):
        return list, tuple(map(_hashable, value))
    if isinstance(value, Mapping):
        return dict, frozenset((name, _hashable(one)) for name, one in value.items())
    return (bool, value) if isinstance(value, bool) else value


def _counted(apply: Callable[..., Any], validator: Any, given: Any, value: Any, schema: Any) -> _Faults:
    """The keyword, which goes through what it is given in the schema, or through the value, or both."""
    steps = 2
    if isinstance(given, list | dict):
        steps += len(given) // 4
    if isinstance(value, list | dict):
        steps += len(value) // 16
    elif isinstance(value, str):
        steps += len(value) // 256
    budget, depth = CURRENT.get(), _DEPTH.get()
    budget.spend(steps)
    if depth == MAX_DEPTH:
        raise ValueError(f"its schema leads more than {MAX_DEPTH} keywords deep")
    _DEPTH.set(depth + 1)
    try:
        for fault in apply(validator, given, value, schema) or ():
            budget.spend(_PER_FAULT)
            weigh(value)  # most of them say what it is
            yield fault
    finally:
        # Also when nobody asks for more faults: what this one waits for has ended by then.
        _DEPTH.set(depth)


def _reference(validator: Any, reference: str, value: Any, schema: Any) -> _Faults:
    CURRENT.get().spend(_PER_REFERENCE)
    yield from Draft7Validator.VALIDATORS["$ref"](validator, reference, value, schema)


_KEYWORDS: Mapping[str, Callable[..., Any]] = {
    **Draft7Validator.VALIDATORS,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "additionalItems": _additional_items,
    "uniqueItems": _unique_items,
    "$ref": _reference,
}
_Bounded: Any = extend(Draft7Validator, {name: partial(_counted, one) for name, one in _KEYWORDS.items()})
_evolve_as_it_says = _Bounded.evolve


def _evolve(self: Any, **changes: Any) -> Any:
    """For a part of the schema. The library would take its own, unbounded class for one with `$schema`."""
    schema = changes.get("schema", self.schema)
    if isinstance(schema, Mapping) and "$schema" in schema:
        changes["schema"] = {name: part for name, part in schema.items() if name != "$schema"}
    return _evolve_as_it_says(self, **changes)


_Bounded.evolve = _evolve
_OF_SCHEMAS = validator(Draft7Validator.META_SCHEMA)
