"""SELECTs that users write, kept to the run history: nothing is written, read elsewhere, or takes forever.

ClickHouse's own readonly = 1 is not enough in the embedded engine: it leaves `file(...)`, `INTO OUTFILE` and
the system tables. So a query is taken apart by ClickHouse's parser first, and only then run:

1. `formatQuerySingleLine` makes one statement of it, without comments and with its brackets in order;
2. in brackets itself, it can only be a SELECT, without FORMAT and INTO OUTFILE;
3. functions, table functions and tables that reach outside are refused by name, before anything is analysed:
   to analyse a scalar subquery is to run it, and the message of its failure tells a value;
4. the resolved tables must be those of the history;
5. it runs in a read-only session with limits, where a tenant's queries see that tenant's rows only: these are
   picked out before anything that the user wrote is computed, since the message of a failure tells a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingress.errors import Malformed
from transport.clickhouse import ClickHouse
from transport.errors import StatementRefused

_METRICS = tuple(
    f"{subject}_metrics_{period}"
    for subject in ("run", "node", "trigger", "dead_letter")
    for period in ("1m", "1h", "1d")
)
_VIEWS = (
    "workflow_trigger_logs",
    "workflow_runs",
    "workflow_node_executions",
    "trigger_events",
    "github_webhook_events",
    "dead_letters",
    "knowledge_documents",
    "knowledge_chunks",
    *_METRICS,
    "spans",
    "otel_traces",
    "otel_traces_trace_id_ts",
    "run_logs",
    "otel_logs",
)
_CHANGES = (
    "workflow_trigger_log_changes",
    "workflow_run_changes",
    "workflow_node_execution_changes",
    "trigger_event_changes",
    "dead_letter_changes",
    "knowledge_document_changes",
    "knowledge_chunk_changes",
    "run_rollups",
    "node_rollups",
    "trigger_rollups",
)
"""What the views read. All of them have a column tenant_id."""

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|(`(?:[^`\\]|\\.)*`)")
"""A text, or a name, which may have an apostrophe in it."""
_FORBIDDEN = re.compile(
    r"\b(file|dict(?:get|has|isin)\w*|joinget\w*|catboost\w*|ai(?:classify|embed|extract|filter|generate|redact"
    r"|similarity|translate)|reversednsquery|sleep\w*|filesystem\w*|getserversetting|getmacro"
    r"|getclienthttpheader|showcertificate|prewhere)\b",
    re.IGNORECASE,
)
"""PREWHERE is computed for the rows of all tenants."""
_FUNCTION = re.compile(r"^\s*Function (\w+)", re.MULTILINE)
_HAS_SETTINGS = re.compile(r"^\s*Set$", re.MULTILINE)
_TABLE = re.compile(r"\btable_name: ([^\s,]+)")
_NAMED = re.compile(r"^\s*(Table)?Identifier (.*?)(?: \(alias .*\))?(?: \(children \d+\))?$", re.MULTILINE)
"""A table, or what is a column but to the right of IN."""
_HARMLESS = frozenset(
    {"format", "generateseries", "generate_series", "numbers", "numbers_mt", "values", "zeros", "zeros_mt"}
)
_THERE = """SELECT
    (SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase()),
    (SELECT groupArray(name) FROM system.databases)"""
"""Asked each time: whatever there is by now is out of bounds."""

_OF_VIEWS = {
    "do_not_merge_across_partitions_select_final": "1",
    "optimize_move_to_prewhere_if_final": "1",
}
"""The views have these settings, which ClickHouse passes over in silence where a session is read-only.
Without them, filters are applied after all columns of all rows have been read."""

_TENANT_FIRST = {
    "query_plan_merge_filters": "0",
    "optimize_move_to_prewhere": "0",
    # Releases after it take what a JOIN compares to where rows are read.
    "compatibility": "25.8",
}
"""Else whose rows they are would be one condition among those of the user, and the cheapest be the first."""


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What one query may take."""

    rows: int = 10_000
    seconds: float = 10.0
    memory_bytes: int = 512 * 1024**2
    result_bytes: int = 16 * 1024**2

    def settings(self) -> dict[str, str]:
        """In ClickHouse's names."""
        return {
            "max_execution_time": str(self.seconds),
            "max_memory_usage": str(self.memory_bytes),
            "max_result_bytes": str(self.result_bytes),
            "max_query_size": str(256 * 1024),
            # Functions of bytes cut letters in two.
            "output_format_json_validate_utf8": "1",
            **_OF_VIEWS,
        }


@dataclass(frozen=True, slots=True)
class SqlResult:
    """Times are ISO 8601 text in UTC."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]
    truncated: bool
    """There are more rows than `SqlLimits.rows`."""


class Sql:
    """Runs queries of users. Used by `hopline sql` and `POST /api/v1/sql`."""

    def __init__(self, clickhouse: ClickHouse, limits: SqlLimits | None = None) -> None:
        self._clickhouse = clickhouse
        self._limits = limits or SqlLimits()
        self._table_functions: frozenset[str] = frozenset()
        database = clickhouse.database
        self._readable = frozenset({f"{database}.{name}" for name in _VIEWS + _CHANGES} | {"system.one"})

    async def run(self, query: str, tenant_id: str | None = None) -> SqlResult:
        """The result, cut off after `SqlLimits.rows` rows; with `tenant_id`, as if nobody else had any.

        Raises `Malformed` with ClickHouse's own message or the reason why the query is not allowed, and
        `ClickHouseUnavailable`.
        """
        settings = self._limits.settings()
        if tenant_id is not None:
            settings |= {"additional_table_filters": self._only(tenant_id), **_TENANT_FIRST}
        try:
            return await self._run(query, settings)
        except StatementRefused as refused:
            raise Malformed(f"ClickHouse refuses the query: {refused}") from refused

    async def _run(self, query: str, settings: Mapping[str, str]) -> SqlResult:
        statement = await self._one_select(query)
        await self._check_names(statement, settings)
        await self._check_tables(statement, settings)
        described = await self._clickhouse.query_read_only(f"DESCRIBE TABLE ({statement})", {}, settings)
        limit = self._limits.rows
        # A constant column has one value for all rows, and max_result_bytes would count only that.
        sql = f"SELECT * APPLY(materialize) FROM ({statement}) LIMIT {limit + 1}"  # noqa: S608
        result = await self._clickhouse.query_read_only(sql, {}, settings)
        names = tuple(row[0] for row in described.rows)
        return SqlResult(names, result.types, result.rows[:limit], len(result.rows) > limit)

    async def _one_select(self, query: str) -> str:
        sql = "SELECT formatQuerySingleLine({query:String})"
        formatted = await self._clickhouse.query(sql, {"query": query})
        text = str(formatted.rows[0][0])
        if not text.startswith(("SELECT ", "WITH ", "(")):
            raise Malformed("only SELECT is possible here")
        return f"SELECT * FROM ({text})"  # noqa: S608

    async def _check_names(self, statement: str, settings: Mapping[str, str]) -> None:
        if found := _FORBIDDEN.search(_QUOTED.sub(lambda found: found[1] or "''", statement)):
            raise Malformed(f"{found[0]} is not possible here: it reaches beyond the run history")
        tree = await self._clickhouse.explain(f"EXPLAIN AST {statement}", settings)
        if _HAS_SETTINGS.search(tree):
            raise Malformed("SETTINGS are not possible here")
        if not self._table_functions:
            known = await self._clickhouse.query("SELECT lower(name) FROM system.table_functions")
            self._table_functions = frozenset(name for (name,) in known.rows) - _HARMLESS
        for name in _FUNCTION.findall(tree):
            if name.lower() in self._table_functions:
                raise Malformed(f"{name}(...) is not possible here: it reaches beyond the run history")
        await self._check_named(tree)

    async def _check_named(self, tree: str) -> None:
        [(own, databases)] = (await self._clickhouse.query(_THERE)).rows
        for is_table, name in _NAMED.findall(tree):
            first, *rest = name.split(".")
            if not rest:
                # No table at all is a common table expression, an alias or a column.
                is_elsewhere = name in own and f"{self._clickhouse.database}.{name}" not in self._readable
            elif is_table:
                is_elsewhere = name not in self._readable
            else:
                is_elsewhere = first in databases and f"{first}.{rest[0]}" not in self._readable
            if is_elsewhere:
                raise _elsewhere(name)

    async def _check_tables(self, statement: str, settings: Mapping[str, str]) -> None:
        tree = await self._clickhouse.explain(f"EXPLAIN QUERY TREE {statement}", settings)
        if others := sorted(set(_TABLE.findall(tree)) - self._readable):
            raise _elsewhere(others[0])

    def _only(self, tenant_id: str) -> str:
        escaped = tenant_id.replace("\\", "\\\\").replace("'", "\\'")
        inner = f"tenant_id = '{escaped}'".replace("\\", "\\\\").replace("'", "\\'")
        entries = (f"'{self._clickhouse.database}.{table}': '{inner}'" for table in _CHANGES)
        return "{" + ", ".join(entries) + "}"


def _elsewhere(name: str) -> Malformed:
    return Malformed(f"{name} is not a table of the run history, which has {', '.join(_VIEWS)}")
