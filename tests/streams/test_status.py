"""What a worker says of itself."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry, generate_latest

from streams.shell.offsets import TopicPartition
from streams.shell.rows import RowsSize
from streams.status import Held, Tables, worker_status
from transport.definitions import Definitions


class Worker:
    """The parts of a `Worker` that are looked at."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.is_member = True
        self.assigned = frozenset({TopicPartition("hopline.run.commands", 0)})

    def waiting(self) -> dict[str, tuple[int, int]]:
        return {"engine": (7, 700), "executor": (2, 20)}

    def running(self) -> int:
        return 5

    def recovery(self) -> tuple[int, int]:
        return 70, 30

    def sizes(self) -> dict[str, RowsSize]:
        return {"runs": RowsSize(9, 900)}

    def overdue_s(self) -> dict[str, float]:
        return {"schedules": 4.0}


def told(worker: Worker, unreadable: dict[Any, Any]) -> tuple[bool, str, Any]:
    feed = SimpleNamespace(definitions=Definitions(), unreadable=unreadable)
    ready, document = worker_status(cast(Any, worker), cast(Any, feed)).ready()
    return ready, document["status"], document["components"]


def test_it_is_ready_while_it_reads_its_partitions_as_a_member_of_its_group() -> None:
    worker = Worker()
    ready, status, components = told(worker, {})
    assert (ready, status) == (False, "unhealthy")
    assert "waits for partitions" in components["partitions"]["detail"]
    worker.ready.set()
    ready, status, components = told(worker, {})
    assert (ready, status, components["partitions"]["detail"]) == (
        True,
        "healthy",
        "1 partitions are being read",
    )
    worker.is_member = False
    ready, _, components = told(worker, {})
    assert not ready
    assert "HOPLINE_KAFKA" in components["partitions"]["detail"]


def test_a_definition_that_it_leaves_out_does_not_keep_it_from_its_work() -> None:
    worker = Worker()
    worker.ready.set()
    ready, status, components = told(worker, {("definitions.apps", "a"): object()})
    assert (ready, status) == (True, "degraded")
    assert "1 that this release cannot read" in components["definitions"]["detail"]


def test_what_it_holds_is_shown_at_each_scrape() -> None:
    registry, producer = CollectorRegistry(), SimpleNamespace(queued=3)
    Held(cast(Any, Worker()), cast(Any, producer), registry, 200)
    shown = generate_latest(registry).decode()
    for line in (
        'hopline_stage_waiting_records{stage="engine"} 7.0',
        'hopline_stage_waiting_bytes{stage="executor"} 20.0',
        "hopline_tasks_running 5.0",
        "hopline_producer_queued 3.0",
        "hopline_tasks_limit 200.0",
        "hopline_worker_ready 0.0",
        "hopline_recovery_rows_total 70.0",
        "hopline_recovery_remaining_rows 30.0",
    ):
        assert line in shown


def test_its_tables_are_looked_at_by_the_loop_and_shown_to_any_thread() -> None:
    registry = CollectorRegistry()
    tables = Tables(cast(Any, Worker()), registry)
    assert "hopline_table_rows{" not in generate_latest(registry).decode()
    tables.look()
    shown = generate_latest(registry).decode()
    for line in (
        'hopline_table_rows{table="runs"} 9.0',
        'hopline_table_bytes{table="runs"} 900.0',
        'hopline_due_overdue_seconds{stage="schedules"} 4.0',
    ):
        assert line in shown
