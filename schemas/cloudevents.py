"""CloudEvents 1.0 over HTTP: binary, structured and batched mode, read and checked. Pure.

Sources: CloudEvents specification 1.0.2, its HTTP Protocol Binding (section 3) and its JSON Event Format.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.charsets import codec
from schemas.errors import SchemaError, reason
from schemas.media import ContentType, content_type, encoded

MAX_BATCH = 1_000

_EVENT = "application/cloudevents"
"""What the media types of all event formats begin with."""
_STRUCTURED = (f"{_EVENT}+json", _EVENT)
_BATCHED = (f"{_EVENT}-batch+json", f"{_EVENT}-batch")
_HEADER = "ce-"
_DATA = ("data", "data_base64")
_NAME = re.compile(r"[a-z0-9]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_INT32 = 2**31


class NoCloudEvent(SchemaError):
    """`problems`: (where, why), everything that is wrong with any of the events."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{where}: {why}" for where, why in self.problems))


class UnknownFormat(SchemaError):
    """An event format that is not JSON."""


def _uri_reference(given: str) -> str:
    if re.search(r"[\x00-\x20\x7f]", given):
        raise ValueError("must be a URI reference, without spaces")
    return given


def _absolute_uri(given: str) -> str:
    if not urlsplit(_uri_reference(given)).scheme:
        raise ValueError("must be an absolute URI")
    return given


def _rfc3339(given: str) -> str:
    if not _TIME.fullmatch(given):
        raise ValueError("must be a time as in RFC 3339, such as 2026-01-02T03:04:05Z")
    datetime.fromisoformat(given.upper())
    return given


_Text = Annotated[str, Field(min_length=1, max_length=4_000, strict=True)]


class Attributes(BaseModel):
    """The context attributes of an event; extensions beside those of the specification."""

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: Literal["1.0"]
    id: _Text
    source: Annotated[_Text, AfterValidator(_uri_reference)]
    type: _Text
    datacontenttype: _Text | None = None
    dataschema: Annotated[_Text, AfterValidator(_absolute_uri)] | None = None
    subject: _Text | None = None
    time: Annotated[_Text, AfterValidator(_rfc3339)] | None = None

    @model_validator(mode="after")
    def _has_proper_extensions(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"the attribute {name!r} must have small letters and digits alone")
            if not isinstance(value, str | bool | int) or not -_INT32 <= int(_number(value)) < _INT32:
                raise ValueError(f"the attribute {name} must be a string, an integer or a boolean")
        return self


class CloudEvent(BaseModel):
    """One event."""

    model_config = ConfigDict(frozen=True)

    attributes: Attributes
    data: Any = None
    """JSON as its value, text as a string, other bytes as an object with their base64."""


def read_events(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """All of a request, or none: raises `NoCloudEvent` with what is wrong with any, and `UnknownFormat`."""
    kind = content_type(headers.get("Content-Type"))
    if not kind.media_type.startswith(_EVENT):
        return [_binary(headers, body, kind)]
    if kind.media_type not in (*_STRUCTURED, *_BATCHED):
        raise UnknownFormat(f"{kind.media_type} is not taken here; send {_EVENT}+json or {_EVENT}-batch+json")
    document = _json(body, "body")
    if kind.media_type in _STRUCTURED:
        return [_structured(document, "")]
    if not isinstance(document, list) or len(document) > MAX_BATCH:
        raise NoCloudEvent([("body", f"a batch is a JSON array of at most {MAX_BATCH} events")])
    events: list[CloudEvent] = []
    problems: list[tuple[str, str]] = []
    for index, one in enumerate(document):
        try:
            events.append(_structured(one, f"{index}."))
        except NoCloudEvent as wrong:
            problems += wrong.problems
    if problems:
        raise NoCloudEvent(problems)
    return events


def _binary(headers: Mapping[str, str], body: bytes, kind: ContentType) -> CloudEvent:
    given = {
        name.lower().removeprefix(_HEADER): _decoded(value)
        for name, value in headers.items()
        if name.lower().startswith(_HEADER)
    }
    problems = [(f"ce-{name}", "the data are the body of the request") for name in _DATA if name in given]
    if problems:
        raise NoCloudEvent(problems)
    named = headers.get("Content-Type")
    attributes = _attributes({**given, **({"datacontenttype": named} if named else {})}, "ce-")
    return CloudEvent(attributes=attributes, data=_data(body, kind, "body") if body else None)


def _structured(document: Any, where: str) -> CloudEvent:
    if not isinstance(document, dict):
        raise NoCloudEvent([(where.rstrip(".") or "body", "an event is a JSON object")])
    # An attribute that is null is as good as left out: JSON Event Format, section 2.2.
    given = {name: value for name, value in document.items() if name not in _DATA and value is not None}
    attributes = _attributes(given, where)
    data, raw = document.get("data"), document.get("data_base64")
    if raw is None:
        return CloudEvent(attributes=attributes, data=data)
    if data is not None or not isinstance(raw, str):
        raise NoCloudEvent([(f"{where}data_base64", "must be a string, and then there is no data")])
    try:
        content = base64.b64decode(raw, validate=True)
    except binascii.Error as wrong:
        raise NoCloudEvent([(f"{where}data_base64", f"is not base64: {wrong}")]) from wrong
    kind = content_type(attributes.datacontenttype)
    return CloudEvent(attributes=attributes, data=_data(content, kind, f"{where}data_base64"))


def _attributes(given: Mapping[str, Any], where: str) -> Attributes:
    try:
        return Attributes.model_validate(given)
    except ValidationError as wrong:
        found = wrong.errors(include_url=False, include_input=False, include_context=False)
        raise NoCloudEvent(
            (where + str(one["loc"][0]) if one["loc"] else where.rstrip(".-") or "body", reason(one))
            for one in found
        ) from wrong


def _data(content: bytes, kind: ContentType, where: str) -> Any:
    if kind.is_json or not kind.given:
        return _json(content, where)
    if kind.is_text:
        try:
            return content.decode(codec(kind.charset))
        except (UnicodeDecodeError, LookupError) as wrong:
            raise NoCloudEvent([(where, f"is not text: {wrong}")]) from wrong
    return encoded(content, kind.media_type)


def _json(content: bytes, where: str) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as wrong:
        raise NoCloudEvent([(where, f"is not JSON: {wrong}")]) from wrong


def _decoded(value: str) -> str:
    """HTTP Protocol Binding, section 3.1.3.2: percent-encoded, and perhaps quoted."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return unquote(value)


def _number(value: str | bool | int) -> int:
    return 0 if isinstance(value, str) else int(value)
