"""Runs, by workflow."""

from deploy.grafana.panels import (
    APP,
    TENANT,
    WORKFLOW,
    Board,
    Prom,
    Sql,
    chart,
    listing,
    per_second,
    percentiles_over_time,
)

_RUNS = (
    chart(
        "Runs, by status",
        "By the time at which their event was accepted.",
        Sql(
            """SELECT time, sum(succeeded) AS succeeded, sum(partial_succeeded) AS "partial succeeded",
                       sum(failed) AS failed, sum(stopped) AS stopped, sum(running) AS running,
                       sum(paused) AS paused
                FROM run_metrics_${period} WHERE $shown AND $chosen
                GROUP BY time ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "Failed, of those that ended",
        "By app.",
        Sql(
            """SELECT time, app_id, sum(failed) / sum(ended) AS failure_rate FROM run_metrics_${period}
                WHERE ended > 0 AND $shown AND $chosen GROUP BY time, app_id ORDER BY time"""
        ),
        unit="percentunit",
    ),
    chart(
        "How long runs take",
        "From their start to their end, pauses included.",
        percentiles_over_time("run_metrics_${period}", "elapsed_state", "ended > 0 AND $shown AND $chosen"),
        unit="s",
    ),
    chart(
        "How long they wait for their start",
        "From the acceptance of the event.",
        percentiles_over_time("run_metrics_${period}", "queue_latency_state", "$shown AND $chosen"),
        unit="s",
    ),
    chart(
        "Commands to runs",
        "Starts, results of nodes, timers, answers of people, cancellations. Stale ones changed nothing.",
        Prom('sum by (kind) (rate(hopline_commands_total{outcome="applied"}[$__rate_interval]))', "{{kind}}"),
        Prom('sum(rate(hopline_commands_total{outcome="stale"}[$__rate_interval]))', "stale"),
        unit="ops",
    ),
    chart(
        "Runs ended, as it happens",
        "By status, of all tenants: without the delay of the history.",
        Prom(per_second("hopline_runs_total", "status"), "{{status}}"),
        unit="ops",
        stack=True,
    ),
)

_LISTS = (
    listing(
        "Workflows",
        "The busiest first.",
        """SELECT tenant_id, app_id, workflow_id, sum(runs) AS runs, sum(failed) AS failed,
                   if(sum(ended) > 0, failed / sum(ended), NULL) AS failure_rate,
                   sum(running + paused) AS under_way,
                   quantilesExactWeightedMerge(0.5, 0.95, 0.99)(elapsed_state) AS p,
                   if(sum(ended) > 0, p[1], NULL) AS p50, if(sum(ended) > 0, p[2], NULL) AS p95,
                   if(sum(ended) > 0, p[3], NULL) AS p99, sum(retries) AS retries, sum(tokens) AS tokens
            FROM run_metrics_${period} AS m WHERE $shown AND $chosen
            GROUP BY tenant_id, app_id, workflow_id ORDER BY runs DESC LIMIT 200""",
        units=(("failure_rate", "percentunit"), ("p50", "s"), ("p95", "s"), ("p99", "s")),
    ),
    listing(
        "Runs that failed",
        "The last hundred. hopline run show ID shows each step of one.",
        """SELECT event_at, app_id, workflow_id, version, id, error, elapsed_time
            FROM workflow_runs
            WHERE status = 'FAILED' AND $__timeFilter(event_at) AND $chosen
            ORDER BY event_at DESC LIMIT 100""",
        units=(("elapsed_time", "s"),),
    ),
)

BOARD = Board(
    name="workflows",
    title="Hopline / Workflows",
    about="Runs by workflow: how many, how fast, how often they fail.",
    rows=(("Runs", _RUNS), ("One by one", _LISTS)),
    variables=(TENANT, APP, WORKFLOW),
    periods=("1m", "1h", "1d"),
)
