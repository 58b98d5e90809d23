"""What comes in, and what becomes of it."""

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
    percentiles_over_time,
    quantile,
)

_DOOR = (
    chart(
        "Time to accept an event",
        "From the producer to the acknowledgement.",
        *percentiles("hopline_ingress_accept_seconds"),
        unit="s",
        width=8,
    ),
    chart(
        "Refused requests, by status",
        "4xx: the producer is to blame. 429: its limit. 503: the broker is slower than events come, or away.",
        Prom(per_second("hopline_ingress_refusals_total", "status"), "{{status}}"),
        unit="reqps",
        stack=True,
        width=8,
    ),
    chart(
        "Spool",
        "How full it is: above 0 the broker is away, or was.",
        Prom("hopline_ingress_spool_bytes / (hopline_ingress_spool_limit_bytes > 0)", "{{instance}}"),
        unit="percentunit",
        width=8,
    ),
    chart(
        "Duplicates",
        "Events within their window that workers had already, of all.",
        Prom(
            'sum(rate(hopline_events_total{outcome="duplicate"}[$__rate_interval]))'
            " / sum(rate(hopline_events_total[$__rate_interval]))",
            "duplicates",
        ),
        unit="percentunit",
        width=8,
    ),
    chart(
        "Times of schedules",
        "missed: later than their catch_up allows. overlapped: the run before was going on.",
        Prom(per_second("hopline_schedule_firings_total", "outcome"), "{{outcome}}"),
        unit="ops",
        width=8,
    ),
    chart(
        "How late timers are",
        "Schedules when they fire, rows when they are served, and the earliest that is not served yet.",
        Prom(quantile("hopline_schedule_late_seconds", q=0.99), "schedules, p99"),
        Prom(quantile("hopline_due_late_seconds", q=0.99, by="stage"), "{{stage}}, p99"),
        Prom("max by (stage) (hopline_due_overdue_seconds)", "{{stage}}, not served"),
        unit="s",
        width=8,
    ),
    chart(
        "Events from mailboxes, calendars and other Kafkas",
        "As their watchers have published them.",
        Prom(per_second("hopline_source_events_total", "type"), "{{type}}"),
        Prom(per_second("hopline_source_failures_total", "type"), "{{type}}: began again"),
        unit="ops",
    ),
    chart(
        "Configured triggers, by type",
        "And plugin subscriptions whose last refresh failed.",
        Prom("max by (type) (hopline_ingress_triggers)", "{{type}}"),
        Prom("max(hopline_ingress_subscriptions_failing)", "failing subscriptions"),
    ),
)

_HISTORY = (
    chart(
        "Trigger logs, by type",
        "One for each workflow that an event was for.",
        Sql(
            """SELECT time, trigger_type, sum(triggers) AS triggers FROM trigger_metrics_${period}
                WHERE $shown AND $chosen GROUP BY time, trigger_type ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "Trigger logs, by status",
        "Duplicates are among those that failed.",
        Sql(
            """SELECT time, sum(success) AS success, sum(m.failed - m.duplicates) AS failed,
                       sum(duplicates) AS duplicates, sum(stopped) AS stopped, sum(pending) AS pending,
                       sum(running) AS running
                FROM trigger_metrics_${period} AS m WHERE $shown AND $chosen
                GROUP BY time ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "From acceptance to the start of the run",
        "How long events wait.",
        percentiles_over_time(
            "trigger_metrics_${period}", "queue_latency_state", "started > 0 AND $shown AND $chosen"
        ),
        unit="s",
    ),
    chart(
        "Tried again",
        "Retries of whole runs, by type.",
        Sql(
            """SELECT time, trigger_type, sum(retries) AS retries FROM trigger_metrics_${period}
                WHERE $shown AND $chosen GROUP BY time, trigger_type ORDER BY time"""
        ),
        stack=True,
    ),
    listing(
        "Where triggers fail",
        "The workflows with the most failures.",
        """SELECT tenant_id, app_id, workflow_id, trigger_type, sum(triggers) AS triggers,
                   sum(m.failed - m.duplicates) AS failed, failed / triggers AS failure_rate,
                   sum(duplicates) AS duplicates
            FROM trigger_metrics_${period} AS m WHERE $shown AND $chosen
            GROUP BY tenant_id, app_id, workflow_id, trigger_type
            HAVING failed > 0 ORDER BY failed DESC LIMIT 100""",
        units=(("failure_rate", "percentunit"),),
    ),
)

BOARD = Board(
    name="triggers",
    title="Hopline / Triggers",
    about="What comes in, by which way, and what becomes of it.",
    rows=(("The door and the clock", _DOOR), ("History", _HISTORY)),
    variables=(TENANT, APP, WORKFLOW),
    periods=("1m", "1h", "1d"),
)
