"""What a request to a webhook must bring: names, and types by JSON Schema. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from schemas.json_schema import Misfit, Schema
from schemas.paths import lookup

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?")
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class RequiredParameters(BaseModel):
    """Names that must be there, else the request is refused with 422."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    """Dotted paths into a JSON or form body."""


class ParameterSchemas(BaseModel):
    """JSON Schemas of the parts of a request: what does not fit is refused with 422.

    Texts of the query, of headers and of the fields of a form become what `properties` says that they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: dict[str, Any] | None = None
    """Of the object of all parameters; one that is there several times is an array."""
    headers: dict[str, Any] | None = None
    """Of the object of those headers that its `properties` and `required` name, in whatever case."""
    body: dict[str, Any] | None = None
    """Of the parsed body; null where there is none."""


class Taken(NamedTuple):
    """The parts of a request in their types."""

    query: Mapping[str, Any]
    headers: Mapping[str, Any]
    """The declared ones that are not texts, by their names in lower case."""
    body: Any


class Wrong(NamedTuple):
    """Why a request is not taken."""

    field: str
    """Such as `query.page` or `body.items.0.sku`."""
    why: str


_Read = Callable[[Any], Any]
"""A text, or a list of texts, as the type that is declared; as it is where it is none."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One of query, headers and body."""

    schema: Schema
    names: tuple[str, ...]
    readers: Mapping[str, _Read]

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **values,
            **{name: read(values[name]) for name, read in self.readers.items() if name in values},
        }


@dataclass(frozen=True, slots=True)
class Parameters:
    """The declarations of one trigger, compiled."""

    required: RequiredParameters
    query: _Part | None
    headers: _Part | None
    body: _Part | None

    def take(
        self,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: Any,
        size_bytes: int,
        *,
        is_form: bool,
    ) -> tuple[Taken, list[Wrong]]:
        """What is taken, and everything that is wrong; nothing is taken where something is.

        `headers` is looked up without regard to case. `size_bytes` is that of the body. `is_form`: the fields
        of the body are texts.
        """
        wrong = list(self._missing(query, headers, body))
        typed: dict[str, Any] = {}
        if self.query is not None:
            query = self.query.read(query)
            wrong += _misfits("query", self.query.schema.misfits(query, 0))
        if self.headers is not None:
            given = {name: _text(headers[name]) for name in self.headers.names if name in headers}
            read = self.headers.read(given)
            wrong += _misfits("headers", self.headers.schema.misfits(read, 0))
            typed = {name: value for name, value in read.items() if value is not given[name]}
        if self.body is not None:
            body = self.body.read(body) if is_form and isinstance(body, Mapping) else body
            wrong += _misfits("body", self.body.schema.misfits(body, size_bytes))
        return Taken(query, typed, body), wrong

    def _missing(self, query: Mapping[str, Any], headers: Mapping[str, str], body: Any) -> Iterator[Wrong]:
        required = self.required
        missing = [f"query.{name}" for name in required.query if name not in query]
        missing += [f"headers.{name}" for name in required.headers if name not in headers]
        missing += [f"body.{path}" for path in required.body if not lookup(body, path)[0]]
        return (Wrong(name, "missing") for name in missing)


def compile_parameters(required: RequiredParameters, schemas: ParameterSchemas) -> Parameters | None:
    """None where everything is taken. Raises `ValueError`, which says the part, for a schema that is none."""
    if required == RequiredParameters() and schemas == ParameterSchemas():
        return None
    headers = _in_lower_case(schemas.headers) if schemas.headers is not None else None
    parts = {"query": schemas.query, "headers": headers, "body": schemas.body}
    return Parameters(required, **{name: _part(name, document) for name, document in parts.items()})


def _part(name: str, document: Mapping[str, Any] | None) -> _Part | None:
    if document is None:
        return None
    properties = document.get("properties")
    declared: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    try:
        schema = Schema(document)
    except ValueError as wrong:
        raise ValueError(f"{name}: {wrong}") from wrong
    names = dict.fromkeys((*declared, *document.get("required", ())))
    readers = {one: read for one, what in declared.items() if (read := _reader(what)) is not None}
    return _Part(schema, tuple(names), readers)


def _in_lower_case(document: Mapping[str, Any]) -> dict[str, Any]:
    """Names of headers have no case."""
    lower = dict(document)
    if isinstance(properties := document.get("properties"), Mapping):
        lower["properties"] = {str(name).lower(): what for name, what in properties.items()}
    if isinstance(required := document.get("required"), list):
        lower["required"] = [str(name).lower() for name in required]
    return lower


def _reader(declared: Any) -> _Read | None:
    """Of a property: None where its values stay texts."""
    if not isinstance(declared, Mapping):
        return None
    kinds = declared.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "array" in kinds:
        each = _reader(declared.get("items")) or _same
        return lambda value: [each(one) for one in (value if isinstance(value, list) else [value])]
    if "string" in kinds:
        return None
    scalars = [_SCALARS[kind] for kind in kinds if kind in _SCALARS]
    return (lambda value: _scalar(value, scalars)) if scalars else None


def _scalar(value: Any, kinds: Iterable[_Read]) -> Any:
    if not isinstance(value, str):
        return value
    for read in kinds:
        found = read(value.strip())
        if found is not None:
            return found
    return value


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) and text.isascii() else None


def _number(text: str) -> int | float | None:
    found = _integer(text)
    if found is not None or not (_NUMBER.fullmatch(text) and text.isascii()):
        return found
    return float(text) if abs(float(text)) != float("inf") else None


_SCALARS: Final[Mapping[Any, _Read]] = {
    "integer": _integer,
    "number": _number,
    "boolean": lambda text: _BOOLEANS.get(text.lower()),
}


def _same(value: Any) -> Any:
    return value


def _text(value: str) -> str:
    """Bytes of a header that are no UTF-8 arrive as lone surrogates, which no validator takes."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _misfits(part: str, found: Iterable[Misfit]) -> Iterator[Wrong]:
    return (Wrong(".".join((part, *map(str, one.path))), one.why) for one in found)
