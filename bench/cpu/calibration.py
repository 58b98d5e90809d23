"""Work of the kinds that a run is made of, which tells what a second of this CPU is worth just now.

It uses nothing of Hopline, so that no change there can make it cheaper or dearer, and the libraries that
Hopline uses, so that a new release of one moves both sides. It must never change: the landed figure is a
multiple of it.
"""

import hashlib
import hmac
import re
import types
import uuid
from collections.abc import Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import fastavro
import jinja2
import orjson

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)")
_REQUEST = (
    b"POST /some/where?page=2 HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"user-agent: nobody/1.0\r\naccept: */*\r\nx-delivery: %s\r\ncontent-length: %d\r\n\r\n%s"
)
_TEXT, _MAYBE = ("id", "tenant", "app", "flow", "kind", "status"), ("parent", "error", "title", "by", "trace")
_WHOLE, _JSON = ("revision", "created", "started", "finished", "tokens"), ("inputs", "outputs", "details")
_SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Row",
        "fields": [
            *({"name": name, "type": "string"} for name in (*_TEXT, *_JSON)),
            *({"name": name, "type": ["null", "string"], "default": None} for name in _MAYBE),
            *({"name": name, "type": "long"} for name in _WHOLE),
            {"name": "elapsed", "type": ["null", "double"], "default": None},
        ],
    }
)
_TEMPLATE = jinja2.Environment(autoescape=False).from_string(
    "{{ name }} has ordered {{ items | length }} for {{ total }} {{ currency }}"
)
_SPACE = uuid.UUID(int=7)
_NODES = ("begin", "branch", "text", "end")


@dataclass(slots=True)
class _Row:
    id: str
    kind: str
    inputs: Mapping[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    status: str = "new"
    revision: int = 0
    created: int = 0

    def record(self) -> dict[str, Any]:
        row = dict.fromkeys(_MAYBE) | dict.fromkeys(_TEXT, self.id) | dict.fromkeys(_WHOLE, self.created)
        row |= {"kind": self.kind, "status": self.status, "revision": self.revision, "elapsed": None}
        row |= {"inputs": _dumped(self.inputs), "outputs": _dumped(self.outputs), "details": "{}"}
        return row


@dataclass(frozen=True)
class _State:
    at: str
    values: Mapping[str, Mapping[str, Any]]
    left: tuple[str, ...]


def work(number: int) -> int:
    """Some two fifths of what a run takes. Returns how many bytes have come of it: the same for a number."""
    return _driven(_work(number))


def _driven(work: Coroutine[None, None, int]) -> int:
    """By hand: the turns of an event loop are calls of the system, which cost as that pleases."""
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            return int(done.value)


@types.coroutine
def _turn() -> Generator[None, None, None]:
    yield


async def _work(number: int) -> int:
    raw = _arrived(number)
    headers, body = _parsed(raw)
    order = orjson.loads(body)
    name = str(uuid.uuid5(_SPACE, headers["x-delivery"]))
    digest = hmac.digest(b"secret", body, "sha256").hex()
    event = _Row(name, "event", {"body": order, "headers": headers, "digest": digest}, created=number)
    encoded = [_encoded(event)]
    await _turn()
    encoded += await _rows(_decoded(encoded[0]))
    return len(b"".join(encoded))


def _arrived(number: int) -> bytes:
    order = {
        "name": "Grace Hopper",
        "total": number % 190 + 0.5,
        "currency": "EUR",
        "items": [{"sku": f"S-{item}", "count": item, "price": 9.75} for item in range(3)],
        "address": {"street": "Main Street", "number": number % 1000, "city": "Arlington"},
    }
    body = orjson.dumps(order)
    return _REQUEST % (b"d-%06d" % (number % 1_000_000), len(body), body)


def _parsed(raw: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    headers = {}
    for line in head.split(b"\r\n")[1:]:
        if found := _LINE.fullmatch(line):
            headers[found[1].decode().lower()] = found[2].decode()
    return headers, body


async def _rows(event: Mapping[str, Any]) -> list[bytes]:
    order = orjson.loads(event["inputs"])["body"]
    state = _State("", {"event": order}, _NODES)
    rows = [_Row(event["id"], "run", {"id": event["id"], "at": _iso(event["created"])})]
    while state.left:
        state, row = _advanced(state, event)
        rows.append(row)
        await _turn()
    rows.append(replace(rows[0], status="done", revision=2, outputs=dict(state.values["end"])))
    return [_encoded(row) for row in rows]


def _advanced(state: _State, event: Mapping[str, Any]) -> tuple[_State, _Row]:
    at, *left = state.left
    values = dict(_inputs(state, "event" if at == "begin" else "begin"))
    try:
        outputs = _STEPS[at](values, state)
    except KeyError as missing:
        outputs = {"error": str(missing)}
    row = _Row(
        hashlib.sha256(f"{event['id']}/{at}".encode()).hexdigest()[:32], at, values, outputs, "done", 1
    )
    return replace(state, at=at, values={**state.values, at: outputs}, left=tuple(left)), row


def _inputs(state: _State, source: str) -> Iterator[tuple[str, Any]]:
    for key, value in sorted(state.values[source].items()):
        if isinstance(value, str | int | float):
            yield key, value
        elif isinstance(value, list):
            yield key, [dict(one) for one in value]


def _begin(values: Mapping[str, Any], _: _State) -> dict[str, Any]:
    return dict(values)


def _branch(values: Mapping[str, Any], _: _State) -> dict[str, Any]:
    return {"taken": "large" if values["total"] > 100 else "small", "why": f"{values['total']:g}"}


def _text(values: Mapping[str, Any], _: _State) -> dict[str, Any]:
    return {"output": _TEMPLATE.render(values)}


def _end(values: Mapping[str, Any], state: _State) -> dict[str, Any]:
    return {"name": values["name"], "text": state.values["text"]["output"], **state.values["branch"]}


_STEPS = {"begin": _begin, "branch": _branch, "text": _text, "end": _end}


def _encoded(row: _Row) -> bytes:
    out = BytesIO()
    out.write(b"\xc3\x01")
    fastavro.schemaless_writer(out, _SCHEMA, row.record())
    return out.getvalue()


def _decoded(value: bytes) -> Any:
    body = BytesIO(value)
    body.seek(2)
    return fastavro.schemaless_reader(body, _SCHEMA, None)


def _dumped(value: Any) -> str:
    return orjson.dumps(value).decode()


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
