"""`/api/v1/dead-letters`: records that nobody could handle, and sending them again."""

import base64
from datetime import datetime
from typing import Any

from aiohttp import web

from ingress.auth import CALLER, Caller
from ingress.errors import Conflict, NotFound
from ingress.history import LetterFilter
from ingress.keys import CODEC, PRODUCER
from ingress.operation import Operation, Query
from ingress.reading import PAGE_QUERY, history, limit_of, page_answer, time_of
from ingress.records import LetterDetail, LetterPage
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.codec import Codec
from schemas.errors import UndecodableValue
from schemas.models import DEFAULT_TENANT
from schemas.topics import TOPICS
from transport.producer import Send

_PATH = "/api/v1/dead-letters"
_TOPIC, _SCHEMA = "dead.letters", "DeadLetter"
_REPLAYED = "REPLAYED"

Letter = dict[str, Any]


class Replayed(Answer):
    """The original bytes are on their topic again."""

    id: str
    status: str
    repeated: bool
    """It had been replayed before, and nothing was sent."""


async def list_all(request: web.Request) -> web.Response:
    """The newest first, without what they hold."""
    query = request.query
    chosen = LetterFilter(
        tenant_id=_visible_tenant(request[CALLER]),
        topic=query.get("topic"),
        stage=query.get("stage"),
        status=query.get("status"),
        since=time_of(request, "since"),
        until=time_of(request, "until"),
    )
    return page_answer(await history(request).dead_letters(chosen, limit_of(request), query.get("cursor")))


async def show(request: web.Request) -> web.Response:
    """One letter, decoded where that is possible."""
    letter = await _named(request)
    key, value = letter["key"], letter["value"]
    shown = {
        **letter,
        "key": None if key is None else key.decode("utf-8", "replace"),
        "value": None if value is None else base64.b64encode(value).decode(),
        "headers": {name: content.decode("utf-8", "replace") for name, content in letter["headers"]},
        "record": _decoded(request.app[CODEC], letter),
    }
    return json_answer(shown)


async def replay(request: web.Request) -> web.Response:
    """The original bytes, key and headers go to the original topic again.

    Doing it twice within the moment until the history knows sends them twice, which changes nothing: what
    reads them knows records by their ids.
    """
    letter = await _named(request)
    if letter["status"] == _REPLAYED:
        return json_answer(Replayed(id=letter["id"], status=_REPLAYED, repeated=True))
    if letter["topic"] not in TOPICS:
        raise Conflict(f"{letter['topic']} is no topic of this release; the letter can only be looked at")
    original = Send(letter["topic"], letter["key"], letter["value"], tuple(letter["headers"]))
    closed = Send(_TOPIC, letter["key"], request.app[CODEC].encode(_SCHEMA, _closed(letter)))
    await request.app[PRODUCER].send(original)
    await request.app[PRODUCER].send(closed)
    return json_answer(Replayed(id=letter["id"], status=_REPLAYED, repeated=False))


def _visible_tenant(caller: Caller) -> str | None:
    """Many letters could not be read, so that nobody knows whose they are: the deployment's own workspace
    sees them all."""
    return None if caller.tenant_id == DEFAULT_TENANT else caller.tenant_id


async def _named(request: web.Request) -> Letter:
    letter_id = request.match_info["letter_id"]
    letter = await history(request).dead_letter(letter_id, _visible_tenant(request[CALLER]))
    if letter is None:
        raise NotFound(f"no dead letter has the id {letter_id}")
    return letter


def _decoded(codec: Codec, letter: Letter) -> Any:
    topic = TOPICS.get(letter["topic"])
    if topic is None or topic.schema is None:
        return None
    try:
        return codec.decode(topic.schema, letter["value"])
    except UndecodableValue:
        return None


def _closed(letter: Letter) -> Letter:
    """The DeadLetter record as it is after the replay."""
    created_at = datetime.fromisoformat(letter["created_at"])
    return {
        **{name: letter[name] for name in _KEPT},
        "headers": [{"name": name, "value": value} for name, value in letter["headers"]],
        "status": _REPLAYED,
        "created_at": round(created_at.timestamp() * 1_000_000),
        "revision": letter["revision"] + 1,
    }


_KEPT = (
    "id",
    "topic",
    "partition",
    "offset",
    "key",
    "value",
    "stage",
    "reason",
    "stack",
    "attempts",
    "tenant_id",
)
_ONE = _PATH + "/{letter_id}"

OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        handler=list_all,
        summary="List dead letters",
        tag="dead-letters",
        answer=LetterPage,
        query=(
            Query("topic", "that came from this topic"),
            Query("stage", "that this stage gave up on"),
            Query("status", "PENDING or REPLAYED"),
            *PAGE_QUERY,
        ),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path=_ONE,
        handler=show,
        summary="Show a dead letter",
        tag="dead-letters",
        answer=LetterDetail,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=_ONE + "/replay",
        handler=replay,
        summary="Send a dead letter again",
        tag="dead-letters",
        answer=Replayed,
        errors=(404, 409),
    ),
)
