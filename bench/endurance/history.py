"""What ClickHouse has of the windows, read from its files once nobody else has them open."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.audit import NODES
from bench.endurance.posting import SAMPLED, Window
from bench.measure import percentile
from transport.clickhouse import ClickHouse

_ORDER = "JSONExtractString(inputs, 'order_id')"
_BATCH_LETTERS = 14


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is there of one window."""

    runs: int
    orders: int
    """Different ones."""
    unanswered: int
    """Of these, orders that the driver knows nothing of: they may be there or not."""
    succeeded: int
    nodes: int
    """Executions of those runs, succeeded ones."""
    e2e_p50_ms: float
    """From sending an order to the recorded end of its run, of the sampled ones."""
    e2e_p99_ms: float

    def faults(self, window: Window) -> list[str]:
        """What is wrong with it; empty if each accepted order has one run that succeeded, node by node."""
        found = []
        if self.orders - self.unanswered != window.accepted:
            found.append(f"{window.accepted} accepted, {self.orders - self.unanswered} of them recorded")
        if self.runs != self.orders:
            found.append(f"{self.runs} runs of {self.orders} orders")
        if self.succeeded != self.runs:
            found.append(f"{self.runs - self.succeeded} runs did not succeed")
        if self.nodes != NODES * self.runs:
            found.append(f"{self.nodes} executions of {self.runs} runs")
        return [f"{window.batch}: {fault}" for fault in found]


async def recorded(clickhouse: ClickHouse, windows: Sequence[Window]) -> list[Recorded]:
    """One for each window. Raises `StatementRefused`."""
    counts = {row["batch"]: row for row in (await clickhouse.query(_COUNTS)).dicts()}
    nodes = {row["batch"]: int(row["nodes"]) for row in (await clickhouse.query(_NODES)).dicts()}
    ends = {row["order_id"]: row["at"] for row in (await clickhouse.query(_ENDS)).dicts()}
    found = []
    for window in windows:
        row = counts.get(window.batch, {"runs": 0, "orders": 0, "succeeded": 0})
        unanswered = await _orders(clickhouse, window) & window.unanswered if window.unanswered else ()
        e2e_ms = [(ends[order] - at) * 1000 for order, at in window.sent_at.items() if order in ends]
        found.append(
            Recorded(
                runs=int(row["runs"]),
                orders=int(row["orders"]),
                unanswered=len(unanswered),
                succeeded=int(row["succeeded"]),
                nodes=nodes.get(window.batch, 0),
                e2e_p50_ms=percentile(e2e_ms, 50),
                e2e_p99_ms=percentile(e2e_ms, 99),
            )
        )
    return found


async def _orders(clickhouse: ClickHouse, window: Window) -> set[str]:
    return {row[0] for row in (await clickhouse.query(_ORDERS, {"batch": window.batch})).rows}


_COUNTS = f"""
SELECT substring({_ORDER}, 1, {_BATCH_LETTERS}) AS batch, count() AS runs, uniqExact({_ORDER}) AS orders,
       countIf(status = 'SUCCEEDED') AS succeeded
FROM workflow_runs GROUP BY batch
"""

_NODES = f"""
SELECT batch, countIf(nodes.status = 'succeeded') AS nodes
FROM workflow_node_executions AS nodes
INNER JOIN (SELECT id, substring({_ORDER}, 1, {_BATCH_LETTERS}) AS batch FROM workflow_runs) AS runs
    ON nodes.workflow_run_id = runs.id
GROUP BY batch
"""

_ORDERS = f"""
SELECT {_ORDER} AS order_id FROM workflow_runs WHERE startsWith(order_id, {{batch:String}})
"""

_ENDS = f"""
SELECT {_ORDER} AS order_id, toFloat64(recorded_at) AS at
FROM workflow_runs
WHERE status = 'SUCCEEDED' AND toUInt32OrZero(substring(order_id, {_BATCH_LETTERS} + 2)) % {SAMPLED} = 0
"""
