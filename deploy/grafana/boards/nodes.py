"""Which node is slow, fails or waits."""

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
    percentiles,
    quantile,
)

_TASKS = (
    chart(
        "Node tasks under way",
        "Of as many as HOPLINE_EXECUTOR_CONCURRENCY allows: at 1 others wait.",
        Prom("hopline_tasks_running / hopline_tasks_limit", "{{instance}}"),
        unit="percentunit",
        width=8,
    ),
    chart(
        "How long tasks wait, 95th percentile",
        "By queue, until they begin.",
        Prom(quantile("hopline_task_wait_seconds", by="topic"), "{{topic}}"),
        unit="s",
        width=8,
    ),
    chart(
        "How long tasks take",
        "From their start to the confirmed result.",
        *percentiles("hopline_task_seconds"),
        Prom(per_second("hopline_unwanted_tasks_total", "outcome"), "{{outcome}}, a second"),
        unit="s",
        width=8,
    ),
)

_HISTORY = (
    chart(
        "Executions, by type",
        "Each attempt is one.",
        Sql(
            """SELECT time, node_type, sum(executions) AS executions FROM node_metrics_${period}
                WHERE $shown AND $chosen GROUP BY time, node_type ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "Failed executions, by type",
        "Those that were tried again, and those that took the branch for errors, included.",
        Sql(
            """SELECT time, node_type, sum(failed + exception + retried) AS failed
                FROM node_metrics_${period} WHERE $shown AND $chosen
                GROUP BY time, node_type ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "How long nodes take, 95th percentile",
        "By type.",
        Sql(
            """SELECT time, node_type,
                       quantilesExactWeightedMerge(0.5, 0.95, 0.99)(elapsed_state)[2] AS p95
                FROM node_metrics_${period} WHERE ended > 0 AND $shown AND $chosen
                GROUP BY time, node_type ORDER BY time"""
        ),
        unit="s",
    ),
    chart(
        "How long they wait for an executor, 95th percentile",
        "By type.",
        Sql(
            """SELECT time, node_type,
                       quantilesExactWeightedMerge(0.5, 0.95, 0.99)(queue_latency_state)[2] AS p95
                FROM node_metrics_${period} WHERE ended > 0 AND $shown AND $chosen
                GROUP BY time, node_type ORDER BY time"""
        ),
        unit="s",
    ),
    listing(
        "Slowest nodes",
        "By their 95th percentile.",
        """SELECT app_id, workflow_id, node_id, node_type, sum(executions) AS executions,
                   quantilesExactWeightedMerge(0.5, 0.95, 0.99)(elapsed_state) AS p,
                   p[1] AS p50, p[2] AS p95, p[3] AS p99,
                   quantilesExactWeightedMerge(0.5, 0.95, 0.99)(queue_latency_state)[2] AS waits_p95
            FROM node_metrics_${period} AS m WHERE ended > 0 AND $shown AND $chosen
            GROUP BY app_id, workflow_id, node_id, node_type ORDER BY p95 DESC LIMIT 50""",
        units=(("p50", "s"), ("p95", "s"), ("p99", "s"), ("waits_p95", "s")),
        width=12,
    ),
    listing(
        "Nodes that fail most",
        "After all attempts, or with a branch for errors.",
        """SELECT app_id, workflow_id, node_id, node_type, sum(executions) AS executions,
                   sum(m.failed + m.exception) AS failures, failures / executions AS failure_rate,
                   sum(retried) AS tried_again
            FROM node_metrics_${period} AS m WHERE $shown AND $chosen
            GROUP BY app_id, workflow_id, node_id, node_type
            HAVING failures > 0 OR tried_again > 0 ORDER BY failures DESC, tried_again DESC LIMIT 50""",
        units=(("failure_rate", "percentunit"),),
        width=12,
    ),
)

BOARD = Board(
    name="nodes",
    title="Hopline / Nodes",
    about="Which node is slow, which fails, and which waits for its turn.",
    rows=(("As it happens", _TASKS), ("History", _HISTORY)),
    variables=(TENANT, APP, WORKFLOW),
    periods=("1m", "1h", "1d"),
)
