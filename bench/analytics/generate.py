"""Fills the tables of the history with made-up runs, by ClickHouse itself: a day at a time, as a sink would.

The same seed and number of runs give the same history. It is written the way it is written in earnest: some
runs and nodes first as they begin and later as they end, those that wait for a person days later; and of each
day a part is written twice, as after a crash of the sink.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.analytics.calendar import OUTAGE, RELEASE, Chunk, chunks, hours, microseconds
from bench.analytics.world import ERRORS, Node, paths
from bench.analytics.world import Path as WorldPath
from transport.clickhouse import ClickHouse

_SQL = Path(__file__).parent / "sql"
_DAY_US = 86_400_000_000
_KEPT_DAYS = 15
"""Longer than any run lasts."""

_FRAGMENTS = {
    "inputs": "concat('{\"id\":\"', slots.app_id, '-', toString(origin), '\",\"amount\":', "
    "toString(cityHash64({seed:UInt64}, 'amount', origin) % 50000 / 100), '}')",
    "outputs": "concat('{\"text\":\"', slots.app_id, '-', toString(origin), ' is done\"}')",
    "trigger_data": 'concat(\'{"type":"\', lower(trigger_type), \'","source":{"ip":"192.0.2.\', '
    'toString(origin % 250), \'"},"method":"POST","headers":{"content-type":"application/json"},"query":{},'
    '"body":{"id":"\', slots.app_id, \'-\', toString(origin), \'"}}\')',
    "place": "concat('trigger.events/', toString(origin % 12), '/', toString(intDiv(origin, 12)))",
}


@dataclass(frozen=True, slots=True)
class _Pass:
    """One way through the tables: which `rows`, and which of the runs and nodes are `open` then. All SQL."""

    rows: str
    open: str
    open_node: str
    with_events: bool = False


_PASSES = (
    # What a sink sees first of runs that take a while.
    _Pass("event_at >= {since:Int64} AND number % 10 = 0", "1", "1"),
    _Pass(
        "event_at >= {since:Int64}",
        "finished_at >= {until:Int64}",
        "ended >= {until:Int64}",
        with_events=True,
    ),
    _Pass(
        "event_at < {since:Int64} AND finished_at >= {since:Int64} AND finished_at < {until:Int64}", "0", "0"
    ),
    # A batch that was written, but not committed, is written again.
    _Pass(
        "event_at >= {since:Int64} AND number % 50 = 0",
        "finished_at >= {until:Int64}",
        "ended >= {until:Int64}",
        with_events=True,
    ),
)

_SETTINGS = "\nSETTINGS compile_expressions = 0"


class Generator:
    """Writes into the tables of `clickhouse`, which are there already and empty."""

    def __init__(self, clickhouse: ClickHouse, runs: int, seed: int) -> None:
        self._clickhouse = clickhouse
        self._own = f"{clickhouse.database}_generator"
        self._runs = runs + runs % 2
        self._seed = seed

    async def fill(self, written: Callable[[Chunk], None]) -> None:
        """Tells each chunk that is done. Raises `StatementRefused`."""
        await self._clickhouse.execute(f"CREATE DATABASE {self._own}")
        for table in ("slots", "runs"):
            await self._run(_statement(f"table_{table}"), {})
        rows = b"\n".join(_slots())
        await self._clickhouse.insert(f"{self._own}.slots", _COLUMNS, rows, "JSONEachRow")
        for chunk in chunks(self._runs):
            await self._write(chunk)
            written(chunk)
        await self._clickhouse.execute(f"DROP DATABASE {self._own} SYNC")

    async def _write(self, chunk: Chunk) -> None:
        parameters = self._parameters(chunk)
        await self._run(_statement("runs"), parameters)
        await self._run(_statement("letters"), parameters)
        for way in _PASSES:
            if way.with_events:
                await self._run(_statement("events"), parameters, way)
            for table in ("logs", "nodes", "workflow_runs"):
                await self._run(_statement(table), parameters, way)
        await self._clickhouse.execute(
            f"ALTER TABLE {self._own}.runs DELETE WHERE event_at < {chunk.since_us - _KEPT_DAYS * _DAY_US}"
        )

    async def _run(self, sql: str, parameters: dict[str, str], way: _Pass = _PASSES[0]) -> None:
        for name, text in {
            "rows": way.rows,
            "open": way.open,
            "open_node": way.open_node,
            **_FRAGMENTS,
        }.items():
            sql = sql.replace(f"{{{name}}}", text)
        sql = sql.replace("{generator}", self._own).replace("{database}", self._clickhouse.database)
        await self._clickhouse.execute(sql + _SETTINGS, parameters)

    def _parameters(self, chunk: Chunk) -> dict[str, str]:
        values: dict[str, Any] = {
            "seed": self._seed,
            "runs": self._runs,
            "first": chunk.first,
            "count": chunk.count,
            "idle": chunk.idle_first,
            "idle_count": chunk.idle_count,
            "letters": chunk.letters,
            "since": chunk.since_us,
            "until": chunk.until_us,
            "days": chunk.days_by_share(),
            "release": microseconds(RELEASE),
            "outage": microseconds(OUTAGE),
            "hours": hours(),
        }
        return {name: str(value) for name, value in values.items()}


_COLUMNS = [
    "slot",
    "tenant_id",
    "app_id",
    "workflow_id",
    "trigger_type",
    "queue",
    "slowdown",
    "node_ids",
    "node_types",
    "titles",
    "mean_us",
    "retried",
    "fails",
    "lenient",
    "errors",
    "providers",
    "models",
    "prompt_prices",
    "completion_prices",
    "tokens",
]


def _slots() -> Iterator[bytes]:
    for path in paths():
        row = _row(path)
        for slot in range(path.first_slot, path.first_slot + path.slots):
            yield orjson.dumps({"slot": slot, **row})


def _row(path: WorldPath) -> dict[str, Any]:
    kind, tenant_id = path.kind, path.tenant_id
    of_nodes = [_columns(node) for node in path.nodes]
    return {
        "tenant_id": tenant_id,
        "app_id": f"{tenant_id}-{kind.app}",
        "workflow_id": f"{tenant_id}-{kind.workflow}",
        "trigger_type": kind.trigger_type,
        "queue": kind.queue,
        "slowdown": kind.slowdown,
        **{name: [columns[name] for columns in of_nodes] for name in of_nodes[0]},
    }


def _columns(node: Node) -> dict[str, Any]:
    model = node.model
    return {
        "node_ids": node.id,
        "node_types": node.type,
        "titles": node.title,
        "mean_us": node.mean_us,
        "retried": node.retried,
        "fails": node.fails,
        "lenient": int(node.is_lenient),
        "errors": ERRORS["llm" if model else node.type] if node.fails or node.retried else ["stopped"],
        "providers": model.provider if model else "",
        "models": model.name if model else "",
        "prompt_prices": model.prompt if model else 0,
        "completion_prices": model.completion if model else 0,
        "tokens": node.tokens,
    }


def _statement(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text().rstrip().removesuffix(";")
