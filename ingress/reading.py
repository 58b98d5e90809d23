"""What the routes over the run history share: the history itself, and the parameters of a page."""

from datetime import datetime
from typing import TypeVar

from aiohttp import web

from ingress.errors import Malformed, Unavailable
from ingress.history import MAX_LIMIT, History, Page
from ingress.keys import CLICKHOUSE, HISTORY, SQL
from ingress.operation import Query
from ingress.responses import json_answer
from ingress.sql import Sql
from schemas.search import MANY, NoFilter, Search, moment, read_filter
from transport.clickhouse import ClickHouse

DEFAULT_LIMIT = 50
NO_HISTORY = "this ingress reads no run history; its operator must set HOPLINE_CLICKHOUSE"
_NO_HISTORY_RETRY_S = 60
_MOST_DIGITS = 100
"""Python reads no number of thousands of digits."""

CURSOR_QUERY = Query("cursor", "next_cursor of the page before")
PLACE_QUERY = (
    Query("limit", f"at most this many, 1 to {MAX_LIMIT}, else {DEFAULT_LIMIT}", "integer"),
    CURSOR_QUERY,
)
PAGE_QUERY = (
    Query("since", "created at or after this; RFC 3339"),
    Query("until", "created before this; RFC 3339"),
    *PLACE_QUERY,
)
PLACE = tuple(query.name for query in PLACE_QUERY)


_F = TypeVar("_F", bound=Search)


def search_query(model: type[Search], *others: Query) -> tuple[Query, ...]:
    """The parameters of a search, and `others` that the route takes besides."""
    fields = model.model_fields.items()
    return *(Query(name, field.description or "", many=name in MANY) for name, field in fields), *others


def filter_of(request: web.Request, model: type[_F], *others: str) -> _F:
    """What is searched for. `others`: parameters of the route besides. Raises `Malformed`, also for a
    parameter that nobody knows: passed over, it would select everything."""
    try:
        return read_filter(model, ((n, v) for n, v in request.query.items() if n not in others))
    except NoFilter as wrong:
        raise Malformed(str(wrong)) from wrong


def clickhouse(request: web.Request) -> ClickHouse:
    """Where the history is. Raises `Unavailable` where the deployment keeps none."""
    attached = request.app[CLICKHOUSE]
    if attached is None:
        raise Unavailable(NO_HISTORY, _NO_HISTORY_RETRY_S)
    return attached


def history(request: web.Request) -> History:
    """Likewise."""
    clickhouse(request)
    return request.app[HISTORY]


def sql(request: web.Request) -> Sql:
    """Likewise."""
    clickhouse(request)
    return request.app[SQL]


def limit_of(request: web.Request) -> int:
    """Raises `Malformed`."""
    given = request.query.get("limit", str(DEFAULT_LIMIT))
    if not given.isdecimal() or len(given) > _MOST_DIGITS or not 1 <= int(given) <= MAX_LIMIT:
        raise Malformed(f"limit is a number from 1 to {MAX_LIMIT}, not {given!r}")
    return int(given)


def time_of(request: web.Request, name: str) -> datetime | None:
    """See `schemas.search.moment`. Raises `Malformed`."""
    given = request.query.get(name)
    try:
        return None if given is None else moment(given)
    except ValueError as wrong:
        raise Malformed(f"{name} {wrong}") from wrong


def page_answer(page: Page) -> web.Response:
    """As it is read: the rows are JSON values already."""
    return json_answer({"data": page.rows, "next_cursor": page.next_cursor})
