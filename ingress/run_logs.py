"""`GET /api/v1/runs/{run_id}/logs`: what the nodes of a run have said, line by line."""

import re
from typing import Any, Literal

from aiohttp import web

from ingress.cursors import new_cursor, read_cursor
from ingress.operation import Operation, Query
from ingress.reading import PLACE_QUERY, clickhouse, limit_of
from ingress.responses import json_answer
from ingress.run_commands import named_run
from ingress.wire import Answer

_COLUMNS = (
    "timestamp, level, source, text, node_execution_id, node_id, node_type, title, node_index, line, "
    "trace_id, span_id"
)
_ORDER = "timestamp, node_index, node_execution_id, line"
_PLACE = re.compile(r"(\S+) (\d+) ([0-9a-f-]{36}) (\d+)")


class RunLogLine(Answer):
    """One line of a run."""

    timestamp: str
    """ISO 8601 in UTC. Of what code has printed it is when the node ended."""
    level: Literal["INFO", "WARN", "ERROR"]
    source: Literal["stdout", "traceback", "call", "agent", "error"]
    """What code has printed or raised, a request to somebody, a step of an agent, why the attempt failed."""
    text: str
    node_execution_id: str
    node_id: str
    node_type: str
    title: str
    """Of the node."""
    node_index: int
    """Position of the node in the order of execution, from 1."""
    line: int
    """Position among what the node has said."""
    trace_id: str
    """32 hexadecimal digits, as in W3C Trace Context."""
    span_id: str
    """Of the execution: 16 hexadecimal digits."""


class RunLogPage(Answer):
    """The oldest first."""

    data: list[RunLogLine]
    next_cursor: str | None
    """Asks for the lines after these; null when there are no more yet."""


async def list_lines(request: web.Request) -> web.Response:
    """Of the nodes that have ended, in the order of time."""
    run, limit = await named_run(request), limit_of(request)
    where = "run_id = {run:UUID} AND tenant_id = {tenant:String}"
    parameters = {"run": run.id, "tenant": run.tenant_id}
    if node_id := request.query.get("node_id"):
        where += " AND node_id = {node:String}"
        parameters["node"] = node_id
    if cursor := request.query.get("cursor"):
        where += (
            f" AND ({_ORDER}) > ({{at:DateTime64(6)}}, {{index:UInt32}}, {{execution:UUID}}, {{line:UInt32}})"
        )
        parameters |= read_cursor(cursor, _place)
    sql = f"SELECT {_COLUMNS} FROM run_logs WHERE {where} ORDER BY {_ORDER} LIMIT {limit + 1}"  # noqa: S608
    found = (await clickhouse(request).query(sql, parameters)).dicts()
    more, rows = len(found) > limit, found[:limit]
    return json_answer({"data": rows, "next_cursor": _cursor(rows[-1]) if more else None})


def _cursor(row: dict[str, Any]) -> str:
    return new_cursor(f"{row['timestamp']} {row['node_index']} {row['node_execution_id']} {row['line']}")


def _place(text: str) -> dict[str, str]:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    at, index, execution, line = match.groups()
    return {
        "at": at.replace("T", " ").removesuffix("Z"),
        "index": index,
        "execution": execution,
        "line": line,
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/runs/{run_id}/logs",
        handler=list_lines,
        summary="List what the nodes of a run have said",
        tag="runs",
        answer=RunLogPage,
        query=(Query("node_id", "only of this node of the graph"), *PLACE_QUERY),
        errors=(400, 404),
    ),
)
