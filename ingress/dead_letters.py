"""`/api/v1/dead-letters`: records that nobody could handle, and sending them again: one, some or all."""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from ingress.auth import CALLER, Caller
from ingress.errors import Conflict, NotFound
from ingress.history import MAX_LIMIT, LetterFilter
from ingress.keys import CODEC, RETURNS
from ingress.operation import Operation, Query
from ingress.reading import PAGE_QUERY, history, limit_of, page_answer, time_of
from ingress.records import LetterDetail, LetterPage
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas import letters
from schemas.codec import Codec
from schemas.errors import UndecodableValue
from schemas.models import DEFAULT_TENANT
from schemas.search import reachable
from schemas.topics import TOPICS

_PATH = "/api/v1/dead-letters"
_MOST_FOUND = 100_000

Letter = dict[str, Any]
Moment = Annotated[AwareDatetime, AfterValidator(reachable)]


class Replayed(Answer):
    """The original bytes are on their topic again."""

    id: str
    status: str
    repeated: bool
    """It had been replayed before, and nothing was sent."""


class ReplayMany(RequestBody):
    """Which letters: those with these ids, or the pending ones that fit everything else that is given."""

    ids: Annotated[list[str], Field(max_length=MAX_LIMIT)] | None = None
    """Of the letters, in the order in which their records are to be sent."""
    topic: str | None = None
    """That came from this topic."""
    stage: str | None = None
    """That this stage gave up on."""
    reason: Annotated[str, Field(min_length=1)] | None = None
    """Whose reason has this in it, in letters of either case."""
    since: Moment | None = None
    """Given up on at this time or later."""
    until: Moment | None = None
    """Given up on before this; by default before now, so that what fails again is not sent twice."""
    all: bool = False
    """Every pending letter: has to be said where nothing else is given."""
    dry_run: bool = False
    """Only say which they are, and which of them cannot be sent."""
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 100
    """The most that this call sends, the oldest first; `left` says how many more there are."""

    @model_validator(mode="after")
    def _says_which(self) -> "ReplayMany":
        chosen = (self.topic, self.stage, self.reason, self.since, self.until)
        if self.ids is not None and (self.all or any(chosen)):
            raise ValueError("name letters by their ids, or by what they have in common")
        if self.ids is None and not self.all and not any(chosen):
            raise ValueError("say which: ids, topic, stage, reason, since, until or all")
        return self


class ReplayOutcome(Answer):
    """What became of one letter."""

    id: str
    outcome: Literal["replayed", "repeated", "refused", "would_be_replayed"]
    """`repeated`: it had been replayed before, and nothing was sent."""
    detail: str | None = None
    """Why it was refused."""


class ReplayedMany(Answer):
    """In the order in which they were sent. A call that fails in between may be made again."""

    data: list[ReplayOutcome]
    found: int
    """How many fit."""
    left: int
    """Of these, how many this call has not come to."""


async def list_all(request: web.Request) -> web.Response:
    """The newest first, without what they hold."""
    query = request.query
    chosen = LetterFilter(
        tenant_id=_visible_tenant(request[CALLER]),
        topic=query.get("topic"),
        stage=query.get("stage"),
        status=query.get("status"),
        reason=query.get("reason"),
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
    """The original bytes, key and headers go to the original topic again, to be tried once more.

    Doing it twice changes nothing: a letter is sent once for each time that it has failed, and should two
    ingresses send it at the same moment, what reads the records knows them by their ids.
    """
    letter = await _named(request)
    is_first = await request.app[RETURNS].send_back(letter)
    return json_answer(Replayed(id=letter["id"], status=letters.REPLAYED, repeated=not is_first))


async def replay_many(request: web.Request) -> web.Response:
    """Letter by letter, the oldest first, so that records of one key come back in their order."""
    wanted = await read_model(request, ReplayMany)
    found = wanted.ids if wanted.ids is not None else await _found(request, wanted)
    now = found[: wanted.limit] if wanted.ids is None else found
    outcomes = [await _outcome(request, letter_id, dry_run=wanted.dry_run) for letter_id in now]
    return json_answer(ReplayedMany(data=outcomes, found=len(found), left=len(found) - len(now)))


async def _outcome(request: web.Request, letter_id: str, *, dry_run: bool) -> ReplayOutcome:
    """Raises `SendFailed`: then the others would fail as well."""
    returns = request.app[RETURNS]
    try:
        letter = await _letter(request, letter_id)
        if dry_run and letter["status"] != letters.REPLAYED:
            returns.check(letter)
            return ReplayOutcome(id=letter_id, outcome="would_be_replayed")
        is_first = not dry_run and await returns.send_back(letter)
    except (Conflict, NotFound) as refused:
        return ReplayOutcome(id=letter_id, outcome="refused", detail=refused.detail)
    return ReplayOutcome(id=letter_id, outcome="replayed" if is_first else "repeated")


async def _found(request: web.Request, wanted: ReplayMany) -> list[str]:
    """The ids of those that are pending, the oldest first."""
    chosen = LetterFilter(
        tenant_id=_visible_tenant(request[CALLER]),
        topic=wanted.topic,
        stage=wanted.stage,
        reason=wanted.reason,
        status=letters.PENDING,
        since=wanted.since,
        until=wanted.until or datetime.now(UTC),
    )
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await history(request).dead_letters(chosen, MAX_LIMIT, cursor)
        found += [row["id"] for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return found[::-1]
        if len(found) >= _MOST_FOUND:
            raise Conflict(f"more than {_MOST_FOUND} letters fit: narrow it down, by since and until")


def _visible_tenant(caller: Caller) -> str | None:
    """Many letters could not be read, so that nobody knows whose they are: the deployment's own workspace
    sees them all."""
    return None if caller.tenant_id == DEFAULT_TENANT else caller.tenant_id


async def _named(request: web.Request) -> Letter:
    return await _letter(request, request.match_info["letter_id"])


async def _letter(request: web.Request, letter_id: str) -> Letter:
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
            Query("reason", "whose reason has this in it, in letters of either case"),
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
        path=_PATH + "/replay",
        handler=replay_many,
        summary="Send many dead letters again",
        tag="dead-letters",
        body=ReplayMany,
        answer=ReplayedMany,
        errors=(400, 409, 422),
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
