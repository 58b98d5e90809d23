"""`POST /api/v1/sql`: a SELECT on the run history."""

from typing import Any

from aiohttp import web

from ingress.auth import CALLER
from ingress.operation import Operation
from ingress.reading import sql
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody


class SqlQuery(RequestBody):
    """One statement."""

    query: str
    """A SELECT in ClickHouse's dialect."""


class SqlRows(Answer):
    """Times are RFC 3339 text in UTC."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    truncated: bool
    """There are more rows than are given here."""


async def run(request: web.Request) -> web.Response:
    """Sees the rows of the caller's tenant only."""
    wanted = await read_model(request, SqlQuery)
    result = await sql(request).run(wanted.query, request[CALLER].tenant_id)
    answer = {
        "columns": result.columns,
        "types": result.types,
        "rows": result.rows,
        "truncated": result.truncated,
    }
    return json_answer(answer)


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/sql",
        permission="read",
        handler=run,
        summary="Query the run history",
        tag="runs",
        body=SqlQuery,
        answer=SqlRows,
        errors=(400, 422),
    ),
)
