"""What a worker counts, as a scrape shows it."""

from prometheus_client import CollectorRegistry, generate_latest

from streams.metrics import StageMetrics, WorkerMetrics


def test_what_the_shell_tells_is_shown_by_stage() -> None:
    registry = CollectorRegistry()
    told = StageMetrics(registry)
    told.batch("engine", 40, 0.02, 3.0)
    told.batch("engine", 2, 0.001, 0.02)
    told.task("execute", 400.0)
    told.waited("node.tasks.default", 12.0)
    told.due("schedules", 3, 0.3)
    told.dead_letter("engine", "ValueError")
    told.ready(24, 1.5)
    shown = generate_latest(registry).decode()
    for line in (
        'hopline_stage_records_total{stage="engine"} 42.0',
        'hopline_stage_records_total{stage="execute"} 1.0',
        'hopline_stage_batch_seconds_count{stage="engine"} 2.0',
        'hopline_stage_delay_seconds_bucket{le="2.5",stage="engine"} 1.0',
        'hopline_stage_delay_seconds_bucket{le="5.0",stage="engine"} 2.0',
        'hopline_task_seconds_bucket{le="60.0",stage="execute"} 0.0',
        'hopline_task_seconds_bucket{le="1200.0",stage="execute"} 1.0',
        'hopline_task_wait_seconds_sum{topic="node.tasks.default"} 12.0',
        'hopline_due_rows_total{stage="schedules"} 3.0',
        'hopline_due_late_seconds_sum{stage="schedules"} 0.3',
        'hopline_dead_letters_total{reason="ValueError",stage="engine"} 1.0',
        "hopline_assignments_total 1.0",
        "hopline_assigned_partitions 24.0",
        "hopline_recovery_seconds 1.5",
    ):
        assert line in shown, line


def test_what_the_stages_decide_is_shown_by_outcome() -> None:
    registry = CollectorRegistry()
    counts = WorkerMetrics(registry)
    counts.event("routed")
    counts.event("duplicate")
    counts.command("START", "applied")
    counts.run_ended("FAILED")
    counts.unwanted("skipped")
    shown = generate_latest(registry).decode()
    for line in (
        'hopline_events_total{outcome="routed"} 1.0',
        'hopline_events_total{outcome="duplicate"} 1.0',
        'hopline_commands_total{kind="START",outcome="applied"} 1.0',
        'hopline_runs_total{status="FAILED"} 1.0',
        'hopline_unwanted_tasks_total{outcome="skipped"} 1.0',
    ):
        assert line in shown, line
