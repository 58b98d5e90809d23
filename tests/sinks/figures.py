"""What the rollups must say: computed without SQL from the rows that the views of the raw tables show."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from transport.clickhouse import ClickHouse

Row = Mapping[str, Any]

_SECONDS = {"1m": 60, "1h": 3600, "1d": 86400}
_OF_OTHERS = ("iteration", "loop", "tool")


async def assert_equal_to_raw(database: ClickHouse) -> int:
    """Compares all rollups with the raw tables. Returns the number of rows compared."""
    shown = {
        view: (await database.query(f"SELECT * FROM {view}")).dicts()
        for view in ("workflow_runs", "workflow_node_executions", "workflow_trigger_logs")
    }
    retries: dict[str, int] = defaultdict(int)
    for row in shown["workflow_node_executions"]:
        retries[row["workflow_run_id"]] += row["status"] == "retry"
    runs = [{**row, "retries": retries[row["id"]]} for row in shown["workflow_runs"]]
    compared = 0
    for period in _SECONDS:
        expected = {
            "run_metrics": _grouped(runs, "event_at", _RUN, period, _run),
            "node_metrics": _grouped(shown["workflow_node_executions"], "event_at", _NODE, period, _node),
            "trigger_metrics": _grouped(
                shown["workflow_trigger_logs"], "created_at", _TRIGGER, period, _trigger
            ),
        }
        for view, rows in expected.items():
            found = await database.query(
                f"SELECT * EXCEPT (elapsed_state, queue_latency_state, as_of) FROM {view}_{period}"
            )
            assert sorted(map(_key, found.dicts())) == sorted(map(_key, rows)), (view, period)
            compared += len(rows)
    return compared


def _key(row: Row) -> list[tuple[str, str]]:
    return sorted(
        (name, repr(float(v)) if isinstance(v, int | float) else repr(v)) for name, v in row.items()
    )


def _grouped(
    rows: Iterable[Row],
    at: str,
    by: Sequence[str],
    period: str,
    figures: Callable[[list[Row]], dict[str, Any]],
) -> list[dict[str, Any]]:
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        seconds = datetime.fromisoformat(row[at]).timestamp() // _SECONDS[period] * _SECONDS[period]
        time = datetime.fromtimestamp(seconds, datetime.fromisoformat(row[at]).tzinfo)
        groups[(time.strftime("%Y-%m-%dT%H:%M:%SZ"), *(row[name] for name in by))].append(row)
    return [
        {
            **dict(zip(("time", *by), key, strict=True)),
            **figures(group),
            "rate": len(group) / _SECONDS[period],
        }
        for key, group in groups.items()
    ]


_RUN = ("tenant_id", "app_id", "workflow_id", "version", "triggered_from")
_NODE = ("tenant_id", "app_id", "workflow_id", "node_id", "node_type", "triggered_from", "currency")
_TRIGGER = ("tenant_id", "app_id", "workflow_id", "trigger_type", "queue_name")


def _run(rows: list[Row]) -> dict[str, Any]:
    ended = [row for row in rows if row["finished_at"]]
    statuses = ("running", "paused", "succeeded", "partial_succeeded", "failed", "stopped")
    return {
        "runs": len(rows),
        **{name: sum(row["status"] == name.upper() for row in rows) for name in statuses},
        "retries": sum(row["retries"] for row in rows),
        "tokens": sum(row["total_tokens"] for row in rows),
        "steps": sum(row["total_steps"] for row in rows),
        "exceptions": sum(row["exceptions_count"] for row in rows),
        "ended": len(ended),
        **_time("elapsed", [round(row["elapsed_time"] * 1e6) for row in ended]),
        **_time("queue_latency", [_us(row["event_at"], row["created_at"]) for row in rows]),
    }


def _node(rows: list[Row]) -> dict[str, Any]:
    ended = [row for row in rows if row["finished_at"]]
    own = [row for row in rows if row["node_type"] not in _OF_OTHERS]
    statuses = ("running", "paused", "succeeded", "failed", "exception", "stopped")
    waited = [
        max(0, _us(row["created_at"], row["finished_at"]) - round(row["elapsed_time"] * 1e6)) for row in ended
    ]
    return {
        "executions": len(rows),
        **{name: sum(row["status"] == name for row in rows) for name in statuses},
        "retried": sum(row["status"] == "retry" for row in rows),
        "tokens": sum(row["total_tokens"] for row in own),
        "price": float(sum(Decimal(str(row["total_price"])) for row in own)),
        "ended": len(ended),
        **_time("elapsed", [round(row["elapsed_time"] * 1e6) for row in ended]),
        **_time("queue_latency", waited),
    }


def _trigger(rows: list[Row]) -> dict[str, Any]:
    started = [row for row in rows if row["triggered_at"]]
    # Of what started nothing nobody says how long that took.
    took = [row["elapsed_time"] for row in rows if row["elapsed_time"] is not None]
    statuses = ("pending", "running", "success", "failed", "stopped")
    return {
        "triggers": len(rows),
        **{name: sum(row["status"] == name.upper() for row in rows) for name in statuses},
        "duplicates": sum((row["error"] or "").startswith("duplicate of the event at ") for row in rows),
        "retries": sum(row["retry_count"] for row in rows),
        "tokens": sum(row["total_tokens"] for row in rows),
        "started": len(started),
        "ended": len(took),
        **_time("elapsed", [round(elapsed * 1e6) for elapsed in took]),
        **_time("queue_latency", [_us(row["created_at"], row["triggered_at"]) for row in started]),
    }


def _us(earlier: str, later: str) -> int:
    passed = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return max(0, passed // timedelta(microseconds=1))


def _time(name: str, values_us: list[int]) -> dict[str, Any]:
    ordered = sorted(values_us)
    ranks = {f"{name}_p{p}": math.ceil(len(ordered) * p / 100) - 1 for p in (50, 95, 99)}
    return {
        f"{name}_sum": sum(ordered) / 1e6,
        **{column: _three_digits(ordered[rank]) if ordered else None for column, rank in ranks.items()},
    }


def _three_digits(us: int) -> float:
    exact = Decimal(us)
    digit = Decimal(10) ** max(0, len(str(us)) - 3)
    return float((exact / digit).quantize(Decimal(1), ROUND_HALF_UP) * digit) / 1e6
