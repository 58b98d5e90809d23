"""Reads the parameters and the body of operations, and notes what is wrong with them."""

from collections.abc import Mapping
from typing import Any

from schemas.errors import Problem
from schemas.openapi.operation import Body, Parameter, Place
from schemas.openapi.references import References, Unresolvable

Json = Mapping[str, Any]

_STYLES: Mapping[Place, tuple[str, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
"""The first is the default."""
_PREFERRED = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
"""OpenAPI itself says that parameters of these names are ignored."""


class Reader:
    """Carries the references of a document, and its problems."""

    def __init__(self, references: References, problems: list[Problem]) -> None:
        self.references = references
        self._problems = problems

    def report(self, where: str, why: str) -> None:
        """One more problem."""
        self._problems.append(Problem(None, where, why))

    def report_once(self, where: str, why: str) -> None:
        """Unless it has been reported before."""
        problem = Problem(None, where, why)
        if problem not in self._problems:
            self._problems.append(problem)

    def parameters(self, item: Json, operation: Json, where: str) -> tuple[Parameter, ...]:
        """Those of the path, where the operation does not redeclare them, and its own."""
        found: dict[tuple[str, str], Parameter] = {}
        for owner in (item, operation):
            given = owner.get("parameters") or ()
            for i, raw in enumerate(given if isinstance(given, list) else ()):
                parameter = self._parameter(raw, f"{where}.parameters.{i}")
                if parameter is not None:
                    found[parameter.name, parameter.place] = parameter
        return tuple(found.values())

    def body(self, raw: Any, where: str) -> Body | None:
        """The media type that can be sent best."""
        if raw is None:
            return None
        try:
            resolved = self.references.resolve(raw)
            content = resolved.get("content") if isinstance(resolved, Mapping) else None
            if not isinstance(content, Mapping) or not content:
                self.report(where, "has no content")
                return None
            media_type = _preferred(content)
            schema = (content[media_type] or {}).get("schema") or {}
            self.references.check(schema)
        except (Unresolvable, AttributeError) as wrong:
            self.report(where, str(wrong))
            return None
        kind = media_type.partition(";")[0].strip().lower()
        return Body(kind, schema, self.references, bool(resolved.get("required")))

    def _parameter(self, raw: Any, where: str) -> Parameter | None:
        try:
            resolved = self.references.resolve(raw)
            if not isinstance(resolved, Mapping):
                self.report(where, "must be an object")
                return None
            name, place = str(resolved.get("name") or ""), _place(resolved.get("in"))
            if not name or place is None:
                self.report(where, f"needs a name, and in: {', '.join(_STYLES)}")
                return None
            if place == "header" and name.lower() in _IGNORED_HEADERS:
                return None
            content = resolved.get("content")
            described = next(iter(content.values())) if isinstance(content, Mapping) and content else resolved
            schema = (described or {}).get("schema") or {}
            self.references.check(schema)
        except (Unresolvable, AttributeError) as wrong:
            self.report(where, str(wrong))
            return None
        style = str(resolved.get("style") or _STYLES[place][0])
        if style not in _STYLES[place]:
            self.report(where, f"style {style!r} is none for a parameter in {place}")
        return Parameter(
            name=name,
            place=place,
            schema=self.references.schema(schema),
            required=place == "path" or bool(resolved.get("required")),
            style=style,
            explode=bool(resolved.get("explode", style == "form")),
            as_json=bool(content),
            description=str(resolved.get("description") or ""),
        )


def _place(given: Any) -> Place | None:
    return next((place for place in _STYLES if place == given), None)


def _preferred(content: Json) -> str:
    """JSON before forms before text before what comes first."""
    names: dict[str, str] = {}
    for name in content:
        names.setdefault(name.partition(";")[0].strip().lower(), name)
    for wanted in _PREFERRED:
        if wanted in names:
            return names[wanted]
    return next((name for kind, name in names.items() if kind.endswith("+json")), next(iter(content)))
