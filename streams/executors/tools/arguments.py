"""Arguments as the tool's JSON Schema has them. Nodes give texts where tools want numbers, lists, objects."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from streams.executors.tools.errors import ToolParameterError

Json = Mapping[str, Any]

_TRUE = frozenset({"true", "1", "yes", "y", "on", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "off", "f"})


def fit_arguments(schema: Json, given: Json) -> dict[str, Any]:
    """What the tool is called with: values cast, defaults put in, the rest left out.

    What is None, or an empty text where no text or only some others are wanted, counts as not given. A name
    that the tool does not know is left out, unless it says that it takes others. Raises `ToolParameterError`.
    """
    properties: Mapping[str, Json] = schema.get("properties") or {}
    required = schema.get("required") or ()
    fitted: dict[str, Any] = {}
    for name, wanted in properties.items():
        value = given.get(name)
        if value is None or (value == "" and not _takes_text(wanted)):
            value = wanted.get("default")
        if value is not None:
            fitted[name] = _checked(name, _cast(name, wanted, value), wanted)
        elif name in required and not _takes(wanted, "null"):
            raise ToolParameterError(f"parameter {name!r} is required, and has no value")
        elif name in required:
            fitted[name] = None
    if schema.get("additionalProperties") not in (None, False):
        fitted |= {name: value for name, value in given.items() if name not in properties}
    return fitted


def _types(schema: Json) -> tuple[str, ...]:
    kind = schema.get("type")
    return tuple(kind) if isinstance(kind, list) else (kind,) if isinstance(kind, str) else ()


def _options(schema: Json) -> list[Json]:
    """The alternatives of a schema that has some, in their order."""
    found = schema.get("anyOf") or schema.get("oneOf") or ()
    return [one for one in found if isinstance(one, Mapping)]


def _takes(schema: Json, kind: str) -> bool:
    return kind in _types(schema) or any(_takes(one, kind) for one in _options(schema))


def _takes_text(schema: Json) -> bool:
    """Whether an empty one is a value."""
    choices = schema.get("enum")
    if isinstance(choices, list) and "" not in choices:
        return False
    return _takes(schema, "string") or not (_types(schema) or _options(schema))


def _cast(name: str, schema: Json, value: Any) -> Any:
    """By the first type that the value can be brought to. Raises `ToolParameterError`."""
    options = _options(schema)
    for option in options or [{**schema, "type": kind} for kind in _types(schema)]:
        try:
            return _cast(name, option, value) if options else _CASTS[option["type"]](option, value)
        except (ValueError, KeyError, ToolParameterError):
            continue
    if not options and not _types(schema):
        return value
    wanted = " or ".join(_types(schema)) or "one of several types"
    raise ToolParameterError(f"parameter {name!r} must be {wanted}, is {_shown(value)}")


def _checked(name: str, value: Any, schema: Json) -> Any:
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        known = ", ".join(map(str, choices))
        raise ToolParameterError(f"parameter {name!r} must be one of {known}, is {_shown(value)}")
    return value


def _integer(_: Json, value: Any) -> int:
    number = _number(_, value)
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _number(_: Json, value: Any) -> int | float:
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.lstrip("+-").isdecimal() else _finite(float(text))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return value


def _finite(number: float) -> float:
    """JSON has no other numbers."""
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(number)
    return number


def _boolean(_: Json, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(value)
    return word in _TRUE


def _string(_: Json, value: Any) -> str | Json:
    """Files stay what they are: whoever sends them knows what to do."""
    if isinstance(value, str) or (isinstance(value, Mapping) and _.get("format") == "binary"):
        return value
    return json.dumps(value, ensure_ascii=False)


def _array(schema: Json, value: Any) -> list[Any]:
    """A single value is a list of one, as in Dify."""
    parsed = _parsed(value) if isinstance(value, str) else value
    members = parsed if isinstance(parsed, list) else [value]
    items = schema.get("items")
    return [_cast("items", items, one) for one in members] if isinstance(items, Mapping) else members


def _object(_: Json, value: Any) -> Json:
    parsed = _parsed(value) if isinstance(value, str) else value
    if not isinstance(parsed, Mapping):
        raise ValueError(value)
    return parsed


def _null(_: Json, value: Any) -> None:
    if value not in (None, "", "null"):
        raise ValueError(value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_CASTS: Mapping[str, Callable[[Json, Any], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": _string,
    "array": _array,
    "object": _object,
    "null": _null,
}


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else f"{text[:100]}…"
