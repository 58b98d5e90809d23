"""`$ref`: followed within the document, where it leads; never out of it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Json = Mapping[str, Any]

_MAX_DEPTH = 8
"""Of a schema that refers to itself: below it, anything goes."""
_MAX_STEPS = 32
_MAX_SCHEMAS = 500
"""Of one body, after everything has been put in. A model that is to fill it in reads no more either."""

_NO_SCHEMAS = frozenset({"default", "enum", "const", "example", "examples"})
"""Keywords whose values are data."""


class Unresolvable(ValueError):
    """The reference leads nowhere, elsewhere, or back to itself."""


class References:
    """Follows the references of one document."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._checked: set[str] = set()

    def resolve(self, node: Any) -> Any:
        """What stands at the end of a chain of references. Raises `Unresolvable`."""
        for _ in range(_MAX_STEPS):
            if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
                return node
            node = self._target(node["$ref"])
        raise Unresolvable(f"{node['$ref']!r} refers to itself")

    def check(self, node: Any) -> None:
        """Follows every reference from here, each of the document once: cheap, whatever `schema` would make
        of it. Raises `Unresolvable`."""
        waiting = [node]
        while waiting:
            current = waiting.pop()
            if isinstance(current, list):
                waiting += current
            elif isinstance(current, Mapping):
                waiting += [value for key, value in current.items() if key not in _NO_SCHEMAS]
                reference = current.get("$ref")
                if isinstance(reference, str) and reference not in self._checked:
                    self._checked.add(reference)
                    waiting.append(self.resolve(current))

    def schema(self, node: Any) -> dict[str, Any]:
        """A JSON Schema with all references put in, and what OpenAPI 3.0 says in its own way said as JSON
        Schema does. What `check` has passed does not raise."""
        return _Inlining(self).schema(node, 0)

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise Unresolvable(f"{reference!r} leads out of the document; put in what it refers to")
        target: Any = self._document
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(target, Mapping) and key in target:
                target = target[key]
            elif isinstance(target, list) and key.isdecimal() and int(key) < len(target):
                target = target[int(key)]
            else:
                raise Unresolvable(f"{reference!r} leads nowhere")
        return target


class _Inlining:
    """One schema at a time: it counts what it has put in, since references can double at every step."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._left = _MAX_SCHEMAS

    def schema(self, node: Any, depth: int) -> dict[str, Any]:
        resolved = self._references.resolve(node)
        self._left -= 1
        if not isinstance(resolved, Mapping) or depth > _MAX_DEPTH or self._left < 0:
            return {}
        found = {key: self._keyword(key, value, depth + 1) for key, value in resolved.items()}
        if isinstance(found.get("allOf"), list):
            found = _merged(found)
        if found.pop("nullable", False) and isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        return found

    def _keyword(self, key: str, value: Any, depth: int) -> Any:
        if key in ("properties", "patternProperties") and isinstance(value, Mapping):
            return {name: self.schema(one, depth) for name, one in value.items()}
        if key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
            return self.schema(value, depth)
        if key in ("allOf", "anyOf", "oneOf", "prefixItems") and isinstance(value, list):
            return [self.schema(one, depth) for one in value]
        return value


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """`allOf` as the one schema that it amounts to for properties; later parts win elsewhere."""
    own = {key: value for key, value in schema.items() if key != "allOf"}
    result: dict[str, Any] = {}
    for part in (*schema["allOf"], own):
        properties = {**result.get("properties", {}), **part.get("properties", {})}
        required = [*result.get("required", []), *part.get("required", [])]
        result |= part
        if properties:
            result["properties"] = properties
        if required:
            result["required"] = list(dict.fromkeys(required))
    return result
